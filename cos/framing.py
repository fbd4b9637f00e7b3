"""How long a request's body is, said exactly one way.

Source: RFC 9112 §6.1, §6.3; threat model C9. The HTTP parser in front has its own opinion of the same
fields; whatever it lets through is checked again here, because the upstream will be framed from this value.
"""

from __future__ import annotations

import re

from cos.errors import COSError
from cos.headers import Headers

_LENGTH = re.compile(rb"[0-9]{1,15}")


def read_body_length(headers: Headers) -> int | None:
    """The body's length in bytes (0 when there is none), or None when it is chunked.

    Raises COSError(InvalidRequest, NotImplemented).
    """
    coding = headers.get(b"transfer-encoding")
    raw_length = headers.get(b"content-length")
    if coding is not None:
        if raw_length is not None:
            raise COSError("InvalidRequest", "Expected Content-Length or Transfer-Encoding, got both.")
        if coding.lower() != b"chunked":
            raise COSError("NotImplemented", "Expected no transfer coding but chunked.")
        return None
    if raw_length is None:
        return 0
    if _LENGTH.fullmatch(raw_length) is None:
        raise COSError("InvalidRequest", "Expected Content-Length to be decimal digits.")
    return int(raw_length)
