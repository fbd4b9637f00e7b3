"""What a message's field names and framing fields say: which fields there are, and where the body ends. No I/O.

Source: RFC 9112 §6, §9.6; RFC 9110 §5.6.2; threat model C9, C11.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from cos.headers import picker

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
"""A field name, as a pattern that gives nothing back."""

_NAME = re.compile(TOKEN)
_LENGTH = re.compile(rb"[0-9]{1,18}")
_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"connection"})


class HeadError(ValueError):
    """A head that is not HTTP/1.x, or that means two things."""


class Names:
    """What follows from the names of a message's fields. Raises HeadError when one is no name."""

    __slots__ = ("framing", "lower", "pick_framing")

    def __init__(self, names: tuple[bytes, ...]) -> None:
        for name in names:
            if _NAME.fullmatch(name) is None:
                raise HeadError(f"Expected a header name, got {name[:40]!r}.")
        self.lower = tuple(map(bytes.lower, names))
        places = tuple(place for place, name in enumerate(self.lower) if name in _FRAMING)
        self.framing = tuple(self.lower[place] for place in places)
        """Names of the fields that decide the framing, repeats included."""
        self.pick_framing = picker(places)
        """Takes their values out of the values of all fields."""


class Framing(NamedTuple):
    content_length: int | None
    chunked: bool
    keep_alive: bool


@lru_cache(maxsize=64)
def read_framing(names: tuple[bytes, ...], values: tuple[bytes, ...]) -> Framing:
    """What the fields say that decide the framing. Raises HeadError."""
    content_length: int | None = None
    chunked = False
    keep_alive = True
    for name, value in zip(names, values, strict=True):
        if name == b"content-length":
            if content_length is not None or _LENGTH.fullmatch(value) is None:
                raise HeadError("Expected one Content-Length of digits.")
            content_length = int(value)
        elif name == b"transfer-encoding":
            if chunked or value.lower() != b"chunked":
                raise HeadError(f"Expected no transfer coding but chunked, got {value[:40]!r}.")
            chunked = True
        elif b"close" in (option.strip() for option in value.lower().split(b",")):
            keep_alive = False
    if chunked and content_length is not None:
        raise HeadError("Expected Content-Length or Transfer-Encoding, got both.")
    return Framing(content_length, chunked, keep_alive)


def read_request_length(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    """Body bytes that the fields declare; None when they are chunked, 0 when nothing is said. Raises HeadError."""
    fields = tuple(headers)
    known = Names(tuple(name for name, _ in fields))
    content_length, chunked, _ = read_framing(known.framing, known.pick_framing(tuple(value for _, value in fields)))
    return None if chunked else content_length or 0
