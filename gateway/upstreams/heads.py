"""Request heads as bytes, response heads as values. No I/O.

A head is read by its grammar and by nothing looser: lines end with CRLF, a field is one line, its name is a token
and meets its colon, and no control character but HTAB stands anywhere. A response whose length could be read in
two ways is refused, whatever the method or status.

Peers send the same fields over and over, in the same order. What follows from the names alone is worked out once
for each set of names (see `cos.headers`): a template that renders a request, and an expression that reads a whole
response. It reads what the grammar reads, or nothing. The names of long heads are not remembered, so that no peer
fills the memory with them.

Source: RFC 9112 §2.2, §3, §4, §5, §6; RFC 9110 §5.5, §5.6.2; threat model C9, C10, C11.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import repeat
from typing import NamedTuple

from msgspec import Struct

from cos.characters import VISIBLE
from cos.headers import AnswerFields
from cos.remembering import remembering
from gateway.upstreams.framing import TOKEN, HeadError, Names, read_framing

MAX_HEAD_BYTES = 64 * 1024
"""Longest response head accepted, status line included."""
MAX_METHOD_BYTES = 20
"""Longest method of a request."""
MAX_REMEMBERED_BYTES = 4 * 1024
"""Longest head whose names are remembered."""
MAX_USUAL_FIELDS = 64
"""Most fields of a response that is read by an expression of its own."""
MAX_USUAL = 4
"""How many such expressions are tried."""
SEEN_BEFORE_USUAL = 64
"""How often the names of a response are seen before they are given one: making it costs as much as it saves in 200."""

HEAD_END = b"\r\n\r\n"
STATUS_LINE_START = b"HTTP/1."

# Quantifiers that give nothing back: what does not match is found out in one pass.
_TEXT = rb"[\t\x20-\x7e\x80-\xff]*+"
# Servers that send no reason leave out the space before it as well.
_STATUS_LINE_TEXT = rb"HTTP/1\.[01] [1-5][0-9]{2}(?: " + _TEXT + rb")?"
_STATUS_LINE = re.compile(_STATUS_LINE_TEXT + rb"(?=\r\n)")
_FIELD = re.compile(rb"\r\n(" + TOKEN + rb"):[ \t]*+(" + _TEXT + rb")(?=\r\n)")
_NOT_IN_VALUES = re.compile(rb"[\r\n\x00]")
# Looked for as numbers: as texts of one byte each takes eight times as long.
_LF, _CR, _NUL = b"\n\r\x00"

_BODILESS_STATUSES = frozenset({*range(100, 200), 204, 304})


class ResponseHead(Struct, frozen=True, gc=False):
    """A response up to its body.

    `content_length` is the number of body bytes to come, 0 for a response that has none by its method or
    status; None with `chunked` for the chunked coding, None without it for a body that ends with the
    connection. `keep_alive` tells whether the peer will take another request.
    """

    status: int
    headers: AnswerFields
    content_length: int | None
    chunked: bool
    keep_alive: bool


def render_head(
    method: bytes, target: bytes, names: tuple[bytes, ...], values: tuple[bytes, ...]
) -> tuple[bytes, int | None]:
    """The request head with exactly these bytes and fields, in this order, and the body bytes it declares.

    There are as many values as names. The length is None when the body is chunked, 0 when nothing is said.
    Raises HeadError, on injection as well.
    """
    known = _request_names(names)
    given = (method, target, *values)
    head = known.template % given
    joined = b"".join(values)
    if _LF in joined or _CR in joined or _NUL in joined or not (_is_method(method) and _is_target(target)):
        raise _explain_refusal(method, target, zip(names, values, strict=True))
    if not known.framing:
        return head, 0
    content_length, chunked, _ = read_framing(known.framing, known.pick_framing(values))
    return head, None if chunked else content_length or 0


def _is_method(method: bytes) -> bool:
    return method.isalpha() and method.isupper() and len(method) <= MAX_METHOD_BYTES


def _is_target(target: bytes) -> bool:
    return target != b"" and target.translate(VISIBLE) == target


def _explain_refusal(method: bytes, target: bytes, headers: Iterable[tuple[bytes, bytes]]) -> HeadError:
    if not _is_method(method):
        return HeadError(f"Expected a method of capital letters, got {method[:20]!r}.")
    if not _is_target(target):
        return HeadError("Expected a request target of visible ASCII.")
    name = next(name for name, value in headers if _NOT_IN_VALUES.search(value))
    return HeadError(f"Expected a value without CR, LF or NUL for {name[:40]!r}.")


def take_head(data: bytes, method: bytes) -> tuple[ResponseHead, bytes] | None:
    """The response head that `data` begins with, and what follows it; None when it is not whole, or too long.

    Raises HeadError.
    """
    read, known = _usual[0]
    matched = read(data)
    if matched is not None:
        values, end = matched.groups(), matched.end()
    else:
        end = data.find(HEAD_END) + len(HEAD_END)
        if not len(HEAD_END) <= end <= MAX_HEAD_BYTES:
            return None
        known, values = _read_other(data[:end])
    if end > MAX_HEAD_BYTES:
        return None
    content_length, chunked, keep_alive = read_framing(known.framing, known.pick_framing(values))
    # `HTTP/1.x nnn`, as both ways of reading have made sure.
    status = int(data[9:12])
    if data[7] != 0x31:
        if chunked:
            raise HeadError("Expected no transfer coding in HTTP/1.0.")
        keep_alive = False
    if status in _BODILESS_STATUSES or method == b"HEAD":
        content_length, chunked = 0, False
    return ResponseHead(status, AnswerFields(known.lower, values), content_length, chunked, keep_alive), data[end:]


def _read_other(raw: bytes) -> tuple[_ResponseNames, tuple[bytes, ...]]:
    """Names and values of a response that is not like the one before. Raises HeadError."""
    for usual in _usual[1:]:
        matched = usual.read(raw)
        if matched is not None:
            _make_first(usual)
            return usual.known, matched.groups()
    matched = _STATUS_LINE.match(raw)
    if matched is None:
        raise HeadError(f"Expected a status line of HTTP/1.0 or HTTP/1.1 and 100 to 599, got {raw[:40]!r}.")
    fields = _FIELD.findall(raw, matched.end())
    # Each LF begins a field, but for the two of the end: so every line is a field, and nothing is left out.
    if len(fields) + 2 != raw.count(b"\n"):
        raise HeadError("Expected header fields of one line each: a name, a colon, a value without control characters.")
    names, values = zip(*fields, strict=True) if fields else ((), ())
    values = tuple(map(bytes.rstrip, values, repeat(b" \t")))
    if len(raw) > MAX_REMEMBERED_BYTES:
        return _ResponseNames(names), values
    known = _response_names(names)
    known.seen += 1
    if known.seen >= SEEN_BEFORE_USUAL and len(names) <= MAX_USUAL_FIELDS:
        _make_first(_usual_head(known))
    return known, values


def _make_first(usual: _UsualHead) -> None:
    _usual[:] = [usual, *[other for other in _usual if other is not usual]][:MAX_USUAL]


class _RequestNames(Names):
    __slots__ = ("template",)

    def __init__(self, names: tuple[bytes, ...]) -> None:
        super().__init__(names)
        lines = b"".join(name.replace(b"%", b"%%") + b": %b\r\n" for name in names)
        self.template = b"%b %b HTTP/1.1\r\n" + lines + b"\r\n"
        """Takes method, target and the values."""


class _ResponseNames(Names):
    __slots__ = ("names", "seen")

    def __init__(self, names: tuple[bytes, ...]) -> None:
        super().__init__(names)
        self.names = names
        self.seen = 0


class _UsualHead(NamedTuple):
    """Responses with these names: what reads the head of one whose values have no blanks behind, a group for each."""

    read: Callable[[bytes], re.Match[bytes] | None]
    known: _ResponseNames


@lru_cache(maxsize=128)
def _usual_head(known: _ResponseNames) -> _UsualHead:
    lines = b"".join(b"\r\n" + re.escape(name) + b":[ \t]*+(" + _TEXT + rb")(?<![ \t])" for name in known.names)
    return _UsualHead(re.compile(_STATUS_LINE_TEXT + lines + b"\r\n\r\n").match, known)


_request_names = remembering(64)(_RequestNames)
_response_names = lru_cache(maxsize=128)(_ResponseNames)
_usual = [_usual_head(_ResponseNames(()))]
"""Those met last, the latest first: most responses are like the one before."""
