"""Small part copies: requests per second, CPU per request and added latency, beside nginx and nginx with Lua.

    python3 -m benchmarks.small_copies [--seconds 5] [--rounds 3] [--connections 1 32 256] [--stock] [--mitmproxy]

Each program runs alone on core 0; the load and the upstream share core 1. Rounds are interleaved, so that a busy
neighbour disturbs all alike; each figure is the median of its rounds. One error anywhere and nothing is reported.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benchmarks import copies, report
from benchmarks.load import Wrk
from benchmarks.subjects import (
    Subject,
    start_gateway,
    start_mitmproxy,
    start_nginx_lua,
    start_nginx_plain,
    start_upstream,
)

PROGRAM_CORE, LOAD_CORE = 0, 1
WARM_UP_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Round:
    """One measurement. Latencies and CPU in microseconds; CPU is the measured program's own."""

    subject: str
    connections: int
    per_second: float
    cpu_per_request: float
    p50: int
    p99: int


def measure(subject: Subject, wrk: Wrk, *, connections: int, seconds: int, tls: bool = False) -> Round:
    """One round against one program, after a warm-up."""
    wrk.measure(subject.port, connections=connections, seconds=WARM_UP_SECONDS, tls=tls)
    before = subject.program.cpu_seconds()
    load = wrk.measure(subject.port, connections=connections, seconds=seconds, tls=tls)
    used = subject.program.cpu_seconds() - before
    return Round(subject.name, connections, load.per_second, 1e6 * used / load.requests, load.p50, load.p99)


def medians(rounds: list[Round], subject: str, connections: int) -> Round:
    """The median of each figure over the rounds of one program."""
    chosen = [found for found in rounds if (found.subject, found.connections) == (subject, connections)]
    return Round(
        subject,
        connections,
        median(found.per_second for found in chosen),
        median(found.cpu_per_request for found in chosen),
        int(median(found.p50 for found in chosen)),
        int(median(found.p99 for found in chosen)),
    )


def spread(rounds: list[Round], subject: str, connections: int) -> float:
    """How far the rounds of one program lie apart: (highest - lowest) / median of requests per second."""
    found = [r.per_second for r in rounds if (r.subject, r.connections) == (subject, connections)]
    return (max(found) - min(found)) / median(found)


def compare(
    subjects: list[Subject], wrk: Wrk, *, connections: list[int], seconds: int, rounds: int, tls: bool = False
) -> list[Round]:
    """Interleaved rounds of every program at every number of connections."""
    found = []
    for number in range(rounds):
        for count in connections:
            # Every other round runs backwards: nobody is always measured behind the same neighbour.
            for subject in subjects if number % 2 == 0 else reversed(subjects):
                result = measure(subject, wrk, connections=count, seconds=seconds, tls=tls)
                print(
                    f"  {count:>4} connections  {subject.name:<28} {result.per_second:>9,.0f}/s "
                    f"{result.cpu_per_request:>7.0f} µs CPU   p50 {result.p50:>6} µs   p99 {result.p99:>6} µs",
                    flush=True,
                )
                found.append(result)
    return found


def summarize(rounds: list[Round], subjects: list[str], connections: list[int], direct: str) -> list[str]:
    """One Markdown table per number of connections, with ratios to the peers and latency over the direct way."""
    tables = []
    for count in connections:
        by_name = {name: medians(rounds, name, count) for name in subjects}
        rows = []
        for name, found in by_name.items():
            ratios = [
                round(found.per_second / by_name[peer].per_second, 2) if peer in by_name else "-"
                for peer in ("nginx + Lua", "nginx plain")
            ]
            added = [found.p50 - by_name[direct].p50, found.p99 - by_name[direct].p99]
            cpu = round(found.cpu_per_request) if name != direct else "-"
            rows.append((name, found.per_second, cpu, *ratios, *added, f"{spread(rounds, name, count):.0%}"))
        header = ("", "requests/s", "CPU µs", "/ Lua", "/ plain", "added p50 µs", "added p99 µs", "spread")
        tables.append(f"## {count} connections\n\n" + report.table(header, rows))
    return tables


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 32, 256])
    parser.add_argument("--only", nargs="*", help="names of programs, for a quick look; then nothing is written")
    parser.add_argument("--stock", action="store_true", help="also our gateway over httpx's own transport")
    parser.add_argument("--mitmproxy", action="store_true", help="also mitmproxy with an addon that does the same")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cosgw-benchmark-") as name:
        folder = Path(name)
        upstream = start_upstream(folder, core=LOAD_CORE)
        endpoint = f"http://127.0.0.1:{upstream.port}"
        starters: dict[str, Callable[[], Subject]] = {
            "direct": lambda: Subject("direct", upstream.program, upstream.port),
            "nginx plain": lambda: start_nginx_plain(folder, upstream.port, core=PROGRAM_CORE),
            "nginx + Lua": lambda: start_nginx_lua(folder, upstream.port, core=PROGRAM_CORE),
            "gateway": lambda: start_gateway("gateway", folder, endpoint, core=PROGRAM_CORE),
            "gateway, audit on disk": lambda: start_gateway(
                "gateway, audit on disk", folder, endpoint, core=PROGRAM_CORE, changes={"audit": {"durability": "disk"}}
            ),
        }
        if chosen.mitmproxy:
            starters["mitmproxy + addon"] = lambda: start_mitmproxy(folder, upstream.port, core=PROGRAM_CORE)
        if chosen.stock:
            starters["gateway, stock httpx"] = lambda: start_gateway(
                "gateway, stock httpx",
                folder,
                endpoint,
                core=PROGRAM_CORE,
                changes={"upstream": {"transport": "stock"}},
            )
        if chosen.only:
            starters = {key: start for key, start in starters.items() if key in chosen.only}
        subjects: list[Subject] = []
        try:
            subjects += [start() for start in starters.values()]
            wrk = Wrk(copies.part_copies(), folder, core=LOAD_CORE)
            for subject in subjects:
                wrk.check(subject.port, b"</CopyPartResult>")
            rounds = compare(
                subjects, wrk, connections=chosen.connections, seconds=chosen.seconds, rounds=chosen.rounds
            )
        finally:
            for subject in [*subjects, upstream]:
                subject.program.stop()
    if chosen.only:
        return
    names = [subject.name for subject in subjects]
    report.write(
        "small_copies",
        "Small part copies",
        {"seconds": chosen.seconds, "rounds": [asdict(found) for found in rounds]},
        summarize(rounds, names, chosen.connections, "direct"),
        ["Added latency is that of the same load over the upstream alone. CPU is the measured program's own."],
    )


if __name__ == "__main__":
    main()
