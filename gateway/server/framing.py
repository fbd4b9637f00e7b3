"""Whether the head of a request is within bounds, and has one meaning: which bytes are its body, and which are not.

The HTTP parser in front accepts more than one. Source: RFC 9112 §6; threat model C8, C9, C14.
"""

from __future__ import annotations

from typing import NamedTuple

from cos.errors import COSError
from cos.framing import parse_length, read_body_length
from cos.headers import FieldNames, Headers
from cos.remembering import remembering
from cos.request import MAX_HEADER_BYTES, MAX_HEADERS

_LENGTH, _CODING, _EXPECT = b"content-length", b"transfer-encoding", b"expect"
_DECIDING = frozenset({_LENGTH, _CODING, _EXPECT})


class Names(NamedTuple):
    """What the names of a request's fields say.

    `says_more`: there is more than one Content-Length that decides how the body is framed and whether it is waited
    for. `length` is where Content-Length is.
    """

    says_more: bool
    length: int | None


def read_fields(names: list[bytes], values: list[bytes], version: str) -> tuple[Headers, bool]:
    """The fields of a request, and whether the client waits to be asked for the body.

    Raises COSError(InvalidRequest, NotImplemented) when there are too many fields, or when the body's end is not said
    in exactly one way.
    """
    if len(names) > MAX_HEADERS:
        raise COSError("InvalidRequest", f"Expected at most {MAX_HEADERS} header fields.")
    if len(b"".join(names)) + len(b"".join(values)) > MAX_HEADER_BYTES:
        raise COSError("InvalidRequest", f"Expected at most {MAX_HEADER_BYTES} bytes of headers.")
    headers = Headers(names, values)
    says_more, length = _read_names(headers.known)
    if says_more:
        return headers, _judge(headers, version)
    # Nearly always: one length, and nothing else is said of the body.
    if length is not None and headers.values[length] != b"0":
        parse_length(headers.values[length])
    return headers, False


@remembering(256)
def _read_names(known: FieldNames) -> Names:
    deciding = [name for name in known.names if name in _DECIDING]
    return Names(bool(deciding) and deciding != [_LENGTH], known.names.index(_LENGTH) if _LENGTH in deciding else None)


def _judge(headers: Headers, version: str) -> bool:
    if read_body_length(headers) is None and version != "1.1":
        raise COSError("InvalidRequest", "Expected no Transfer-Encoding before HTTP/1.1.")
    return any(value.lower() == b"100-continue" for value in headers.get_all(_EXPECT))
