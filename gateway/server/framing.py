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

_name_of, _value_of = itemgetter(0), itemgetter(1)
_LENGTH, _CODING, _EXPECT = b"content-length", b"transfer-encoding", b"expect"
_DECIDING = frozenset({_LENGTH, _CODING, _EXPECT})


class Names(NamedTuple):
    """What the names of a request's fields say.

    `deciding` are the places of those that decide how the body is framed and whether it is waited for; `length_alone`
    is where Content-Length is, when it is the only one of them.
    """

    lower: tuple[bytes, ...]
    deciding: tuple[int, ...]
    length_alone: int | None


def read_fields(received: list[tuple[bytes, bytes]], version: str) -> tuple[tuple[tuple[bytes, bytes], ...], bool]:
    """The fields of a request with lower-case names, and whether the client waits to be asked for the body.

    The names are the same objects in all requests that have the same. Raises COSError(InvalidRequest, NotImplemented)
    when there are too many fields, or when the body's end is not said in exactly one way.
    """
    if len(received) > MAX_HEADERS:
        raise COSError("InvalidRequest", f"Expected at most {MAX_HEADERS} header fields.")
    if len(b"".join(chain.from_iterable(received))) > MAX_HEADER_BYTES:
        raise COSError("InvalidRequest", f"Expected at most {MAX_HEADER_BYTES} bytes of headers.")
    names, deciding, length_alone = _read_names(tuple(map(_name_of, received)))
    fields = tuple(zip(names, map(_value_of, received), strict=True))
    if not deciding:
        return fields, False
    if length_alone is not None:
        # Nearly always: one length, and nothing else is said of the body.
        value = fields[length_alone][1]
        if value != b"0":
            parse_length(value.strip(b" \t"))
        return fields, False
    return fields, _judge([fields[place] for place in deciding], version)


@lru_cache(maxsize=256)
def _read_names(received: tuple[bytes, ...]) -> Names:
    names = tuple(map(bytes.lower, received))
    deciding = tuple(place for place, name in enumerate(names) if name in _DECIDING)
    return Names(names, deciding, deciding[0] if len(deciding) == 1 and names[deciding[0]] == _LENGTH else None)


def _judge(fields: list[tuple[bytes, bytes]], version: str) -> bool:
    framing = [field for field in fields if field[0] != _EXPECT]
    if framing and read_body_length(Headers(framing)) is None and version != "1.1":
        raise COSError("InvalidRequest", "Expected no Transfer-Encoding before HTTP/1.1.")
    return any(name == _EXPECT and value.lower() == b"100-continue" for name, value in fields)
