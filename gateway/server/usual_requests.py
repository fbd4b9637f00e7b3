"""Whole requests like many before: read by one expression, as the HTTP parser would read them, or not at all.

A client sends the same names over and over, and nearly all of its requests come in one piece, with a small body or
none. Once names have been seen often enough, an expression is made of them that matches such requests: the names to
the letter, around values by their grammar. It is narrower than RFC 9112 in all that decides: HTTP/1.1, the methods of
COS, a path and a query of the characters of RFC 3986, no field twice, nothing that frames a
body but one Content-Length of digits, nothing that ends or switches the connection. What it does not match, and what
does not end where its length says, is left to the parser.

The names of long heads are not remembered, so that no client fills the memory with them.

Source: RFC 9112 §2.2, §3, §5, §6; RFC 9110 §5.5; RFC 3986 §3.3; threat model C9. Decision:
docs/adr/0026-usual-requests-by-expression.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from cos.headers import FieldNames, Headers, PlainHeaders, field_names

MAX_WHOLE_BYTES = 16 * 1024
"""Longest request that is read here, body included."""
MAX_HEAD_BYTES = 8 * 1024
"""Longest head. A target and fields that fit are within their own bounds."""
MAX_FIELDS = 24
MAX_REMEMBERED_BYTES = 1024
"""Most bytes of names that are remembered."""
MAX_USUAL = 4
"""How many expressions are tried."""
SEEN_BEFORE_USUAL = 256
"""How often names are seen before they are given an expression: making it costs as much as it saves in 200."""

_METHODS = {name.encode("ascii"): name for name in ("DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT")}

# Quantifiers that give nothing back: what does not match is found out in one pass.
_REQUEST_LINE = rb"(" + b"|".join(_METHODS) + rb") (/[A-Za-z0-9\-._~!$&'()*+,;=:@%/?]*+) HTTP/1\.1"
_TEXT = rb"[\t\x20-\x7e\x80-\xff]*+"
_FIRST_VALUE = 2
"""Where the values begin among the groups: method and target come before them."""
_LENGTH, _CONNECTION = b"content-length", b"connection"
_VALUES = {_LENGTH: rb"[0-9]{1,15}+", _CONNECTION: rb"(?i:keep-alive)"}
_LEFT_TO_THE_PARSER = frozenset({b"expect", b"proxy-connection", b"transfer-encoding", b"upgrade"})


class _Usual(NamedTuple):
    """What matches the requests with these names, and where Content-Length is among its groups."""

    match: Callable[[bytes], re.Match[bytes] | None]
    known: FieldNames
    length: int | None


def take_usual(data: bytes) -> tuple[str, bytes, Headers, bytes] | None:
    """Method, target, fields and body of the one request that `data` is, when it is like many before."""
    if len(data) > MAX_WHOLE_BYTES:
        return None
    usual = _usual[0]
    matched = usual.match(data)
    if matched is None:
        for usual in _usual[1:]:
            matched = usual.match(data)
            if matched is not None:
                _make_first(usual)
                break
        else:
            return None
    _, known, length = usual
    end, found = matched.end(), matched.groups()
    body_bytes = int(found[length]) if length is not None else 0
    if end > MAX_HEAD_BYTES or end + body_bytes != len(data):
        return None
    return _METHODS[found[0]], found[1], PlainHeaders(known, found[2:]), data[end:]


def remember(names: tuple[bytes, ...]) -> None:
    """A request with these names, as received, was read by the parser."""
    if len(names) > MAX_FIELDS or len(b"".join(names)) > MAX_REMEMBERED_BYTES:
        return
    seen = _seen(names)
    seen.times += 1
    if seen.times >= SEEN_BEFORE_USUAL:
        usual = _usual_for(names)
        if usual is not None:
            _make_first(usual)


def _make_first(usual: _Usual) -> None:
    _usual[:] = [usual, *[other for other in _usual if other is not usual]][:MAX_USUAL]


class _Seen:
    __slots__ = ("times",)

    def __init__(self, _: tuple[bytes, ...]) -> None:
        self.times = 0


@lru_cache(maxsize=128)
def _usual_for(names: tuple[bytes, ...]) -> _Usual | None:
    """None when such requests are for the parser, whatever their values."""
    known = field_names(tuple(map(bytes.lower, names)))
    if known.repeats or not _LEFT_TO_THE_PARSER.isdisjoint(known.names):
        return None
    return _make_usual(names, known)


def _make_usual(names: tuple[bytes, ...], known: FieldNames) -> _Usual:
    lines = [
        b"\r\n" + re.escape(name) + rb":[ \t]*+(" + _VALUES.get(lower, _TEXT) + rb")(?<![ \t])"
        for name, lower in zip(names, known.names, strict=True)
    ]
    expression = re.compile(_REQUEST_LINE + b"".join(lines) + rb"\r\n\r\n")
    length = _FIRST_VALUE + known.names.index(_LENGTH) if _LENGTH in known.names else None
    return _Usual(expression.match, known, length)


_seen = lru_cache(maxsize=128)(_Seen)
_usual = [_make_usual((), field_names(()))]
"""Those met last, the latest first: most requests are like the one before."""
