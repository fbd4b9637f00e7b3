"""An audit log of many gigabytes: does writing on cost more, and how long does a decision take to be found?

    python3 -m benchmarks.long_audit [--gb 10] [--seconds 3] [--folder FOLDER]

The log is made of lines like the gateway's own, an intent and an outcome for each request of the last days, and takes
that much real disk; it is removed at the end. `cos-gateway audit find` is run as a program, so its start is included.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from benchmarks import copies, report
from benchmarks.load import BenchmarkFailed, Wrk
from benchmarks.small_copies import LOAD_CORE, PROGRAM_CORE, compare, medians
from benchmarks.subjects import ROOT, Subject, start_gateway, start_upstream

CONNECTIONS = 32
PER_SECOND = 40
"""Requests of each second of the log: 10 GB are two days."""
_COMMON = (
    '"decision_id":"%(decision)s","request_id":"%(request)s","principal":"team:media","access_key_id":"GWAKBENCHMARK",'
    '"client":"10.0.0.7","signature":"q-sign","operation":"UploadPartCopy","method":"PUT",'
    '"bucket":"media-1250000000","region":"ap-guangzhou","key":"films/2026/%(number)d.mov","part_number":%(part)d,'
    '"upload_id":"1505706248ca8373f8a5cd52cb129f4bcf85e11dc8833df34f4f5bcc456c99c42cd1ffa2f9",'
    '"source":{"bucket":"raw-1250000000","region":"ap-guangzhou","key":"incoming/2026/%(number)d.mov"},'
    '"range":"bytes=0-8388607","policy":{"version":"19081c5196a4","verdict":"allow","statement":"media-copies"}'
)
_INTENT = '{"time":"%(time)s.1Z","type":"intent",' + _COMMON + "}\n"
_OUTCOME = (
    '{"time":"%(time)s.9Z","type":"outcome",' + _COMMON + ',"result":"completed","status":200,"code":null,'
    '"upstream_status":200,"upstream_request_id":"%(cos)s","bytes_in":0,"bytes_out":188,"seconds":0.8}\n'
)


def fields(number: int, begin: int) -> dict[str, Any]:
    """What differs between requests; the `number`th since the log began, in Unix seconds."""
    time_ = begin + number // PER_SECOND
    return {
        "time": datetime.fromtimestamp(time_, UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        "decision": f"d-{time_:08x}{number:012x}",
        "request": b64encode(f"{time_:x}_1_2_{number:x}".encode()).decode(),
        "cos": b64encode(f"{time_:x}_cos_{number:x}".encode()).decode(),
        "number": number,
        "part": number % 10_000 + 1,
    }


def lines(begin: int) -> Iterator[str]:
    """Pairs of lines, for ever."""
    number = 0
    while True:
        given = fields(number, begin)
        yield _INTENT % given + _OUTCOME % given
        number += 1


def write_log(path: Path, size_bytes: int) -> tuple[int, int]:
    """A log of at least that size that ends now: how many requests it holds, and when it begins."""
    pair_bytes = len(next(lines(int(time.time()))))
    begin = int(time.time()) - size_bytes // pair_bytes // PER_SECOND
    requests = written = 0
    source = lines(begin)
    with path.open("w", encoding="ascii", buffering=1 << 22) as log:
        while written < size_bytes:
            pair = next(source)
            written += log.write(pair)
            requests += 1
    return requests, begin


def find(configuration: Path, identifier: str, events: int) -> tuple[float, float]:
    """Seconds and MiB at the most that `audit find` takes. Raises BenchmarkFailed when it finds something else."""
    command = [sys.executable, "-c", "from gateway.cli.main import main; main()", "audit", "find", identifier]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COSGW_CONFIG": str(configuration)}
    started = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout:
        found = process.stdout.read().splitlines()
    _, _, used = os.wait4(process.pid, 0)
    process.returncode = 0
    took = time.monotonic() - started
    if len(found) != events:
        raise BenchmarkFailed(f"audit find {identifier}: {len(found)} events, expected {events}")
    return took, used.ru_maxrss / 1024


def _writing(folder: Path, log: Path, chosen: argparse.Namespace) -> list[tuple[object, ...]]:
    upstream = start_upstream(folder, core=LOAD_CORE)
    endpoint = f"http://127.0.0.1:{upstream.port}"
    wrk = Wrk(copies.part_copies(), folder, core=LOAD_CORE)
    subjects: list[Subject] = []
    try:
        for name, path in (("an empty log", folder / "empty.jsonl"), ("the long log", log)):
            audit = {"audit": {"path": str(path)}}
            subjects.append(start_gateway(name, folder, endpoint, core=PROGRAM_CORE, changes=audit))
        for subject in subjects:
            wrk.check(subject.port, b"</CopyPartResult>")
        rounds = compare(subjects, wrk, connections=[CONNECTIONS], seconds=chosen.seconds, rounds=3)
    finally:
        for subject in [*subjects, upstream]:
            subject.program.stop()
    by_name = [(subject.name, medians(rounds, subject.name, CONNECTIONS)) for subject in subjects]
    return [(name, one.per_second, round(one.cpu_per_request)) for name, one in by_name]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--gb", type=float, default=10.0)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where there is room; else the system's temporary folder")
    chosen = parser.parse_args()
    size_bytes = int(chosen.gb * 1e9)
    with tempfile.TemporaryDirectory(prefix="cosgw-benchmark-", dir=chosen.folder) as name:
        folder = Path(name)
        if shutil.disk_usage(folder).free < 1.5 * size_bytes:
            parser.error(f"{folder} has no room for {chosen.gb:g} GB and half as much again")
        log, configuration = folder / "audit.jsonl", folder / "gateway.yaml"
        requests, begin = write_log(log, size_bytes)
        configuration.write_text(yaml.safe_dump({"audit": {"path": str(log)}}))
        rows = []
        for place, number in (("first", 0), ("middle", requests // 2), ("last", requests - 1)):
            given = fields(number, begin)
            rows.append((f"the {place} decision", *find(configuration, given["decision"], 2)))
        middle = fields(requests // 2, begin)
        rows.append(("COS's id of the middle request", *find(configuration, middle["cos"], 2)))
        rows.append(("a decision that never was", *find(configuration, f"d-{begin:08x}ffffffffffff", 0)))
        writing = _writing(folder, log, chosen)
    report.write(
        "long_audit",
        f"An audit log of {chosen.gb:g} GB",
        {"requests": requests, "find": rows, "writing": writing},
        [
            "## Finding\n\n" + report.table(("`cos-gateway audit find`", "seconds", "peak MiB"), rows),
            "## Writing on\n\n" + report.table(("small copies with", "requests/s", "CPU µs"), writing),
        ],
        [f"{requests:,} requests. What is in no place its id could mean is looked for in the whole log."],
    )


if __name__ == "__main__":
    main()
