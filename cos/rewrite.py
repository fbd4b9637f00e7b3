"""The upstream request: what the gateway sends, built from what it judged.

Only parsed values are rendered. The caller's signature, hop-by-hop fields and everything outside the
allow-list stay behind; a copy source, its range and the address are written anew from their parsed values,
so the value that was judged is the value that is sent.

Source: DESIGN §2 step 12, §3.2; threat model C8, C10.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from cos.address import Address, Level, cos_host, service_host
from cos.calls import RANGE_FIELDS, SOURCE_FIELDS, Call, ObjectCall, UploadPartCopy
from cos.copy_source import CopySource, render_copy_source
from cos.errors import COSError
from cos.framing import is_aws_chunked, read_content_codings
from cos.headers import FieldNames, names_and_values, picker, without_blanks
from cos.operations import SIGNATURE_PARAMETERS
from cos.request import ECHOED_HEADERS, METADATA_PREFIXES, Dialect, Request
from cos.target import Parameter, parameters_apart, render_path, render_query, render_query_of
from cos.values import Bucket, ObjectKey, Region, UploadId

Fields: TypeAlias = tuple[tuple[bytes, bytes], ...]

_Pick: TypeAlias = Callable[[tuple[bytes, ...]], tuple[bytes, ...]]


class UpstreamRequest(Struct, frozen=True, gc=False):
    """A request to COS. `target` is the exact origin-form target sent; `path` and `query` are what it says.

    The parameters of the query are `query_names` and as many `query_values`. Its header fields have the lower-case
    `names`, without `host`, and as many `values` without surrounding white space, as a receiver sees them. All are
    apart, because what follows from the names alone is remembered by them.
    """

    method: str
    host: str
    path: bytes
    query_names: tuple[str, ...]
    query_values: tuple[str, ...]
    target: bytes
    names: tuple[bytes, ...]
    values: tuple[bytes, ...]

    @classmethod
    def of(
        cls, method: str, host: str, path: bytes, query: tuple[Parameter, ...], target: bytes, headers: Fields
    ) -> UpstreamRequest:
        """The same of header fields that are pairs."""
        names, values = names_and_values(headers)
        return cls(method, host, path, *parameters_apart(query), target, names, without_blanks(values))

    @property
    def query(self) -> tuple[Parameter, ...]:
        return tuple(map(Parameter, self.query_names, self.query_values))

    @property
    def headers(self) -> Fields:
        return tuple(zip(self.names, self.values, strict=True))

    def with_headers(self, headers: Fields) -> UpstreamRequest:
        """The request with these header fields and no others."""
        names, values = names_and_values(headers)
        return replace(self, names=names, values=without_blanks(values))

    def with_header(self, name: bytes, value: bytes) -> UpstreamRequest:
        """The request with one more header field."""
        return replace(self, names=(*self.names, name), values=(*self.values, value.strip(b" \t")))


# Looked up once: in Python 3.11 a member of an enumeration costs as much as ten other names.
_S3, _OBJECT = Dialect.S3, Level.OBJECT
_FORWARDED = frozenset(
    {
        b"accept", b"accept-encoding", b"accept-language", b"access-control-request-headers",
        b"access-control-request-method", b"cache-control", b"content-disposition", b"content-encoding",
        b"content-language", b"content-md5", b"content-type", b"expires", b"if-match", b"if-modified-since",
        b"if-none-match", b"if-unmodified-since", b"origin", b"range", b"user-agent",
    }
)  # fmt: skip

_CONTROLS = frozenset(
    {
        "acl", "content-sha1", "forbid-overwrite", "grant-full-control", "grant-read", "grant-read-acp",
        "grant-write", "grant-write-acp", "metadata-directive", "object-lock-mode", "object-lock-retain-until-date",
        "request-payer", "server-side-encryption", "server-side-encryption-aws-kms-key-id",
        "server-side-encryption-context", "server-side-encryption-cos-kms-key-id",
        "server-side-encryption-customer-algorithm", "server-side-encryption-customer-key",
        "server-side-encryption-customer-key-md5", "storage-class", "tagging", "tagging-directive", "traffic-limit",
        "website-redirect-location", "content-sha256", "sdk-checksum-algorithm", "checksum-algorithm", "checksum-mode",
        "checksum-type", "checksum-crc32", "checksum-crc32c", "checksum-crc64nvme", "checksum-sha1", "checksum-sha256",
        "mp-object-size", "expected-bucket-owner", "source-expected-bucket-owner", "fetch-owner",
        "copy-source-server-side-encryption-customer-algorithm", "copy-source-server-side-encryption-customer-key",
        "copy-source-server-side-encryption-customer-key-md5", "copy-source-if-match", "copy-source-if-none-match",
        "copy-source-if-modified-since", "copy-source-if-unmodified-since",
    }
)  # fmt: skip
"""Control headers that are passed on, without their dialect prefix. `meta-*` is passed on as well."""

_REWRITTEN = frozenset({"copy-source", "copy-source-range"})
_DROPPED = frozenset(
    # Signatures and tokens are the caller's; the SDK markers mean nothing upstream (reference page §1.2).
    {"security-token", "date", "sdk-log-debug", "sdk-retry", "user-agent", "decoded-content-length", "trailer"}
)
_OF_CHUNKS = frozenset({"content-sha256", "sdk-checksum-algorithm"})
"""What describes an aws-chunked body; its content is sent without the chunks and their trailer."""
_OF_A_SOURCE = {dialect: (field, b"content-length") for dialect, field in SOURCE_FIELDS.items()}
_OF_A_RANGE = {dialect: (field, RANGE_FIELDS[dialect], b"content-length") for dialect, field in SOURCE_FIELDS.items()}
"""The fields that say what is copied; a copy has no body."""


def rewrite(request: Request, call: Call, *, region: Region | None, source_region: Region | None) -> UpstreamRequest:
    """The unsigned upstream request of a judged call.

    `region` is where the bucket registry says the addressed bucket is (None: the service), `source_region`
    the same of the copy source. Raises COSError(NotImplemented) for a control header that is not offered.
    """
    dialect = request.dialect
    destination = _find_destination(call.address, region)
    asked = request.target
    if request.method == "OPTIONS":
        asked = asked.with_query(())
    elif not SIGNATURE_PARAMETERS.isdisjoint(asked.query_names):
        asked = asked.with_query([parameter for parameter in asked.query if parameter.name not in SIGNATURE_PARAMETERS])
    target = destination.target + b"?" + render_query_of(asked) if asked.query_names else destination.target
    names, values = _forwarded_headers(request)
    if isinstance(call, ObjectCall):
        if call.body_bytes is None:
            names, values = (*names, b"transfer-encoding"), (*values, b"chunked")
        elif call.body_bytes or request.method in ("PUT", "POST"):
            names, values = (*names, b"content-length"), (*values, b"%d" % call.body_bytes)
    else:
        if source_region is None:
            raise ValueError("a copy source needs its region")
        source = render_copy_source(call.source, dialect, source_region)
        if isinstance(call, UploadPartCopy) and call.byte_range is not None:
            names += _OF_A_RANGE[dialect]
            values += (source, call.byte_range.text.encode("ascii"), b"0")
        else:
            names += _OF_A_SOURCE[dialect]
            values += (source, b"0")
    return UpstreamRequest(
        request.method, destination.host, destination.path, asked.query_names, asked.query_values, target, names, values
    )


def with_content_md5(request: UpstreamRequest, document: bytes) -> UpstreamRequest:
    """The request with the MD5 of its whole document, unless it has one.

    COS demands it of documents that S3 clients send with a checksum of another kind (reference page §2.4).
    """
    if not document or b"content-md5" in request.names:
        return request
    digest = base64.b64encode(hashlib.md5(document, usedforsecurity=False).digest())
    return request.with_header(b"content-md5", digest)


def head_source(source: CopySource, *, region: Region) -> UpstreamRequest:
    """A Head Object of a copy source, unsigned: how its size is measured before a rule can judge it."""
    path = b"/" + source.key.encode("utf-8")
    query = (Parameter("versionId", source.version_id),) if source.version_id is not None else ()
    target = render_path(path) + (b"?" + render_query(query) if query else b"")
    return UpstreamRequest.of(
        method="HEAD", host=cos_host(source.bucket, region), path=path, query=query, target=target, headers=()
    )


def list_upload_parts(
    bucket: Bucket, key: ObjectKey, upload_id: UploadId, *, region: Region, after: int
) -> UpstreamRequest:
    """A List Parts, unsigned: how a multipart object is measured before its completion is judged."""
    path = b"/" + key.encode("utf-8")
    query = (
        Parameter("uploadId", upload_id),
        Parameter("max-parts", "1000"),
        Parameter("part-number-marker", str(after)),
    )
    return UpstreamRequest.of(
        method="GET", host=cos_host(bucket, region), path=path, query=query,
        target=render_path(path) + b"?" + render_query(query), headers=(),
    )  # fmt: skip


def with_controls(request: UpstreamRequest, dialect: Dialect, controls: Iterable[tuple[str, str]]) -> UpstreamRequest:
    """The request with further control headers, named without their prefix. Raises ValueError for one it has."""
    given = request.names
    for control, value in controls:
        name = f"{dialect}{control}".encode("ascii")
        if name in given:
            raise ValueError(f"expected no {control} in the request, got one")
        request = request.with_header(name, value.encode("ascii"))
    return request


class _Destination(NamedTuple):
    """Where an upstream request goes: its host, its path and that path as a target."""

    host: str
    path: bytes
    target: bytes


@lru_cache(maxsize=256)  # the parts of an upload go to one place
def _find_destination(address: Address, region: Region | None) -> _Destination:
    if address.bucket is None:
        host = service_host(region)
    elif region is None:
        raise ValueError("a bucket needs its region")
    else:
        host = cos_host(address.bucket, region)
    path = b"/" if address.level is not _OBJECT or address.key is None else b"/" + address.key.encode("utf-8")
    return _Destination(host, path, render_path(path))


def _forwarded_headers(request: Request) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Names and values of the fields that are passed on."""
    s3, received = request.dialect is _S3, request.headers
    names, pick = _find_forwarded(received.known, s3 and is_aws_chunked(received))
    values = pick(received.values)
    recoded = s3 and b"content-encoding" in names
    if all(values) and not recoded:
        return names, values
    # Node sends empty Content-Type and Cache-Control fields; they say nothing (reference page §4).
    fields = [field for field in zip(names, values, strict=True) if field[1] or field[0].startswith(METADATA_PREFIXES)]
    if recoded:
        fields = [field for field in fields if field[0] != b"content-encoding"]
        if codings := read_content_codings(received):
            fields.append((b"content-encoding", codings))
    return names_and_values(fields)


@lru_cache(maxsize=256)
def _find_forwarded(known: FieldNames, chunked: bool) -> tuple[tuple[bytes, ...], _Pick]:
    """The names of the fields that are passed on, and what picks their values. Raises COSError(NotImplemented)."""
    dropped = _DROPPED | _OF_CHUNKS if chunked else _DROPPED
    places = []
    for place, name in enumerate(known.names):
        control = name[6:].decode("ascii") if name.startswith((b"x-cos-", b"x-amz-")) else None
        if name in ECHOED_HEADERS or control in dropped or control in _REWRITTEN:
            continue
        if name in _FORWARDED or (control is not None and (control in _CONTROLS or control.startswith("meta-"))):
            places.append(place)
        elif control is not None or name == b"pic-operations" or name.startswith(b"x-ci-"):
            # A control that is not offered; and data processing, which writes objects that no policy has judged.
            raise COSError("NotImplemented", f"Expected no header {name.decode('ascii')[:80]!r}: it is not offered.")
    pick = picker(places)
    return pick(known.names), pick
