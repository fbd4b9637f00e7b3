"""One request, parsed once from raw bytes into one immutable value.

Everything later (signature, policy, forwarding) reads this value and nothing else. What could mean two
things to two readers is refused here: repeated or underscored control headers, `Connection` that names
headers, parameters that differ only in case, mixed dialects of the target and the Host header.

Source: RFC 9110 §5, §7.6.1; RFC 9112 §3.2; threat model C2, C8.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from cos.errors import COSError
from cos.headers import Headers
from cos.target import Parameter, Target, parse_target

METHODS = frozenset({"GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"})
MAX_HEADERS = 100
MAX_HEADER_BYTES = 16 * 1024

_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_NAME = re.compile(rb"[!#$%&'*+.^`|~0-9A-Za-z-]+")
_NAMES = re.compile(rb"[!#$%&'*+.^`|~0-9A-Za-z-]+(?:\n[!#$%&'*+.^`|~0-9A-Za-z-]+)*")
_SINGLE = frozenset(
    {
        b"authorization",
        b"content-length",
        b"content-md5",
        b"content-type",
        b"date",
        b"expect",
        b"host",
        b"if-match",
        b"if-modified-since",
        b"if-none-match",
        b"if-unmodified-since",
        b"range",
        b"transfer-encoding",
    }
)
_CONTROL_PREFIXES = (b"x-cos-", b"x-amz-", b"x-ci-")
_DIALECT_PREFIXES = (b"x-cos-", b"x-amz-")
ECHOED_HEADERS = frozenset({b"x-cos-request-id", b"x-cos-trace-id", b"x-cos-hash-crc64ecma", b"x-cos-object-type"})
"""Fields of answers, which s3cmd sends back to set an object's metadata anew. In a request they mean nothing."""
_REPEATABLE_PREFIXES = (b"x-cos-meta-", b"x-amz-meta-")
_CONNECTION_OPTIONS = frozenset({b"close", b"keep-alive", b"te", b""})


class Dialect(StrEnum):
    """Which family of control headers a request speaks."""

    COS = "x-cos-"
    S3 = "x-amz-"


@dataclass(frozen=True, slots=True)
class Request:
    """Method, target and header fields of one request; the body is not part of it.

    `host` is the authority the client addressed, lower-case, with its port when it sent one.
    """

    method: str
    target: Target
    headers: Headers
    host: str
    dialect: Dialect

    def control(self, name: str) -> bytes | None:
        """The value of a control header in the request's dialect: `control("copy-source")`."""
        return self.headers.get(_control_field(self.dialect, name))


def read_request(method: str, raw_target: bytes, raw_headers: Iterable[tuple[bytes, bytes]]) -> Request:
    """Check and freeze a received request. Raises COSError(InvalidURI, InvalidRequest, MethodNotAllowed)."""
    if method not in METHODS:
        raise COSError("MethodNotAllowed", f"Expected one of {', '.join(sorted(METHODS))}, got {method[:20]!r}.")
    headers = Headers(raw_headers)
    _check_headers(headers)
    target = _with_one_spelling(parse_target(raw_target))
    return Request(
        method=method,
        target=target,
        headers=headers,
        host=_read_host(headers, target),
        dialect=_read_dialect(headers, target),
    )


@lru_cache(maxsize=1024)  # the names are constants of this program
def _control_field(dialect: Dialect, name: str) -> bytes:
    return f"{dialect}{name}".encode("ascii")


def _check_headers(headers: Headers) -> None:
    if len(headers) > MAX_HEADERS:
        raise COSError("InvalidRequest", f"Expected at most {MAX_HEADERS} header fields, got {len(headers)}.")
    # All at once: one look at the names, joined by what none may hold, and one at the values.
    separators = max(0, len(headers) - 1)
    names = b"\n".join([name for name, _ in headers.fields])
    values = b"".join([value for _, value in headers.fields])
    if headers and (_NAMES.fullmatch(names) is None or names.count(b"\n") != separators):
        # Underscores are outside the pattern on purpose: CGI-like readers fold them into hyphens.
        wrong = next(name for name, _ in headers if _NAME.fullmatch(name) is None)
        raise COSError("InvalidRequest", f"Expected header names of letters, digits and '-', got {wrong[:40]!r}.")
    if _CONTROL.search(values):
        raise COSError("InvalidRequest", "Expected header values without control characters.")
    size_bytes = len(names) - separators + len(values)
    if size_bytes > MAX_HEADER_BYTES:
        raise COSError("InvalidRequest", f"Expected at most {MAX_HEADER_BYTES} bytes of headers, got {size_bytes}.")
    if headers.repeats:
        for name in headers.names():
            single = name in _SINGLE or (
                name.startswith(_CONTROL_PREFIXES) and not name.startswith(_REPEATABLE_PREFIXES)
            )
            if single and len(headers.get_all(name)) > 1:
                raise COSError("InvalidRequest", f"Expected one {name.decode('ascii')!r} header, got several.")
    for value in headers.get_all(b"connection"):
        if any(option.strip().lower() not in _CONNECTION_OPTIONS for option in value.split(b",")):
            raise COSError("InvalidRequest", "Expected Connection to name only close or keep-alive.")


def _read_dialect(headers: Headers, target: Target) -> Dialect:
    """The one family the control headers, the signature and its parameters belong to.

    A signature of one family does not cover the control headers of the other.
    """
    authorization = headers.get(b"authorization") or b""
    s3 = authorization.startswith(b"AWS4-")
    cos = authorization.startswith(b"q-sign-")
    for field in headers.names():
        if field.startswith(_DIALECT_PREFIXES) and field not in ECHOED_HEADERS:
            if field.startswith(b"x-amz-"):
                s3 = True
            else:
                cos = True
    for name, _ in target.query:
        lower = name.lower()
        if lower.startswith(("x-cos-", "q-sign-")):
            cos = True
        elif lower.startswith("x-amz-"):
            s3 = True
    if s3 and cos:
        raise COSError("InvalidRequest", "Expected a request that speaks either COS or S3, got x-cos-* and x-amz-*.")
    return Dialect.S3 if s3 else Dialect.COS


def _with_one_spelling(target: Target) -> Target:
    """Refuse names that differ only in case: they have two meanings.

    The Go SDK deletes a version with `VersionId` (measured with 0.7.75): it becomes `versionId` here, before
    anybody could overlook it. Signatures are over lower-case names and do not notice.
    """
    seen: dict[str, str] = {}
    for name, _ in target.query:
        held = seen.setdefault(name.lower(), name)
        if held != name:
            raise COSError("InvalidURI", f"Expected one spelling of the parameter {held[:40]!r}.")
    if "VersionId" in seen.values():
        query = (Parameter("versionId" if name == "VersionId" else name, value) for name, value in target.query)
        return replace(target, query=tuple(query))
    return target


def _read_host(headers: Headers, target: Target) -> str:
    raw = headers.text(b"host")
    if not raw:
        raise COSError("InvalidRequest", "Expected a Host header.")
    host = raw.lower()
    if target.authority is not None and _without_default_port(target.authority) != _without_default_port(host):
        raise COSError("InvalidURI", "Expected the absolute target and the Host header to name the same host.")
    return host


def _without_default_port(authority: str) -> str:
    return authority.removesuffix(":80").removesuffix(":443")
