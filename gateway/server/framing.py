"""Whether the head of a request is within bounds, and has one meaning: which bytes are its body, and which are not.

The HTTP parser in front accepts more than one. Source: RFC 9112 §6; threat model C8, C9, C14.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

from cos.errors import COSError
from cos.framing import parse_length, read_body_length
from cos.headers import Headers
from cos.request import MAX_HEADER_BYTES, MAX_HEADERS

_name_of = itemgetter(0)
_LENGTH, _CODING, _EXPECT = b"content-length", b"transfer-encoding", b"expect"
_DECIDING = frozenset({_LENGTH, _CODING, _EXPECT})


class Deciding(NamedTuple):
    """Where the fields are that decide how the body is framed and whether it is waited for.

    `length_alone`: where Content-Length is, when it is the only one of them.
    """

    places: tuple[int, ...]
    length_alone: int | None


def check_head(fields: tuple[tuple[bytes, bytes], ...], version: str) -> bool:
    """Judge the fields of a request, whose names are lower-case: does the client wait to be asked for the body?

    Raises COSError(InvalidRequest, NotImplemented) when there are too many of them, or when the body's end is not
    said in exactly one way.
    """
    if len(fields) > MAX_HEADERS:
        raise COSError("InvalidRequest", f"Expected at most {MAX_HEADERS} header fields.")
    if len(b"".join(chain.from_iterable(fields))) > MAX_HEADER_BYTES:
        raise COSError("InvalidRequest", f"Expected at most {MAX_HEADER_BYTES} bytes of headers.")
    places, length_alone = _find_deciding(tuple(map(_name_of, fields)))
    if not places:
        return False
    if length_alone is not None:
        # Nearly always: one length, and nothing else is said of the body.
        value = fields[length_alone][1]
        if value != b"0":
            parse_length(value.strip(b" \t"))
        return False
    return _judge([fields[place] for place in places], version)


@lru_cache(maxsize=256)
def _find_deciding(names: tuple[bytes, ...]) -> Deciding:
    places = tuple(place for place, name in enumerate(names) if name in _DECIDING)
    return Deciding(places, places[0] if len(places) == 1 and names[places[0]] == _LENGTH else None)


def _judge(fields: list[tuple[bytes, bytes]], version: str) -> bool:
    framing = [field for field in fields if field[0] != _EXPECT]
    if framing and read_body_length(Headers(framing)) is None and version != "1.1":
        raise COSError("InvalidRequest", "Expected no Transfer-Encoding before HTTP/1.1.")
    return any(name == _EXPECT and value.lower() == b"100-continue" for name, value in fields)
