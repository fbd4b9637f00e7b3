"""The request target ⇄ path and query, byte-exact.

A target is split and percent-decoded exactly once. Paths are never normalised: `..`, `./`, `//` and `%2F`
are key bytes. `+` is literal in a path and a space in a query. Rendering uses one spelling: RFC 3986
unreserved characters and `/` as they are, everything else as upper-case `%XX`; `/` directly after `.` is
written `%2F`, so that no intermediary mistakes a key for a dot segment.

Source: RFC 9112 §3.2 (origin-form, absolute-form), reference page §1.3.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from itertools import repeat
from operator import itemgetter
from typing import NamedTuple
from urllib.parse import quote_from_bytes

from msgspec import Struct

from cos.characters import UNRESERVED
from cos.errors import COSError
from cos.remembering import remembering

MAX_TARGET_BYTES = 8 * 1024
MAX_PARAMETERS = 100

_name_of, _value_of, _name_and_value = itemgetter(0), itemgetter(1), itemgetter(0, 2)
_EQUALS_SIGNS = repeat("=")
_OF_KEYS = frozenset({"prefix", "delimiter", "marker", "start-after", "key-marker"})
"""Parameters of listings that may hold any character of a key, whether or not there can be such a key."""
_HEX = frozenset(b"0123456789abcdefABCDEF")
_PLAIN_IN_PATHS = UNRESERVED + b"/"
_PLAIN_QUERY = UNRESERVED + b"&="
# Quantifiers that give nothing back: what does not match is found out in one pass.
_PIECE = rb"[A-Za-z0-9._~-]++=[A-Za-z0-9._~-]*+"
_AS_RENDERED = re.compile(rb"%b(?:&%b){0,%d}+" % (_PIECE, _PIECE, MAX_PARAMETERS - 1))
"""A query that needs no decoding and is what `render_query` writes."""
_MAY_HOLD_LINES = re.compile(rb"%0|[\r\n]")
_VISIBLE = bytes(range(0x21, 0x7F)).replace(b"#", b"")
"""Visible ASCII without `#`."""
_NOT_ENCODED = _VISIBLE.translate(None, b"%+")
"""What stands for itself in a query."""


class Parameter(NamedTuple):
    """One query parameter after a single decode. `?acl` and `?acl=` both have the value `""`."""

    name: str
    value: str


_as_parameter = partial(tuple.__new__, Parameter)


class Target(Struct, frozen=True, gc=False):
    """A request target, split and decoded once.

    `path` is the percent-decoded path including its first `/`. `authority` and `scheme` are given for the
    absolute form (a client using the gateway as an HTTP proxy) and None for the origin form.

    The parameters of its query are `query_names`, repeats included, and as many `query_values`. They are apart, because
    what follows from the names alone is remembered by them. `as_rendered` says that `raw` has exactly these, in the
    spelling of `render_query`.
    """

    raw: bytes
    path: bytes
    query_names: tuple[str, ...] = ()
    query_values: tuple[str, ...] = ()
    scheme: str | None = None
    authority: str | None = None
    as_rendered: bool = False

    @property
    def query(self) -> tuple[Parameter, ...]:
        """The parameters as pairs."""
        return tuple(map(Parameter, self.query_names, self.query_values))

    def with_query(self, query: Iterable[Parameter]) -> Target:
        """The target with these parameters and no others; `raw` stays what was received."""
        names, values = parameters_apart(query)
        return Target(self.raw, self.path, names, values, self.scheme, self.authority)

    def values(self, name: str) -> list[str]:
        """Every value of a parameter, matched exactly."""
        if name not in self.query_names:
            return []
        return [value for held, value in zip(self.query_names, self.query_values, strict=True) if held == name]

    def value(self, name: str) -> str | None:
        """The first value of a parameter, or None. The only one: `find_operation` refuses repeats."""
        names = self.query_names
        return self.query_values[names.index(name)] if name in names else None


def parse_target(raw: bytes) -> Target:
    """Split and decode an origin-form or absolute-form target. Raises COSError(InvalidURI)."""
    if len(raw) > MAX_TARGET_BYTES:
        raise COSError("InvalidURI", f"Expected a target of at most {MAX_TARGET_BYTES} bytes, got {len(raw)}.")
    raw_path, _, raw_query = raw.partition(b"?")
    if _AS_RENDERED.fullmatch(raw_query) is None or not raw.startswith(b"/"):
        _check_visible(raw)
        if not raw.startswith(b"/"):
            return _parse_absolute(raw)
        path = _decode_path(raw_path)
        return Target(raw, path, *parameters_apart(parse_query(raw_query)))
    # Each piece has one `=`: names and values take turns.
    texts = raw_query.decode("ascii").replace("&", "=").split("=")
    return Target(raw, _decode_path(raw_path), tuple(texts[::2]), tuple(texts[1::2]), None, None, True)


def parameters_apart(query: Iterable[Parameter]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of parameters, and their values."""
    given = tuple(query)
    return tuple(map(_name_of, given)), tuple(map(_value_of, given))


def parse_query(raw: bytes) -> tuple[Parameter, ...]:
    """Split at `&`, decode once with `+` as space. Raises COSError(InvalidURI)."""
    if not raw:
        return ()
    # What is not ASCII goes the long way, and only there is it told whether it is UTF-8.
    text = raw.decode("latin-1")
    pieces = list(filter(None, text.split("&")))
    if len(pieces) > MAX_PARAMETERS:
        raise COSError("InvalidURI", f"Expected at most {MAX_PARAMETERS} query parameters, got {len(pieces)}.")
    pairs: Iterable[tuple[str, str]] = map(_name_and_value, map(str.partition, pieces, _EQUALS_SIGNS))
    encoded = raw.translate(None, _NOT_ENCODED)
    if encoded:
        pairs = [(_decode_query_text(name), _decode_query_text(value)) for name, value in pairs]
    if text.startswith("=") or "&=" in text:
        raise COSError("InvalidURI", "Expected every query parameter to have a name.")
    # A `response-*` parameter becomes a header of the response: it must not be able to start another one.
    if (
        encoded
        and _MAY_HOLD_LINES.search(raw)
        and any(_has_lines(name) or (_has_lines(value) and name not in _OF_KEYS) for name, value in pairs)
    ):
        raise COSError("InvalidURI", "Expected query parameters without CR or LF.")
    return tuple(map(_as_parameter, pairs))


def render_path(path: bytes) -> bytes:
    """A decoded path (with its first `/`) as a target's path. `parse_target(render_path(p)).path == p`."""
    rendered = path if not path.translate(None, _PLAIN_IN_PATHS) else quote_from_bytes(path, safe="/-_.~").encode()
    return rendered.replace(b"./", b".%2F")


def render_query(parameters: tuple[Parameter, ...]) -> bytes:
    """Parameters as a query without `?`; a parameter without value is rendered `name=`."""
    plain = "&".join(map("=".join, parameters)).encode()
    # Nearly always nothing is to be encoded: each `&` and `=` there is, is one of those that were just written.
    if not plain.translate(None, _PLAIN_QUERY) and plain.count(b"=") == len(parameters) == plain.count(b"&") + 1:
        return plain
    return "&".join([f"{percent_encode(name)}={percent_encode(value)}" for name, value in parameters]).encode()


def render_query_of(target: Target) -> bytes:
    """`render_query` of a target's parameters."""
    return target.raw.partition(b"?")[2] if target.as_rendered else render_query(target.query)


def percent_encode(text: str) -> str:
    """RFC 3986: everything but `A-Z a-z 0-9 - _ . ~` becomes upper-case `%XX` of its UTF-8 bytes."""
    if text.isascii() and text.isalnum():
        return text
    return quote_from_bytes(text.encode("utf-8"), safe="-_.~")


def percent_decode(raw: bytes) -> bytes:
    """Decode every `%XX` once; `+` stays `+`. Raises COSError(InvalidURI) on a stray `%`."""
    if b"%" not in raw:
        return raw
    first, *pieces = raw.split(b"%")
    decoded = bytearray(first)
    for piece in pieces:
        if len(piece) < 2 or piece[0] not in _HEX or piece[1] not in _HEX:
            raise COSError("InvalidURI", "Expected two hexadecimal digits after every '%'.")
        decoded.append(int(piece[:2], 16))
        decoded += piece[2:]
    return bytes(decoded)


@remembering(256)
def _decode_path(raw: bytes) -> bytes:
    """`percent_decode` of a target's path. The parts of an upload come to one path, and share the bytes of it."""
    _check_visible(raw)
    return percent_decode(raw)


def _check_visible(raw: bytes) -> None:
    if raw.translate(None, _VISIBLE):
        raise COSError("InvalidURI", "Expected a target of visible ASCII characters without a fragment.")


def _parse_absolute(raw: bytes) -> Target:
    head, separator, tail = raw.partition(b"://")
    scheme = head.decode("ascii").lower()
    if not separator or scheme not in ("http", "https"):
        raise COSError("InvalidURI", f"Expected a target that starts with '/', got {raw[:40]!r}.")
    end = min((i for i in (tail.find(b"/"), tail.find(b"?")) if i >= 0), default=len(tail))
    authority = tail[:end].decode("ascii").lower()
    rest = tail[end:]
    if not authority or "@" in authority:
        raise COSError("InvalidURI", "Expected an absolute target with a host and no user information.")
    if not rest.startswith(b"/"):
        rest = b"/" + rest
    raw_path, _, raw_query = rest.partition(b"?")
    path = _decode_path(raw_path)
    return Target(raw, path, *parameters_apart(parse_query(raw_query)), scheme, authority)


def _decode_query_text(encoded: str) -> str:
    """A piece of a query whose characters stand for its bytes."""
    if encoded.isascii() and encoded.isalnum():
        return encoded
    try:
        text = percent_decode(encoded.replace("+", " ").encode("latin-1")).decode("utf-8")
    except UnicodeDecodeError:
        raise COSError("InvalidURI", "Expected query parameters in UTF-8.") from None
    if "\x00" in text:
        raise COSError("InvalidURI", "Expected query parameters without NUL.")
    return text


def _has_lines(text: str) -> bool:
    return "\r" in text or "\n" in text
