"""How long a request's body is, said exactly one way.

Source: RFC 9112 §6.1, §6.3; AWS, S3 API, "Signature Calculations"; threat model C9. The HTTP parser in front
has its own opinion of the same fields; whatever it lets through is checked again here, because the upstream
will be framed from this value.
"""

from __future__ import annotations

import re

from cos.errors import COSError
from cos.headers import FieldNames, Headers
from cos.remembering import remembering

DECODED_LENGTH = b"x-amz-decoded-content-length"
_CODING, _LENGTH_FIELD, _CONTENT_SHA256 = b"transfer-encoding", b"content-length", b"x-amz-content-sha256"

_NO_BODY = (None, b"0")
_LENGTH = re.compile(rb"[0-9]{1,15}")


def read_body_length(headers: Headers) -> int | None:
    """The body's length in bytes (0 when there is none), or None when it is chunked.

    Raises COSError(InvalidRequest, NotImplemented).
    """
    coding = headers.get(_CODING)
    raw_length = headers.get(_LENGTH_FIELD)
    if coding is not None:
        if raw_length is not None:
            raise COSError("InvalidRequest", "Expected Content-Length or Transfer-Encoding, got both.")
        if coding.lower() != b"chunked":
            raise COSError("NotImplemented", "Expected no transfer coding but chunked.")
        return None
    return parse_length(raw_length) if raw_length is not None else 0


def parse_length(raw: bytes) -> int:
    """The value of a Content-Length. Raises COSError(InvalidRequest)."""
    if _LENGTH.fullmatch(raw) is None:
        raise COSError("InvalidRequest", "Expected Content-Length to be decimal digits.")
    return int(raw)


def is_aws_chunked(headers: Headers) -> bool:
    """Whether the body is content in the chunks of S3 clients, inside whatever framing HTTP gives it."""
    declared = headers.get(_CONTENT_SHA256)
    return declared is not None and declared.startswith(b"STREAMING-")


def read_content_length(headers: Headers) -> int | None:
    """The length of the body's content: of what is in the chunks when it is aws-chunked.

    None when it is not known before it ends. Raises COSError(InvalidRequest, MissingContentLength, NotImplemented).
    """
    if _has_only_a_length(headers.known) and headers.get(_LENGTH_FIELD) in _NO_BODY:
        return 0
    body_bytes = read_body_length(headers)
    if not is_aws_chunked(headers):
        return body_bytes
    raw_length = headers.get(DECODED_LENGTH)
    if raw_length is None:
        raise COSError("MissingContentLength", "You must provide the x-amz-decoded-content-length HTTP header.")
    if _LENGTH.fullmatch(raw_length) is None:
        raise COSError("InvalidRequest", "Expected x-amz-decoded-content-length to be decimal digits.")
    if body_bytes is not None and int(raw_length) > body_bytes:
        raise COSError("InvalidRequest", "Expected a body at least as long as the content in it.")
    return int(raw_length)


@remembering(256)
def _has_only_a_length(known: FieldNames) -> bool:
    """Whether Content-Length, if it is there, is all that is said about how long the body and its content are."""
    return _CODING not in known.names and _CONTENT_SHA256 not in known.names


def read_content_codings(headers: Headers) -> bytes:
    """Content-Encoding without `aws-chunked`, which is a framing and goes no further than the gateway.

    S3 clients name it there, with or without the chunks. Empty when nothing is left.
    """
    value = headers.get(b"content-encoding") or b""
    if b"aws-chunked" not in value.lower():
        return value
    codings = (coding.strip(b" \t") for coding in value.split(b","))
    return b",".join(coding for coding in codings if coding and coding.lower() != b"aws-chunked")
