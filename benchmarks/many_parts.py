"""Uploads of many parts: does copying or completing one of 10,000 cost more than its share?

    python3 -m benchmarks.many_parts [--parts 1 100 1000 10000] [--rounds 20] [--seconds 3]

Complete Multipart Upload sends one document that names every part; the gateway reads it whole (a rule may depend on
what it says), audits, signs and sends it. The upstream answers at once, so that what is measured is the gateway.
"""

from __future__ import annotations

import argparse
import http.client
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks import copies, report
from benchmarks.load import BenchmarkFailed, Wrk
from benchmarks.small_copies import LOAD_CORE, PROGRAM_CORE, measure
from benchmarks.subjects import Subject, start_gateway, start_nginx, start_upstream
from cos.target import Parameter

CONNECTIONS = 32
RESULT = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<CompleteMultipartUploadResult>\n'
    "\t<Location>media-1250000000.cos.ap-guangzhou.myqcloud.com/films/2026/film.mov</Location>\n"
    "\t<Bucket>media-1250000000</Bucket>\n\t<Key>films/2026/film.mov</Key>\n"
    "\t<ETag>&quot;3a0f1fd698c235af9cf098cb74aa25bc-10000&quot;</ETag>\n</CompleteMultipartUploadResult>"
)


def document(parts: int) -> bytes:
    """What an SDK sends to complete an upload of so many parts."""
    named = (
        f'<Part><PartNumber>{number}</PartNumber><ETag>"{number:032x}"</ETag></Part>' for number in range(1, parts + 1)
    )
    return f"<CompleteMultipartUpload>{''.join(named)}</CompleteMultipartUpload>".encode()


def complete(subject: Subject, parts: int, rounds: int) -> tuple[float, float]:
    """Median milliseconds until the answer, and milliseconds of the gateway's CPU for one request."""
    body = document(parts)
    request = copies.signed(
        "POST",
        "films/2026/film.mov",
        (Parameter("uploadId", copies.UPLOAD_ID),),
        ((b"content-type", b"application/xml"), (b"content-length", b"%d" % len(body))),
    )
    headers = {"Host": request.host, **{name.decode(): value.decode() for name, value in request.headers}}
    connection = http.client.HTTPConnection("127.0.0.1", subject.port, timeout=60)
    took = []
    before = subject.program.cpu_seconds()
    for _ in range(rounds):
        started = time.monotonic()
        connection.request("POST", request.target.decode(), body, headers)
        answer = connection.getresponse()
        text = answer.read()
        took.append(time.monotonic() - started)
        if answer.status != 200 or b"CompleteMultipartUploadResult" not in text:
            raise BenchmarkFailed(f"{parts} parts: {answer.status} {text[:500]!r}")
    connection.close()
    return 1000 * median(took), 1000 * (subject.program.cpu_seconds() - before) / rounds


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--parts", type=int, nargs="+", default=[1, 100, 1000, 10_000])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cosgw-benchmark-") as name:
        folder = Path(name)
        copying = start_upstream(folder, core=LOAD_CORE)
        completing = start_nginx(
            "completing", "upstream.conf", folder, core=LOAD_CORE, tls_listen="", tls_certificate="", result=RESULT
        )
        programs = [copying.program, completing.program]
        try:
            copier = start_gateway("copies", folder, f"http://127.0.0.1:{copying.port}", core=PROGRAM_CORE)
            programs.append(copier.program)
            speeds = []
            for count in (512, 10_000):
                wrk = Wrk(copies.part_copies(count), folder, core=LOAD_CORE)
                wrk.check(copier.port, b"</CopyPartResult>")
                found = measure(copier, wrk, connections=CONNECTIONS, seconds=chosen.seconds)
                speeds.append((f"{count:,}", found.per_second, round(found.cpu_per_request)))
            rows = []
            for parts in chosen.parts:
                # A process of its own: the peak is this number's.
                subject = start_gateway("completes", folder, f"http://127.0.0.1:{completing.port}", core=PROGRAM_CORE)
                programs.append(subject.program)
                idle = subject.program.memory_mib()
                took, cpu = complete(subject, parts, chosen.rounds)
                peak = subject.program.memory_mib("VmHWM") - idle
                rows.append((f"{parts:,}", len(document(parts)) / 1024, took, cpu, peak))
                subject.program.stop()
        finally:
            for program in programs:
                program.stop()
    report.write(
        "many_parts",
        "Uploads of many parts",
        {
            "complete": [dict(zip(("parts", "kib", "ms", "cpu_ms", "more_mib"), row, strict=True)) for row in rows],
            "copy": [dict(zip(("parts", "per_second", "cpu_microseconds"), row, strict=True)) for row in speeds],
        },
        [
            "## Completing\n\n"
            + report.table(("parts", "document KiB", "answered after ms", "CPU ms", "peak over idle MiB"), rows),
            "## Copying\n\n" + report.table(("different parts", "requests/s", "CPU µs"), speeds),
        ],
    )


if __name__ == "__main__":
    main()
