"""Growth: does a small copy cost more beside many keys, buckets and statements that do not concern it?

    python3 -m benchmarks.growth [--sizes 10 1000 10000] [--seconds 3] [--rounds 3]

Each size has as many keys, buckets and statements, one statement per principal. Read and compiled at the start;
`starts in` tells how long that takes. CPU per request is the figure to compare.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from benchmarks import copies, report
from benchmarks.load import Wrk
from benchmarks.small_copies import LOAD_CORE, PROGRAM_CORE, compare, medians
from benchmarks.subjects import ROOT, Subject, start_gateway, start_upstream

CONNECTIONS = 32


def _others(folder: Path, count: int) -> dict[str, Any]:
    """Settings with `count` further keys, buckets and statements."""
    statements = [
        {
            "id": f"other-{number}",
            "effect": "allow",
            "principals": [f"team:other{number}"],
            "actions": ["cos:UploadPartCopy"],
            "source": {"bucket": f"other{number}-1250000000", "key": "incoming/*"},
            "destination": {"bucket": "media-1250000000", "key": f"other{number}/*"},
        }
        for number in range(count)
    ]
    document = folder / f"others-{count}.yaml"
    document.write_text(yaml.dump({"version": 1, "statements": statements}, Dumper=yaml.CSafeDumper))
    region = "ap-guangzhou"
    return {
        "policies": {"paths": [str(ROOT / "config" / "policies"), str(document)]},
        "buckets": [
            {"name": "raw-1250000000", "region": region},
            {"name": "media-1250000000", "region": region},
            *({"name": f"other{number}-1250000000", "region": region} for number in range(count)),
        ],
        "keys": [
            {"id": copies.ACCESS_KEY_ID, "secret": copies.SECRET, "principal": copies.PRINCIPAL},
            *(
                {"id": f"GWAKOTHER{number:08d}", "secret": f"OtherSecret{number:021d}",
                 "principal": f"team:other{number}"}
                for number in range(count)
            ),
        ],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 1000, 10_000])
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cosgw-benchmark-") as name:
        folder = Path(name)
        upstream = start_upstream(folder, core=LOAD_CORE)
        endpoint = f"http://127.0.0.1:{upstream.port}"
        subjects: list[Subject] = []
        starts: dict[str, float] = {}
        try:
            for size in chosen.sizes:
                changes = _others(folder, size)
                started = time.monotonic()
                subject = start_gateway(f"{size:,}", folder, endpoint, core=PROGRAM_CORE, changes=changes)
                starts[subject.name] = time.monotonic() - started
                subjects.append(subject)
            wrk = Wrk(copies.part_copies(), folder, core=LOAD_CORE)
            for subject in subjects:
                wrk.check(subject.port, b"</CopyPartResult>")
            rounds = compare(subjects, wrk, connections=[CONNECTIONS], seconds=chosen.seconds, rounds=chosen.rounds)
            memory = {subject.name: subject.program.memory_mib() for subject in subjects}
        finally:
            for subject in [*subjects, upstream]:
                subject.program.stop()
    found = {subject.name: medians(rounds, subject.name, CONNECTIONS) for subject in subjects}
    rows = [
        (name, one.per_second, round(one.cpu_per_request), round(memory[name]), starts[name])
        for name, one in found.items()
    ]
    header = ("keys, buckets, statements", "requests/s", "CPU µs", "RSS MiB", "starts in s")
    report.write(
        "growth",
        "Growth",
        {name: {"per_second": one.per_second, "cpu_per_request": one.cpu_per_request, "rss_mib": memory[name],
                "start_seconds": starts[name]} for name, one in found.items()},
        [report.table(header, rows)],
    )  # fmt: skip


if __name__ == "__main__":
    main()
