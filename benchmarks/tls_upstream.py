"""Small part copies to an upstream that speaks TLS, as COS does. Otherwise as `benchmarks.small_copies`.

    python3 -m benchmarks.tls_upstream [--seconds 5] [--rounds 3] [--connections 1 32 256]

Everybody verifies the upstream's certificate and keeps connections open.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import asdict
from pathlib import Path

import trustme

from benchmarks import copies, report
from benchmarks.load import Wrk
from benchmarks.small_copies import LOAD_CORE, PROGRAM_CORE, compare, summarize
from benchmarks.subjects import Subject, start_gateway, start_nginx_lua, start_nginx_plain, start_tls_upstream


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 32, 256])
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cosgw-benchmark-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # nginx's worker may be another user
        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / "ca.pem")
        authority.issue_cert(copies.DESTINATION_HOST).private_key_and_cert_chain_pem.write_to_path(folder / "cos.pem")
        upstream = start_tls_upstream(folder, folder / "cos.pem", core=LOAD_CORE)
        changes = {"upstream": {"ca_file": str(folder / "ca.pem")}}
        endpoint = f"https://127.0.0.1:{upstream.port}"
        subjects: list[Subject] = []
        try:
            subjects.append(start_nginx_plain(folder, upstream.port, core=PROGRAM_CORE, ca=folder / "ca.pem"))
            subjects.append(start_nginx_lua(folder, upstream.port, core=PROGRAM_CORE, ca=folder / "ca.pem"))
            subjects.append(start_gateway("gateway", folder, endpoint, core=PROGRAM_CORE, changes=changes))
            wrk = Wrk(copies.part_copies(), folder, core=LOAD_CORE)
            for subject in subjects:
                wrk.check(subject.port, b"</CopyPartResult>")
            rounds = compare(
                subjects, wrk, connections=chosen.connections, seconds=chosen.seconds, rounds=chosen.rounds
            )
        finally:
            for subject in [*subjects, upstream]:
                subject.program.stop()
    report.write(
        "tls_upstream",
        "Small part copies over TLS",
        {"seconds": chosen.seconds, "rounds": [asdict(found) for found in rounds]},
        summarize(rounds, [subject.name for subject in subjects], chosen.connections, "nginx plain"),
        ["Added latency is over nginx plain, which speaks the same TLS to the same upstream."],
    )


if __name__ == "__main__":
    main()
