"""Request heads as bytes, response heads as values, and how each message's body is framed. No I/O.

A response whose length could be read in two ways is refused, whatever the method or status.

Source: RFC 9112 §3, §4, §6; threat model C9, C10, C11.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

import httptools
from msgspec import Struct

from cos.headers import FieldNames, field_names

MAX_HEAD_BYTES = 64 * 1024
"""Longest response head accepted, status line included."""

HEAD_END = b"\r\n\r\n"
STATUS_LINE_START = b"HTTP/1."

_METHOD = re.compile(rb"[A-Z]{1,20}")
_TARGET = re.compile(rb"[\x21-\x7e]+")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_name_of, _value_of = itemgetter(0), itemgetter(1)
_NOT_IN_VALUES = re.compile(rb"[\r\n\x00]")
_LENGTH = re.compile(rb"[0-9]{1,18}")

_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"connection"})
_BODILESS_STATUSES = frozenset({204, 304})


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


def render_head(method: bytes, target: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The request head with exactly these bytes and fields, in this order. Raises HeadError on injection."""
    if _METHOD.fullmatch(method) is None:
        raise HeadError(f"Expected a method of capital letters, got {method[:20]!r}.")
    if _TARGET.fullmatch(target) is None:
        raise HeadError("Expected a request target of visible ASCII.")
    fields = tuple(headers)
    _check_names(tuple(map(_name_of, fields)))
    if _NOT_IN_VALUES.search(b"".join(map(_value_of, fields))):
        name = next(name for name, value in fields if _NOT_IN_VALUES.search(value))
        raise HeadError(f"Expected a value without CR, LF or NUL for {name[:40]!r}.")
    lines = b"\r\n".join(map(b": ".join, fields))
    return (
        b"%b %b HTTP/1.1\r\n%b\r\n\r\n" % (method, target, lines)
        if fields
        else (b"%b %b HTTP/1.1\r\n\r\n" % (method, target))
    )


@lru_cache(maxsize=256)
def _check_names(names: tuple[bytes, ...]) -> None:
    for name in names:
        if _NAME.fullmatch(name) is None:
            raise HeadError(f"Expected a header name, got {name[:40]!r}.")


def read_request_length(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    """Body bytes a request declares; None when it is chunked, 0 when it says nothing. Raises HeadError."""
    framing = _read_framing(tuple(headers))
    return None if framing.chunked else framing.content_length or 0


def parse_head(raw: bytes, method: bytes) -> ResponseHead:
    """Read one response head; `raw` ends with its empty line. Raises HeadError."""
    fields = _Fields()
    parser = httptools.HttpResponseParser(fields)
    try:
        parser.feed_data(raw)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade) as exc:
        raise HeadError(f"Expected a response head: {exc}.") from exc
    if b"\r\n " in raw or b"\r\n\t" in raw:
        raise HeadError("Expected header fields of one line each.")
    status = parser.get_status_code()
    if not 100 <= status <= 599:
        raise HeadError(f"Expected a status from 100 to 599, got {status}.")
    framing = _read_framing(fields.headers)
    old = raw.startswith(b"HTTP/1.0")
    if old and framing.chunked:
        raise HeadError("Expected no transfer coding in HTTP/1.0.")
    keep_alive = framing.keep_alive and not old
    if method == b"HEAD" or status < 200 or status in _BODILESS_STATUSES:
        return ResponseHead(status, fields.headers, 0, chunked=False, keep_alive=keep_alive)
    return ResponseHead(status, fields.headers, framing.content_length, framing.chunked, keep_alive)


class _Fields:
    """Collects header fields from the parser: lower-case names, values without surrounding white space."""

    __slots__ = ("headers",)

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value.strip(b" \t")))


class _Framing(NamedTuple):
    content_length: int | None
    chunked: bool
    keep_alive: bool


@lru_cache(maxsize=256)
def _find_framing(known: FieldNames) -> tuple[int, ...]:
    """Where the fields that decide the framing are."""
    return tuple(place for place, name in enumerate(known.names) if name in _FRAMING)


def _read_framing(headers: Sequence[tuple[bytes, bytes]]) -> _Framing:
    content_length: int | None = None
    chunked = False
    keep_alive = True
    known = field_names(tuple(map(bytes.lower, map(_name_of, headers))))
    for place in _find_framing(known):
        name, value = known.names[place], headers[place][1]
        if name == b"content-length":
            if content_length is not None or _LENGTH.fullmatch(value) is None:
                raise HeadError("Expected one Content-Length of digits.")
            content_length = int(value)
        elif name == b"transfer-encoding":
            if chunked or value.lower() != b"chunked":
                raise HeadError(f"Expected no transfer coding but chunked, got {value[:40]!r}.")
            chunked = True
        elif name == b"connection" and b"close" in (option.strip() for option in value.lower().split(b",")):
            keep_alive = False
    if chunked and content_length is not None:
        raise HeadError("Expected Content-Length or Transfer-Encoding, got both.")
    return _Framing(content_length, chunked, keep_alive)
