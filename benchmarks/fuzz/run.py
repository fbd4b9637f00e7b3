"""Fuzz one target, or all of them, for a number of executions and say what came of it.

    python -m benchmarks.fuzz.run --target copy-source --executions 10000000 --seed 1

Exit 0: nothing found. Exit 1: the first input that broke a promise is printed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from dataclasses import dataclass

from benchmarks.fuzz.mutation import Mutator
from benchmarks.fuzz.targets import TARGETS, Target


@dataclass(frozen=True, slots=True)
class Finding:
    """An input that raised what it should not have."""

    data: bytes
    what: str


@dataclass(frozen=True, slots=True)
class Result:
    """One run. `accepted` tells that the inputs were near enough to the grammar to mean something."""

    target: str
    seed: int
    executions: int
    accepted: int
    seconds: float
    finding: Finding | None


def fuzz(target: Target, *, seed: int, executions: int) -> Result:
    """Feed a target; stops at the first finding."""
    mutator = Mutator(seed, target.samples, target.pieces)
    started = time.monotonic()
    accepted = 0
    for number in range(executions):
        data = mutator.next()
        try:
            accepted += target.feed(data)
        except Exception:  # noqa: BLE001  # whatever it is, it is what is looked for
            seconds = time.monotonic() - started
            return Result(target.name, seed, number + 1, accepted, seconds, Finding(data, traceback.format_exc()))
    return Result(target.name, seed, executions, accepted, time.monotonic() - started, None)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", choices=[*TARGETS, "all"], default="all")
    parser.add_argument("--executions", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    names = list(TARGETS) if chosen.target == "all" else [chosen.target]
    for name in names:
        result = fuzz(TARGETS[name], seed=chosen.seed, executions=chosen.executions)
        if result.finding is not None:
            print(f"{name}: {result.finding.data!r}\n{result.finding.what}", file=sys.stderr)
            return 1
        print(
            json.dumps(
                {
                    "target": name,
                    "seed": result.seed,
                    "executions": result.executions,
                    "accepted": result.accepted,
                    "seconds": round(result.seconds, 1),
                }
            ),
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
