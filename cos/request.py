"""One request, parsed once from raw bytes into one immutable value.

Everything later (signature, policy, forwarding) reads this value and nothing else. What could mean two
things to two readers is refused here: repeated or underscored control headers, `Connection` that names
headers, parameters that differ only in case, mixed dialects of the target and the Host header.

Source: RFC 9110 §5, §7.6.1; RFC 9112 §3.2; threat model C2, C8.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from msgspec import Struct

from cos.characters import FIELD_TEXT
from cos.errors import COSError
from cos.headers import FieldNames, Headers, printable_text
from cos.remembering import remembering
from cos.target import Parameter, Target, parse_target

METHODS = frozenset({"GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"})
MAX_HEADERS = 100
MAX_HEADER_BYTES = 16 * 1024

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


# Looked up once: in Python 3.11 a member of an enumeration costs as much as ten other names.
_COS, _S3 = Dialect.COS, Dialect.S3


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
    headers = raw_headers if isinstance(raw_headers, Headers) else Headers.of(raw_headers)
    fields = _judge_fields(headers.known)
    if fields.wrong is not None:
        raise COSError("InvalidRequest", fields.wrong)
    if not headers.plain:
        _check_values(fields, headers.values)
    if fields.connection:
        _check_connection(headers)
    target = parse_target(raw_target)
    parameters = _judge_parameters(target.query_names)
    if parameters.wrong is not None:
        raise COSError("InvalidURI", parameters.wrong)
    if parameters.renamed:
        target = _with_version_id(target)
    host = _read_host(headers.get(b"host") or b"")
    if target.authority is not None and _without_default_port(target.authority) != _without_default_port(host):
        raise COSError("InvalidURI", "Expected the absolute target and the Host header to name the same host.")
    # The one family the control headers, the signature and its parameters belong to: a signature of one family
    # does not cover the control headers of the other.
    authorization = headers.get(b"authorization") or b""
    cos = fields.cos or parameters.cos or authorization.startswith(b"q-sign-")
    s3 = fields.s3 or parameters.s3 or authorization.startswith((b"AWS4-", b"AWS "))
    if s3 and cos:
        raise COSError("InvalidRequest", "Expected a request that speaks either COS or S3, got x-cos-* and x-amz-*.")
    return Request(method, target, headers, host, _S3 if s3 else _COS)


def _check_values(fields: _Fields, values: Sequence[bytes]) -> None:
    # One look at all of them.
    joined = b"".join(values)
    if joined.translate(FIELD_TEXT) != joined:
        raise COSError("InvalidRequest", "Expected header values without control characters.")
    size_bytes = fields.names_bytes + len(joined)
    if size_bytes > MAX_HEADER_BYTES:
        raise COSError("InvalidRequest", f"Expected at most {MAX_HEADER_BYTES} bytes of headers, got {size_bytes}.")


@lru_cache(maxsize=1024)  # the names are constants of this program
def _control_field(dialect: Dialect, name: str) -> bytes:
    return f"{dialect}{name}".encode("ascii")


class _Fields(NamedTuple):
    """What the names of a request's fields say: what is wrong with them, their size, whether they speak COS or S3.

    `connection` is whether one of them is Connection.
    """

    wrong: str | None
    names_bytes: int
    connection: bool
    cos: bool
    s3: bool


@remembering(256)
def _judge_fields(known: FieldNames) -> _Fields:
    controls = [name for name in known.distinct if name.startswith(_DIALECT_PREFIXES) and name not in ECHOED_HEADERS]
    return _Fields(
        wrong=_find_wrong_field(known),
        names_bytes=sum(map(len, known.names)),
        connection=b"connection" in known.names,
        cos=any(name.startswith(b"x-cos-") for name in controls),
        s3=any(name.startswith(b"x-amz-") for name in controls),
    )


def _find_wrong_field(known: FieldNames) -> str | None:
    if len(known.names) > MAX_HEADERS:
        return f"Expected at most {MAX_HEADERS} header fields, got {len(known.names)}."
    for name in known.names:
        if _NAME.fullmatch(name) is None:
            # Underscores are outside the pattern on purpose: CGI-like readers fold them into hyphens.
            return f"Expected header names of letters, digits and '-', got {name[:40]!r}."
    for name in known.distinct if known.repeats else ():
        single = name in _SINGLE or (name.startswith(_CONTROL_PREFIXES) and not name.startswith(METADATA_PREFIXES))
        if single and known.names.count(name) > 1:
            return f"Expected one {name.decode('ascii')!r} header, got several."
    return None


def _check_connection(headers: Headers) -> None:
    for value in headers.get_all(b"connection"):
        if any(option.strip().lower() not in _CONNECTION_OPTIONS for option in value.split(b",")):
            raise COSError("InvalidRequest", "Expected Connection to name only close or keep-alive.")


class _Parameters(NamedTuple):
    """The same of a query's parameters; `renamed` is whether one must be."""

    wrong: str | None
    renamed: bool
    cos: bool
    s3: bool


@remembering(256)
def _judge_parameters(names: tuple[str, ...]) -> _Parameters:
    """Names that differ only in case are wrong: they have two meanings. Families are told apart in any case."""
    seen: dict[str, str] = {}
    for name in names:
        held = seen.setdefault(name.lower(), name)
        if held != name:
            return _Parameters(f"Expected one spelling of the parameter {held[:40]!r}.", False, False, False)
    return _Parameters(
        wrong=None,
        renamed="VersionId" in seen.values(),
        cos=any(name.startswith(("x-cos-", "q-sign-")) for name in seen),
        s3=any(name.startswith("x-amz-") or name == "awsaccesskeyid" for name in seen),
    )


def _with_version_id(target: Target) -> Target:
    """The Go SDK deletes a version with `VersionId` (measured with 0.7.75): it becomes `versionId` here, before
    anybody could overlook it. Signatures are over lower-case names and do not notice.
    """
    renamed = [Parameter("versionId" if name == "VersionId" else name, value) for name, value in target.query]
    return target.with_query(renamed)


@remembering(128)
def _read_host(raw: bytes) -> str:
    """The Host field as lower-case text."""
    if not raw:
        raise COSError("InvalidRequest", "Expected a Host header.")
    return printable_text(b"host", raw).lower()


def _without_default_port(authority: str) -> str:
    return authority.removesuffix(":80").removesuffix(":443")
