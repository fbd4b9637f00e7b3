"""Request heads as bytes, response heads as values, and how each message's body is framed. No I/O.

A head is read by its grammar and by nothing looser: lines end with CRLF, a field is one line, its name is a token
and meets its colon, and no control character but HTAB stands anywhere. A response whose length could be read in
two ways is refused, whatever the method or status.

What follows from the names alone is worked out once for each set of names (see `cos.headers`); heads too long for
that are read the same way, and not remembered.

Source: RFC 9112 §2.2, §3, §4, §5, §6; RFC 9110 §5.5, §5.6.2; threat model C9, C10, C11.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import repeat
from operator import itemgetter
from typing import NamedTuple

from msgspec import Struct

MAX_HEAD_BYTES = 64 * 1024
"""Longest response head accepted, status line included."""
MAX_REMEMBERED_BYTES = 4 * 1024
"""Longest head whose names are remembered, so that no peer fills the memory with them."""

HEAD_END = b"\r\n\r\n"
STATUS_LINE_START = b"HTTP/1."

_METHOD = re.compile(rb"[A-Z]{1,20}")
_TARGET = re.compile(rb"[\x21-\x7e]+")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NOT_IN_VALUES = re.compile(rb"[\r\n\x00]")
_LENGTH = re.compile(rb"[0-9]{1,18}")
# Quantifiers that give nothing back: what does not match is found out in one pass.
_TEXT = rb"[\t\x20-\x7e\x80-\xff]*+"
# Servers that send no reason leave out the space before it as well.
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([0-9]{3})(?: " + _TEXT + rb")?(?=\r\n)")
_FIELD = re.compile(rb"\r\n([!#$%&'*+.^_`|~0-9A-Za-z-]++):[ \t]*+(" + _TEXT + rb")(?=\r\n)")

_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"connection"})
_BODILESS_STATUSES = frozenset({204, 304})
_name_of, _value_of = itemgetter(0), itemgetter(1)


class HeadError(ValueError):
    """A head that is not HTTP/1.x, or that means two things."""


class ResponseHead(Struct, frozen=True, gc=False):
    """A response up to its body.

    `content_length` is the number of body bytes to come, 0 for a response that has none by its method or
    status; None with `chunked` for the chunked coding, None without it for a body that ends with the
    connection. `keep_alive` tells whether the peer will take another request.
    """

    status: int
    headers: list[tuple[bytes, bytes]]
    content_length: int | None
    chunked: bool
    keep_alive: bool


def render_head(method: bytes, target: bytes, headers: Iterable[tuple[bytes, bytes]]) -> tuple[bytes, int | None]:
    """The request head with exactly these bytes and fields, in this order, and the body bytes it declares.

    The length is None when the body is chunked, 0 when nothing is said. Raises HeadError, on injection as well.
    """
    if _METHOD.fullmatch(method) is None:
        raise HeadError(f"Expected a method of capital letters, got {method[:20]!r}.")
    if _TARGET.fullmatch(target) is None:
        raise HeadError("Expected a request target of visible ASCII.")
    fields = tuple(headers)
    head = b"\r\n".join((b"%b %b HTTP/1.1" % (method, target), *map(b": ".join, fields), b"\r\n"))
    line_ends = len(fields) + 2
    if head.count(b"\n") != line_ends or head.count(b"\r") != line_ends or b"\x00" in head:
        name = next((name for name, value in fields if _NOT_IN_VALUES.search(value)), b"a field")
        raise HeadError(f"Expected a value without CR, LF or NUL for {name[:40]!r}.")
    return head, _read_request_length(fields, remember=len(head) <= MAX_REMEMBERED_BYTES)


def read_request_length(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    """Body bytes that the fields declare; None when they are chunked, 0 when nothing is said. Raises HeadError."""
    return _read_request_length(tuple(headers), remember=False)


def _read_request_length(fields: tuple[tuple[bytes, bytes], ...], *, remember: bool) -> int | None:
    known = (_known_names if remember else _Names)(tuple(map(_name_of, fields)))
    framing = _read_framing_of(known, fields, remember=remember)
    return None if framing.chunked else framing.content_length or 0


def parse_head(raw: bytes, method: bytes) -> ResponseHead:
    """Read one response head; `raw` ends with its empty line. Raises HeadError."""
    matched = _STATUS_LINE.match(raw)
    if matched is None:
        raise HeadError(f"Expected a status line of HTTP/1.0 or HTTP/1.1, got {raw[:40]!r}.")
    version, digits = matched.groups()
    status = int(digits)
    if not 100 <= status <= 599:
        raise HeadError(f"Expected a status from 100 to 599, got {status}.")
    fields: list[tuple[bytes, bytes]] = _FIELD.findall(raw, matched.end())
    # Each LF begins a field, but for the two of the end: so every line is a field, and nothing is left out.
    if raw.count(b"\n") != len(fields) + 2:
        raise HeadError("Expected header fields of one line each: a name, a colon, a value without control characters.")
    remember = len(raw) <= MAX_REMEMBERED_BYTES
    known = (_known_names if remember else _Names)(tuple(map(_name_of, fields)))
    values = map(_value_of, fields)
    if b" \r" in raw or b"\t\r" in raw:
        values = map(bytes.rstrip, values, repeat(b" \t"))
    headers = list(zip(known.lower, values, strict=True))
    content_length, chunked, keep_alive = _read_framing_of(known, headers, remember=remember)
    if version == b"0":
        if chunked:
            raise HeadError("Expected no transfer coding in HTTP/1.0.")
        keep_alive = False
    if method == b"HEAD" or status < 200 or status in _BODILESS_STATUSES:
        content_length, chunked = 0, False
    return ResponseHead(status, headers, content_length, chunked, keep_alive)


class _Names:
    """What follows from the names of a message's fields. Raises HeadError when one is no name."""

    __slots__ = ("framing", "lower")

    def __init__(self, names: tuple[bytes, ...]) -> None:
        for name in names:
            if _NAME.fullmatch(name) is None:
                raise HeadError(f"Expected a header name, got {name[:40]!r}.")
        self.lower = tuple(map(bytes.lower, names))
        self.framing = tuple(place for place, name in enumerate(self.lower) if name in _FRAMING)
        """Where the fields that decide the framing are."""


class _Framing(NamedTuple):
    content_length: int | None
    chunked: bool
    keep_alive: bool


def _read_framing(known: _Names, values: tuple[bytes, ...]) -> _Framing:
    """The framing by the values of `known.framing`. Raises HeadError."""
    content_length: int | None = None
    chunked = False
    keep_alive = True
    for place, value in zip(known.framing, values, strict=True):
        name = known.lower[place]
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
    return _Framing(content_length, chunked, keep_alive)


def _read_framing_of(known: _Names, fields: Sequence[tuple[bytes, bytes]], *, remember: bool) -> _Framing:
    values = tuple(map(_value_of, map(fields.__getitem__, known.framing)))
    return (_known_framing if remember else _read_framing)(known, values)


_known_names = lru_cache(maxsize=128)(_Names)
_known_framing = lru_cache(maxsize=128)(_read_framing)
