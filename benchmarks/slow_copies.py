"""Slow copies: thousands of part copies in flight whose answers take 5 to 25 seconds, as COS's do.

    python3 -m benchmarks.slow_copies [--in-flight 1000 5000 9500]

The gateway runs on core 0, the clients (one connection each) and the upstream on core 1. Every copy must
succeed. Added latency is the time beyond what the upstream took.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import resource
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import quantiles

import uvloop

from benchmarks import copies, report
from benchmarks.load import BenchmarkFailed
from benchmarks.processes import Program, free_port
from benchmarks.subjects import start_gateway

PROGRAM_CORE, LOAD_CORE = 0, 1
OPENED_PER_SECOND = 1500
_DELAY = re.compile(rb"x-cos-meta-delay: ([0-9]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Found:
    """One run: memory in MiB, added latency in milliseconds, CPU of the gateway in microseconds per copy."""

    in_flight: int
    idle_mib: float
    peak_mib: float
    added_p50: float
    added_p99: float
    cpu_per_copy: float


async def _copy(port: int, request: bytes) -> float:
    """Milliseconds beyond what the upstream took. Raises BenchmarkFailed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    started = time.monotonic()
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    took = (time.monotonic() - started) * 1000
    delay = _DELAY.search(head)
    writer.close()
    if not head.startswith(b"HTTP/1.1 200") or delay is None:
        raise BenchmarkFailed(f"answered {head[-400:]!r} {await reader.read(600)!r}")
    return took - int(delay[1])


async def _run(port: int, count: int) -> list[float]:
    requests = copies.part_copies(count)
    tasks = []
    for number, request in enumerate(requests):
        tasks.append(asyncio.create_task(_copy(port, request)))
        if number % (OPENED_PER_SECOND // 20) == 0:
            await asyncio.sleep(0.05)
    return await asyncio.gather(*tasks)


def measure(folder: Path, count: int) -> Found:
    """One gateway, one upstream, `count` copies at once."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.peers.sink", str(port)]
    upstream = Program(command, core=LOAD_CORE, folder=folder)
    upstream.wait_for_port(port)
    changes = {"upstream": {"connections_per_origin": 10_000}}
    gateway = start_gateway("gateway", folder, f"http://127.0.0.1:{port}", core=PROGRAM_CORE, changes=changes)
    try:
        idle = gateway.program.memory_mib()
        before = gateway.program.cpu_seconds()
        added = sorted(uvloop.run(_run(gateway.port, count)))
        used = gateway.program.cpu_seconds() - before
        cuts = quantiles(added, n=100)
        peak = gateway.program.memory_mib("VmHWM")
        return Found(count, idle, peak, cuts[49], cuts[98], 1e6 * used / count)
    finally:
        gateway.program.stop()
        upstream.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--in-flight", type=int, nargs="+", default=[1000, 5000, 9500])
    chosen = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.sched_setaffinity(0, {LOAD_CORE})
    with tempfile.TemporaryDirectory(prefix="cosgw-benchmark-") as name:
        found = [measure(Path(name), count) for count in chosen.in_flight]
    rows = [
        (str(one.in_flight), round(one.idle_mib), round(one.peak_mib), one.added_p50, one.added_p99,
         round(one.cpu_per_copy))
        for one in found
    ]  # fmt: skip
    header = ("in flight", "idle RSS MiB", "peak RSS MiB", "added p50 ms", "added p99 ms", "CPU µs per copy")
    report.write(
        "slow_copies",
        "Slow part copies",
        {"runs": [asdict(one) for one in found]},
        [report.table(header, rows)],
        ["All copies succeeded. Each came over a connection of its own and went out over one of its own."],
    )


if __name__ == "__main__":
    main()
