"""One page of a listing: entries in order of key, keys with a common prefix folded into one row.

Source: COS API, "GET Bucket (List Objects)"; the same rules serve versions and uploads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

MAX_KEYS = 1000
_BATCH = 1000


class Keyed(Protocol):
    @property
    def key(self) -> str: ...


Row = TypeVar("Row", bound=Keyed)


@dataclass(frozen=True, slots=True)
class Cursor(Generic[Row]):
    """Where to go on: after (or, inclusive, at) a key; `row` also keeps what comes after it under the same key."""

    key: str
    inclusive: bool = False
    row: Row | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Entries and folded prefixes of one page. `last` is the key or prefix listed last; `last_row` its entry."""

    entries: list[Row]
    prefixes: list[str]
    truncated: bool
    last: str
    last_row: Row | None


def paginate(
    fetch: Callable[[Cursor[Row], int], list[Row]],
    *,
    prefix: str,
    delimiter: str,
    marker: Cursor[Row],
    limit: int,
) -> Page[Row]:
    """List after `marker`, at most `limit` rows; `fetch` gives the next rows from a cursor, all with the prefix."""
    entries: list[Row] = []
    prefixes: list[str] = []
    last, last_row = marker.key, marker.row
    cursor = marker
    folded = _fold(marker.key, prefix, delimiter)
    if marker.row is None and folded is not None and folded == marker.key:
        # The marker is a folded prefix: what it folds was listed with it.
        cursor = Cursor(_successor(folded), inclusive=True)
    if limit == 0:
        return Page(entries, prefixes, False, last, last_row)
    while True:
        rows = fetch(cursor, _BATCH)
        jumped = False
        for row in rows:
            if len(entries) + len(prefixes) == limit:
                return Page(entries, prefixes, True, last, last_row)
            folded = _fold(row.key, prefix, delimiter)
            if folded is not None:
                prefixes.append(folded)
                last, last_row = folded, None
                # Everything under the prefix is this one row, however much it is.
                cursor = Cursor(_successor(folded), inclusive=True)
                jumped = True
                break
            entries.append(row)
            last, last_row = row.key, row
            cursor = Cursor(row.key, row=row)
        if not jumped and len(rows) < _BATCH:
            return Page(entries, prefixes, False, last, last_row)


def _fold(key: str, prefix: str, delimiter: str) -> str | None:
    """The common prefix a key is listed under, up to and with the first delimiter after `prefix`."""
    if not delimiter or not key.startswith(prefix):
        return None
    end = key.find(delimiter, len(prefix))
    return key[: end + len(delimiter)] if end >= 0 else None


def _successor(prefix: str) -> str:
    """The least text that is greater than every text with this prefix, in code point order."""
    last = ord(prefix[-1])
    if last == 0x10FFFF:
        return _successor(prefix[:-1]) if len(prefix) > 1 else prefix + "\U0010ffff"
    # Surrogates are no characters of UTF-8.
    return prefix[:-1] + chr(0xE000 if last + 1 == 0xD800 else last + 1)
