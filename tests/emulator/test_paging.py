"""Pages of a listing, compared with a listing done the slow and obvious way."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.paging import Cursor, paginate


@dataclass(frozen=True, slots=True)
class Entry:
    key: str


KEYS = st.lists(st.text(alphabet="ab/\u00e9\U0001f600", min_size=1, max_size=6), max_size=25, unique=True)


def whole_listing(keys: list[str], prefix: str, delimiter: str) -> list[str]:
    """Every row: keys with the prefix, folded at the first delimiter after it, in order and once each."""
    rows = []
    for key in sorted(keys):
        if not key.startswith(prefix):
            continue
        end = key.find(delimiter, len(prefix)) if delimiter else -1
        row = key[: end + len(delimiter)] if end >= 0 else key
        if row not in rows:
            rows.append(row)
    return rows


def walk(keys: list[str], prefix: str, delimiter: str, limit: int) -> list[str]:
    """The rows of all pages, each page asked with what the one before it ended with."""
    ordered = sorted(keys)

    def fetch(cursor: Cursor[Entry], count: int) -> list[Entry]:
        after = [k for k in ordered if (k >= cursor.key if cursor.inclusive else k > cursor.key)]
        return [Entry(key) for key in after if key.startswith(prefix)][:count]

    rows: list[str] = []
    marker = ""
    for _ in range(100):
        page = paginate(fetch, prefix=prefix, delimiter=delimiter, marker=Cursor(marker), limit=limit)
        shown = sorted([entry.key for entry in page.entries] + page.prefixes)
        assert len(shown) <= limit
        rows += shown
        if not page.truncated:
            return rows
        assert page.last == shown[-1]
        marker = page.last
    raise AssertionError("the listing never ended")


@given(
    keys=KEYS,
    prefix=st.text(alphabet="ab/", max_size=2),
    delimiter=st.sampled_from(["", "/", "a", "ab"]),
    limit=st.integers(1, 8),
)
def test_all_pages_together_are_the_whole_listing(keys: list[str], prefix: str, delimiter: str, limit: int) -> None:
    assert walk(keys, prefix, delimiter, limit) == whole_listing(keys, prefix, delimiter)


@pytest.mark.parametrize(("count", "truncated"), [(2, False), (3, False), (4, True)], ids=["below", "at", "above"])
def test_a_page_is_truncated_only_when_more_would_follow(count: int, truncated: bool) -> None:
    entries = [Entry(f"k{number}") for number in range(count)]
    page = paginate(lambda cursor, limit: entries[:limit], prefix="", delimiter="", marker=Cursor(""), limit=3)
    assert (len(page.entries), page.truncated) == (min(count, 3), truncated)


def test_a_limit_of_zero_lists_nothing() -> None:
    page = paginate(lambda cursor, limit: [Entry("a")], prefix="", delimiter="", marker=Cursor(""), limit=0)
    assert (page.entries, page.prefixes, page.truncated) == ([], [], False)
