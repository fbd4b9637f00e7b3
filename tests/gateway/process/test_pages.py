"""What lives long lies in large pages, where the system has them, and is otherwise left as it is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ENABLED = Path("/sys/kernel/mm/transparent_hugepage/enabled")
PROGRAM = """
from pathlib import Path
from gateway.process.pages import use_large_pages

def large():
    line = next(line for line in Path("/proc/self/smaps_rollup").read_text().splitlines() if "AnonHugePages" in line)
    return int(line.split()[1]) * 1024

held = [bytes([number % 251]) * 400 for number in range(100_000)]
before = large()
moved = use_large_pages()
same = all(text == bytes([number % 251]) * 400 for number, text in enumerate(held))
print(before, moved, large(), same, use_large_pages())
"""


def run(*, refused: bool = False) -> list[str]:
    # PR_SET_THP_DISABLE (41): what a system without large pages looks like to the process.
    disable = "import ctypes; ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)\n" if refused else ""
    done = subprocess.run(
        [sys.executable, "-c", disable + PROGRAM], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.split()


def has_large_pages() -> bool:
    release = re.match(r"(\d+)\.(\d+)", os.uname().release)
    known = release is not None and (int(release[1]), int(release[2])) >= (6, 1)
    return known and ENABLED.exists() and "[never]" not in ENABLED.read_text()


@pytest.mark.skipif(not has_large_pages(), reason="this system has no large pages, or does not give them when asked")
def test_memory_is_moved_and_holds_what_it_held() -> None:
    before, moved, after, same, again = run()
    assert int(moved) > 20 * 1024 * 1024
    assert int(after) - int(before) > 20 * 1024 * 1024
    assert same == "True"
    assert int(again) >= int(moved) - 4 * 1024 * 1024


def test_a_system_that_refuses_changes_nothing() -> None:
    _, moved, after, same, _ = run(refused=True)
    assert (moved, after, same) == ("0", "0", "True")
