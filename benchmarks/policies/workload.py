"""The same policy and the same questions for every engine: who may copy parts from which bucket to which.

Each of up to 1,000 principals has an equal share of the statements. A statement allows one principal to copy parts
of one bucket's `incoming/` into one other bucket, of the same region, with a range of at most 1 GiB. Needs nothing
but the standard library, because the engines it is compared with live in an environment of their own.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import process_time

MAX_PRINCIPALS = 1000
MAX_BYTES = 1024**3
REGION = "ap-guangzhou"
REPEATS = 9


@dataclass(frozen=True, slots=True)
class Grant:
    """One statement."""

    principal: str
    source: str
    destination: str


@dataclass(frozen=True, slots=True)
class Question:
    """One part copy, of `length` bytes; allowed when it is short enough."""

    grant: Grant
    length: int


def grants(statements: int) -> list[Grant]:
    """So many statements, spread evenly over the principals."""
    principals = min(statements, MAX_PRINCIPALS)
    return [
        Grant(f"team:{number % principals:04}", f"raw-{number}-1250000000", f"media-{number}-1250000000")
        for number in range(statements)
    ]


def questions(asked: list[Grant], count: int, *, allowed: bool) -> list[Question]:
    """So many copies by random principals, always the same ones."""
    chance = random.Random(7)
    length = MAX_BYTES if allowed else MAX_BYTES + 1
    return [Question(chance.choice(asked), length) for _ in range(count)]


def resident_bytes() -> int:
    """The memory of this process (Linux)."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


def microseconds(decide: Callable[[], int], count: int, expected: int) -> float:
    """The CPU time per decision, median of several repeats. `decide` answers how many of `count` were allowed."""
    rounds = []
    for _ in range(REPEATS):
        started = process_time()
        allowed = decide()
        rounds.append(process_time() - started)
        assert allowed == expected, f"expected {expected} allowed, got {allowed}"
    return median(rounds) / count * 1e6
