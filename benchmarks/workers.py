"""Workers: do two do the work of two? Small part copies with one and with two worker processes.

    python3 -m benchmarks.workers [--seconds 5] [--rounds 3] [--connections 32] [--share 45] [--only free|quota]

Two cores are too few to give each worker one, the load another and the upstream a fourth. So two things are measured:

*quota*   Every worker runs on core 0 and may use `--share` per cent of it, which the kernel's CPU bandwidth control
          holds (a cgroup of its own; needs root). Load and upstream have core 1 to themselves. It shows what sharing
          a port costs; that memory and caches would be shared as well on two cores it does not show.
*free*    Workers, load and upstream share both cores as the kernel sees fit. What one worker leaves free of the
          second core is the load's: the ratio is bounded by what load and upstream take.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benchmarks import copies, report
from benchmarks.load import BenchmarkFailed, Wrk
from benchmarks.small_copies import LOAD_CORE, PROGRAM_CORE, Round, compare
from benchmarks.subjects import Subject, start_gateway, start_upstream

PERIOD_MICROSECONDS = 10_000
V1 = Path("/sys/fs/cgroup/cpu")
V2 = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Balance:
    """Requests of each worker."""

    subject: str
    requests: list[int]

    @property
    def least_share(self) -> float:
        """Of the worker with the fewest: 0.5 is even between two."""
        return min(self.requests) / max(1, sum(self.requests))


def _gateway(folder: Path, endpoint: str, workers: int, core: str) -> Subject:
    name = f"{workers} worker{'s' if workers > 1 else ''}"
    return start_gateway(name, folder, endpoint, core=core, changes={"workers": workers})


def _processes(subject: Subject) -> list[int]:
    """The processes that serve: the workers, or the gateway itself when it has none."""
    return subject.program.children() or [subject.program.pid]


def _balance(subject: Subject) -> Balance:
    found = re.search(r"admin (http://\S+?)[,)]", subject.program.log.read_text())
    if found is None:
        raise BenchmarkFailed(f"{subject.name} does not say where its admin port is")
    with urllib.request.urlopen(f"{found[1]}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    counts = re.findall(r'^cosgw_worker_requests_total\{worker="\d+"\} (\S+)$', text, re.MULTILINE)
    return Balance(subject.name, [int(float(count)) for count in counts])


@contextmanager
def _quotas(subjects: list[Subject], share: int) -> Iterator[None]:
    """Hold every worker to a share of a core, in per cent."""
    groups: list[tuple[Path, int]] = []
    try:
        for pid in (pid for subject in subjects for pid in _processes(subject)):
            group = (V1 if V1.is_dir() else V2) / f"cosgw-benchmark-{pid}"
            group.mkdir()
            groups.append((group, pid))
            quota = PERIOD_MICROSECONDS * share // 100
            if V1.is_dir():
                (group / "cpu.cfs_period_us").write_text(str(PERIOD_MICROSECONDS))
                (group / "cpu.cfs_quota_us").write_text(str(quota))
            else:
                (group / "cpu.max").write_text(f"{quota} {PERIOD_MICROSECONDS}")
            (group / "cgroup.procs").write_text(str(pid))
        yield
    finally:
        for group, pid in groups:
            if Path(f"/proc/{pid}").exists():
                (group.parent / "cgroup.procs").write_text(str(pid))
            group.rmdir()


def _measured(
    folder: Path, wrk: Wrk, endpoint: str, *, core: str, share: int | None, chosen: argparse.Namespace
) -> tuple[list[Round], list[Balance]]:
    subjects: list[Subject] = []
    try:
        subjects += [_gateway(folder, endpoint, workers, core) for workers in (1, 2)]
        for subject in subjects:
            wrk.check(subject.port, b"</CopyPartResult>")
        with _quotas(subjects if share is not None else [], share or 0):
            rounds = compare(
                subjects, wrk, connections=[chosen.connections], seconds=chosen.seconds, rounds=chosen.rounds
            )
        return rounds, [_balance(subject) for subject in subjects if subject.name != "1 worker"]
    finally:
        for subject in subjects:
            subject.program.stop()


def _table(mode: str, rounds: list[Round], balances: list[Balance]) -> str:
    names = list(dict.fromkeys(found.subject for found in rounds))
    speed = {name: [found.per_second for found in rounds if found.subject == name] for name in names}
    least = {found.subject: f"{found.least_share:.0%}" for found in balances}
    rows = [
        (
            name,
            median(speed[name]),
            median(speed[name]) / median(speed[names[0]]),
            round(median(found.cpu_per_request for found in rounds if found.subject == name)),
            int(median(found.p50 for found in rounds if found.subject == name)),
            int(median(found.p99 for found in rounds if found.subject == name)),
            least.get(name, "-"),
            f"{(max(speed[name]) - min(speed[name])) / median(speed[name]):.0%}",
        )
        for name in names
    ]
    header = ("", "requests/s", "ratio", "CPU µs", "p50 µs", "p99 µs", "least busy worker", "spread")
    return f"## {mode}\n\n" + report.table(header, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--share", type=int, default=45, help="per cent of core 0 that each worker may use")
    parser.add_argument(
        "--only", choices=("quota", "free"), help="one of the two, for a quick look; nothing is written"
    )
    chosen = parser.parse_args()
    if chosen.only != "free" and os.geteuid() != 0:
        parser.error("quota needs root, to make cgroups; --only free does not")
    results: dict[str, tuple[list[Round], list[Balance]]] = {}
    with tempfile.TemporaryDirectory(prefix="cosgw-benchmark-") as name:
        folder = Path(name)
        upstream = start_upstream(folder, core=LOAD_CORE)
        endpoint = f"http://127.0.0.1:{upstream.port}"
        wrk = Wrk(copies.part_copies(), folder, core=LOAD_CORE)
        try:
            for mode, core, share in (
                ("quota", str(PROGRAM_CORE), chosen.share),
                ("free", f"{PROGRAM_CORE},{LOAD_CORE}", None),
            ):
                if chosen.only in (None, mode):
                    print(f"{mode}:", flush=True)
                    results[mode] = _measured(folder, wrk, endpoint, core=core, share=share, chosen=chosen)
        finally:
            upstream.program.stop()
    titles = {
        "quota": f"each worker may use {chosen.share} % of core 0",
        "free": "workers, load and upstream share both cores",
    }
    tables = [_table(titles[mode], *found) for mode, found in results.items()]
    if chosen.only:
        print("\n\n".join(tables))
        return
    report.write(
        "workers",
        "Worker processes",
        {
            "seconds": chosen.seconds,
            "connections": chosen.connections,
            **{
                mode: {"rounds": [asdict(one) for one in rounds], "requests_by_worker": [b.requests for b in balances]}
                for mode, (rounds, balances) in results.items()
            },
        },
        tables,
        [
            "*Quota* stands for a core for each worker: it shows the cost of sharing a port, not of sharing memory.",
            "*Free* is this machine as it is: with two workers, load and upstream compete with them for two cores.",
        ],
    )


if __name__ == "__main__":
    main()
