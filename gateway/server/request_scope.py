"""What the HTTP parser found, as the application is told: ASGI's scope, and whether the framing has one meaning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

import httptools

from cos.errors import COSError
from cos.framing import read_body_length
from cos.headers import Headers


def fill_scope(scope: dict[str, Any], *, method: bytes, target: bytes, version: str) -> None:
    """Add what a request line says; `raw_target` is ours, beside ASGI's: the target as received."""
    if target.startswith(b"/"):
        raw_path, _, query = target.partition(b"?")
    else:
        url = httptools.parse_url(target)
        raw_path, query = url.path or b"/", url.query or b""
    scope["method"] = method.decode("ascii")
    scope["http_version"] = version
    scope["path"] = unquote(raw_path.decode("latin-1"))
    scope["raw_path"] = raw_path
    scope["query_string"] = query
    scope["raw_target"] = target


def check_framing(fields: Sequence[tuple[bytes, bytes]], *, version: str) -> None:
    """One way to tell where the body ends, or none of it is read. The parser accepts more than one.

    Raises COSError(InvalidRequest, NotImplemented).
    """
    framing = [field for field in fields if field[0] in (b"content-length", b"transfer-encoding")]
    if framing and read_body_length(Headers(framing)) is None and version != "1.1":
        raise COSError("InvalidRequest", "Expected no Transfer-Encoding before HTTP/1.1.")
