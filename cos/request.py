"""One request, parsed once from raw bytes into one immutable value.

Everything later (signature, policy, forwarding) reads this value and nothing else. What could mean two
things to two readers is refused here: repeated or underscored control headers, `Connection` that names
headers, parameters that differ only in case, mixed dialects of the target and the Host header.

Source: RFC 9110 §5, §7.6.1; RFC 9112 §3.2; threat model C2, C8.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache
from operator import itemgetter

from msgspec import Struct
from msgspec.structs import replace

from cos.errors import COSError
from cos.headers import FieldNames, Headers
from cos.target import Parameter, Target, parse_target

METHODS = frozenset({"GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"})
MAX_HEADERS = 100
MAX_HEADER_BYTES = 16 * 1024

_value_of = itemgetter(1)
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_NAME = re.compile(rb"[!#$%&'*+.^`|~0-9A-Za-z-]+")
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
METADATA_PREFIXES = (b"x-cos-meta-", b"x-amz-meta-")
_CONNECTION_OPTIONS = frozenset({b"close", b"keep-alive", b"te", b""})


class Dialect(StrEnum):
    """Which family of control headers a request speaks."""

    COS = "x-cos-"
    S3 = "x-amz-"


class Request(Struct, frozen=True, gc=False):
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
    wrong, names_bytes = _judge_names(headers.known)
    if wrong is not None:
        raise COSError("InvalidRequest", wrong)
    # One look at all the values.
    values = b"".join(map(_value_of, headers.fields))
    if _CONTROL.search(values):
        raise COSError("InvalidRequest", "Expected header values without control characters.")
    size_bytes = names_bytes + len(values)
    if size_bytes > MAX_HEADER_BYTES:
        raise COSError("InvalidRequest", f"Expected at most {MAX_HEADER_BYTES} bytes of headers, got {size_bytes}.")
    if b"connection" in headers:
        for value in headers.get_all(b"connection"):
            if any(option.strip().lower() not in _CONNECTION_OPTIONS for option in value.split(b",")):
                raise COSError("InvalidRequest", "Expected Connection to name only close or keep-alive.")


@lru_cache(maxsize=256)
def _judge_names(known: FieldNames) -> tuple[str | None, int]:
    """What is wrong with the names of the fields, if anything, and their size in bytes."""
    for name in known.names:
        if _NAME.fullmatch(name) is None:
            # Underscores are outside the pattern on purpose: CGI-like readers fold them into hyphens.
            return f"Expected header names of letters, digits and '-', got {name[:40]!r}.", 0
    for name in known.distinct if known.repeats else ():
        single = name in _SINGLE or (name.startswith(_CONTROL_PREFIXES) and not name.startswith(METADATA_PREFIXES))
        if single and known.names.count(name) > 1:
            return f"Expected one {name.decode('ascii')!r} header, got several.", 0
    return None, sum(map(len, known.names))


def _read_dialect(headers: Headers, target: Target) -> Dialect:
    """The one family the control headers, the signature and its parameters belong to.

    A signature of one family does not cover the control headers of the other.
    """
    authorization = headers.get(b"authorization") or b""
    cos, s3 = _families_of_headers(headers.known)
    cos_query, s3_query = _families_of_parameters(target.names())
    cos = cos or cos_query or authorization.startswith(b"q-sign-")
    s3 = s3 or s3_query or authorization.startswith((b"AWS4-", b"AWS "))
    if s3 and cos:
        raise COSError("InvalidRequest", "Expected a request that speaks either COS or S3, got x-cos-* and x-amz-*.")
    return Dialect.S3 if s3 else Dialect.COS


@lru_cache(maxsize=256)
def _families_of_headers(known: FieldNames) -> tuple[bool, bool]:
    """Whether the fields speak COS, and whether they speak S3."""
    controls = [name for name in known.distinct if name.startswith(_DIALECT_PREFIXES) and name not in ECHOED_HEADERS]
    return any(name.startswith(b"x-cos-") for name in controls), any(name.startswith(b"x-amz-") for name in controls)


@lru_cache(maxsize=256)
def _families_of_parameters(names: tuple[str, ...]) -> tuple[bool, bool]:
    """The same of a query's parameters, in any case."""
    lower = [name.lower() for name in names]
    return (
        any(name.startswith(("x-cos-", "q-sign-")) for name in lower),
        any(name.startswith("x-amz-") or name == "awsaccesskeyid" for name in lower),
    )


def _with_one_spelling(target: Target) -> Target:
    """Refuse names that differ only in case: they have two meanings.

    The Go SDK deletes a version with `VersionId` (measured with 0.7.75): it becomes `versionId` here, before
    anybody could overlook it. Signatures are over lower-case names and do not notice.
    """
    wrong, renamed = _judge_spelling(target.names())
    if wrong is not None:
        raise COSError("InvalidURI", wrong)
    if renamed:
        query = (Parameter("versionId" if name == "VersionId" else name, value) for name, value in target.query)
        return replace(target, query=tuple(query))
    return target


@lru_cache(maxsize=256)
def _judge_spelling(names: tuple[str, ...]) -> tuple[str | None, bool]:
    """What is wrong with the names of the parameters, if anything, and whether one must be renamed."""
    seen: dict[str, str] = {}
    for name in names:
        held = seen.setdefault(name.lower(), name)
        if held != name:
            return f"Expected one spelling of the parameter {held[:40]!r}.", False
    return None, "VersionId" in seen.values()


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
