"""Relay of large bodies: downloads and uploads, beside nginx without signing.

    python3 -m benchmarks.relay [--mib 1024] [--rounds 3]

The program runs on core 0, curl and the upstream (nginx with a sparse file; a sink for uploads) on core 1.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benchmarks import copies, report
from benchmarks.load import BenchmarkFailed
from benchmarks.processes import Program, free_port
from benchmarks.subjects import Subject, start_gateway, start_nginx, start_nginx_plain
from cos.rewrite import UpstreamRequest

PROGRAM_CORE, LOAD_CORE = 0, 1


@dataclass(frozen=True, slots=True)
class Found:
    """One round: decimal megabytes per second, CPU seconds of the program per decimal gigabyte."""

    task: str
    subject: str
    mb_per_second: float
    cpu_per_gb: float


def _curl(port: int, request: UpstreamRequest, *more: str) -> list[str]:
    command = ["taskset", "-c", str(LOAD_CORE), "curl", "-s", "-S", "-f", "-o", "/dev/null", "-X", request.method]
    for name, value in ((b"host", request.host.encode()), *request.headers):
        command += ["-H", f"{name.decode()}: {value.decode()}"]
    return [*command, "-H", "Expect:", *more, f"http://127.0.0.1:{port}{request.target.decode()}"]


def _timed(commands: Sequence[list[str]]) -> float:
    started = time.monotonic()
    running = [subprocess.Popen(command) for command in commands]
    codes = [program.wait(300) for program in running]
    if any(codes):
        raise BenchmarkFailed("a transfer failed")
    return time.monotonic() - started


def _measure(task: str, subject: Subject, commands: Sequence[list[str]], size_bytes: int) -> Found:
    before = subject.program.cpu_seconds()
    seconds = _timed(commands)
    used = subject.program.cpu_seconds() - before
    found = Found(task, subject.name, size_bytes / seconds / 1e6, used / (size_bytes / 1e9))
    speed, cpu = f"{found.mb_per_second:>7.0f} MB/s", f"{found.cpu_per_gb:>6.2f} CPU s/GB"
    print(f"  {task:<18} {subject.name:<12} {speed} {cpu}", flush=True)
    return found


def _run(folder: Path, mib: int, rounds: int) -> tuple[list[Found], dict[str, float]]:
    folder.chmod(0o755)  # nginx's worker may be another user
    for name, size in (("big", mib), ("part", 64)):
        with (folder / name).open("wb") as file:
            file.truncate(size << 20)
    files = start_nginx("files", "files.conf", folder, core=LOAD_CORE, root=folder)
    sink_port = free_port()
    sink = Program([sys.executable, "-m", "benchmarks.peers.sink", str(sink_port)], core=LOAD_CORE, folder=folder)
    sink.wait_for_port(sink_port)
    subjects: list[Subject] = []
    programs = [files.program, sink]
    found: list[Found] = []
    try:
        down = [
            start_nginx_plain(folder, files.port, core=PROGRAM_CORE),
            start_gateway("gateway", folder, f"http://127.0.0.1:{files.port}", core=PROGRAM_CORE),
        ]
        subjects += down
        up = [
            start_nginx_plain(folder, sink_port, core=PROGRAM_CORE),
            start_gateway("gateway", folder, f"http://127.0.0.1:{sink_port}", core=PROGRAM_CORE),
        ]
        subjects += up
        part, whole = copies.signed("GET", "part"), copies.signed("GET", "big")
        put = copies.signed("PUT", "films/big", headers=((b"content-length", b"%d" % (mib << 20)),))
        for _ in range(rounds):
            for subject in down:
                several = [_curl(subject.port, part)] * 8
                found.append(_measure("GET 64 MiB × 8", subject, several, 8 * 64 << 20))
                found.append(_measure(f"GET {mib} MiB", subject, [_curl(subject.port, whole)], mib << 20))
            for subject in up:
                upload = [_curl(subject.port, put, "-T", str(folder / "big"))]
                found.append(_measure(f"PUT {mib} MiB", subject, upload, mib << 20))
        peaks = {
            "down": down[1].program.memory_mib("VmHWM"),
            "up": up[1].program.memory_mib("VmHWM"),
        }
    finally:
        for program in (*(subject.program for subject in subjects), *programs):
            program.stop()
    return found, peaks


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--mib", type=int, default=1024, help="size of the large object")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cosgw-benchmark-") as name:
        found, peaks = _run(Path(name), chosen.mib, chosen.rounds)
    rows = []
    for task in dict.fromkeys(one.task for one in found):
        plain, ours = (
            [one for one in found if (one.task, one.subject) == (task, subject)]
            for subject in ("nginx plain", "gateway")
        )
        speeds = [median(one.mb_per_second for one in side) for side in (plain, ours)]
        cpu = [median(one.cpu_per_gb for one in side) for side in (plain, ours)]
        rows.append((task, *speeds, speeds[1] / speeds[0], *cpu))
    header = ("", "nginx plain MB/s", "gateway MB/s", "ratio", "nginx plain CPU s/GB", "gateway CPU s/GB")
    report.write(
        "relay",
        "Relay of large bodies",
        {"rounds": [asdict(one) for one in found], "peak_rss_mib": peaks},
        [report.table(header, rows)],
        [f"Peak RSS of the gateway: {peaks['down']:.0f} MiB downloading, {peaks['up']:.0f} MiB uploading."],
    )


if __name__ == "__main__":
    main()
