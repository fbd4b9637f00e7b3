"""What lives long lies in large pages, where the system has them; what only the start needed is let go."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.process.pages import unchanged

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
    assert int(moved) > 10 * 1024 * 1024
    assert int(after) - int(before) > 10 * 1024 * 1024
    assert same == "True"
    assert int(again) >= int(moved) - 4 * 1024 * 1024


def test_a_system_that_refuses_changes_nothing() -> None:
    _, moved, after, same, _ = run(refused=True)
    assert (moved, after, same) == ("0", "0", "True")


SHARING = """
from gateway.process.pages import share_with_children, use_large_pages

held = [bytes([number % 251]) * 400 for number in range(100_000)]
share_with_children()
# What was made to list the places may have got one of its own.
print(use_large_pages() <= 4 * 1024 * 1024)
more = [bytes([number % 251]) * 400 for number in range(200_000)]
print(use_large_pages() > 10 * 1024 * 1024)
"""


@pytest.mark.skipif(not has_large_pages(), reason="this system has no large pages, or does not give them when asked")
def test_what_is_shared_with_children_is_not_moved_and_what_came_later_is() -> None:
    done = subprocess.run([sys.executable, "-c", SHARING], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["True", "True"]


LEAVING = """
import hashlib, json, ssl, sqlite3, zlib
from gateway.process.pages import leave_pages_of_files

def work():
    row = sqlite3.connect(":memory:").execute("SELECT 40 + 2").fetchone()
    return json.dumps([row, hashlib.sha1(b"a").hexdigest(), zlib.crc32(b"a"), ssl.create_default_context().verify_mode])

before, left = work(), leave_pages_of_files()
assert before == work() == work() and leave_pages_of_files() == left
print(left)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells which pages a process holds")
def test_code_that_was_let_go_comes_back_when_it_is_needed() -> None:
    done = subprocess.run([sys.executable, "-c", LEAVING], capture_output=True, text=True, check=True, timeout=60)
    assert int(done.stdout) > 1024 * 1024


def mapping(line: str, anonymous_kib: int) -> str:
    return f"{line}\nSize: 8 kB\nRss: 8 kB\nAnonymous: {anonymous_kib:>8} kB\nKSM: 0 kB\nVmFlags: rd mr mw me\n"


@pytest.mark.parametrize(
    ("line", "anonymous_kib", "expected"),
    [
        pytest.param("1000-3000 r-xp 00001000 fe:00 26723   /usr/lib/libc.so.6", 0, [(0x1000, 0x2000)], id="code"),
        pytest.param("1000-3000 r--p 00001000 fe:00 26723   /usr/lib/a b.so", 0, [(0x1000, 0x2000)], id="constants"),
        pytest.param("1000-3000 r--p 00001000 fe:00 26723   /usr/lib/libc.so.6", 4, [], id="changed by the linker"),
        pytest.param("1000-3000 r-xp 00001000 fe:00 26723   /usr/lib/libc.so.6", 4, [], id="changed code"),
        pytest.param("1000-3000 rw-p 00001000 fe:00 26723   /usr/lib/libc.so.6", 0, [], id="can be written"),
        pytest.param("1000-3000 r--s 00001000 fe:00 26723   /srv/shared", 0, [], id="shared"),
        pytest.param("1000-3000 r-xp 00000000 00:00 0       [vdso]", 0, [], id="the kernel's"),
        pytest.param("1000-3000 r--p 00000000 00:00 0", 0, [], id="no file"),
    ],
)
def test_only_what_is_as_in_its_file_is_let_go(line: str, anonymous_kib: int, expected: list[tuple[int, int]]) -> None:
    around = mapping("0500-0600 rw-p 00000000 00:00 0 [heap]", 12)
    text = around + mapping(line, anonymous_kib) + around
    assert unchanged(text.splitlines(keepends=True)) == expected
