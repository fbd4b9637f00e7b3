"""Pages of a list: `?limit=&cursor=`, and an opaque cursor that names the last item given.

A cursor is a place, not a number of items: what is created or removed between two pages moves no item from one
to the other.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

from pydantic import Field

from gateway.admin.operations import Input
from gateway.admin.problems import FieldError, Kind, Refused

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
MAX_CURSOR_CHARACTERS = 512

Place: TypeAlias = tuple[int, str]
"""Orders a list: a number, such as a Unix time, then a name."""

T = TypeVar("T")


class PageQuery(Input):
    """Of every list."""

    limit: int = Field(DEFAULT_LIMIT, ge=1, le=MAX_LIMIT)
    """Items on a page."""
    cursor: str | None = Field(None, max_length=MAX_CURSOR_CHARACTERS)
    """`next_cursor` of the page before; left out: the first page."""


def place_of(cursor: str | None) -> Place | None:
    """The place a cursor names; None: the start. Raises Refused."""
    if cursor is None:
        return None
    try:
        value = json.loads(base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True))
    except (ValueError, RecursionError):
        value = None
    match value:
        case [int(number), str(name)] if not isinstance(number, bool) and 0 <= number < 2**53 and name.isprintable():
            return number, name
    message = "Input should be the next_cursor of the page before"
    raise Refused(Kind.INVALID_REQUEST, "The cursor is not one.", errors=[FieldError(field="cursor", message=message)])


def cursor_of(place: Place) -> str:
    """The cursor that continues after a place."""
    return base64.urlsafe_b64encode(json.dumps(place).encode("ascii")).decode("ascii")


def page_of(items: Sequence[T], query: PageQuery, place: Callable[[T], Place]) -> tuple[list[T], str | None]:
    """One page, in the order of `place`, of a list that is held whole, and the cursor of the next. Raises Refused."""
    after = place_of(query.cursor)
    # Databases sort texts each in its own way.
    rest = sorted((item for item in items if after is None or place(item) > after), key=place)
    return rest[: query.limit], next_cursor(rest, query.limit, place)


def next_cursor(items: Sequence[T], limit: int, place: Callable[[T], Place]) -> str | None:
    """The cursor after the first `limit` items; None when there are no more."""
    return cursor_of(place(items[limit - 1])) if len(items) > limit else None
