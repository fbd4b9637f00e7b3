"""The copy source: which object a copy reads. Parsed once into one value, and rendered anew for COS.

    COS   <bucket>.cos.<region>.myqcloud.com/<key>[?versionId=<id>]     x-cos-copy-source
          <bucket>.<gateway>[:port]/<key>[?versionId=<id>]
    S3    [/]<bucket>/<key>[?versionId=<id>]                            x-amz-copy-source

The order is the security: split at the first `/`, then at the first raw `?`, and only then percent-decode,
once. A reader that decodes before it splits sees another object, which is a way around every rule about
sources. Hence what two readers could split differently has no reading here and is refused: a raw `#`, a
second raw `?`, and an encoded `?versionId=` inside the key.

`+` is a plus sign. Raw UTF-8 is taken as it is (the Node.js SDK passes the caller's text on). Dot segments
and double slashes are key bytes: what they may mean to somebody else is for policy to judge.

Source: COS API, "PUT Object - Copy" and "Upload Part - Copy", x-cos-copy-source; reference page §2; threat model C5.
"""

from __future__ import annotations

from functools import lru_cache

from msgspec import Struct

from cos.address import AddressStyle, Domains, cos_host, parse_host
from cos.characters import NO_CONTROLS
from cos.errors import COSError
from cos.request import Dialect
from cos.target import percent_decode, percent_encode, render_path
from cos.values import Bucket, ObjectKey, Region, VersionId, parse_bucket, parse_object_key, parse_version_id

MAX_COPY_SOURCE_BYTES = 8 * 1024

# Looked up once: in Python 3.11 a member of an enumeration costs as much as ten other names.
_COS, _BY_COS = Dialect.COS, AddressStyle.COS


class CopySource(Struct, frozen=True, gc=False):
    """The object a copy reads. `region` is None when the text did not name one; a named one is only a claim."""

    bucket: Bucket
    key: ObjectKey
    region: Region | None = None
    version_id: VersionId | None = None


@lru_cache(maxsize=256)  # the parts of a copy name one source
def parse_copy_source(raw: bytes, dialect: Dialect, domains: Domains) -> CopySource:
    """The value of a copy-source header. Raises COSError(InvalidCopySource) and nothing else."""
    if len(raw) > MAX_COPY_SOURCE_BYTES:
        raise _refused(f"Expected a copy source of at most {MAX_COPY_SOURCE_BYTES} bytes, got {len(raw)}.")
    if raw.translate(NO_CONTROLS) != raw:
        raise _refused("Expected a copy source without control characters.")
    if raw != raw.strip(b" "):
        raise _refused("Expected a copy source without leading or trailing spaces.")
    try:
        return _parse_cos(raw, domains) if dialect is _COS else _parse_s3(raw)
    except COSError as error:
        if error.code == "InvalidCopySource":
            raise
        raise _refused(error.message) from None


@lru_cache(maxsize=256)
def render_copy_source(source: CopySource, dialect: Dialect, region: Region) -> bytes:
    """The canonical text of a source in the bucket registry's `region` (the COS form states it, S3's cannot).

    Parsing the result gives the source back, unless its key holds `?versionId=`, which no text can name.
    """
    place = cos_host(source.bucket, region) if dialect is _COS else f"/{source.bucket}"
    rendered = place.encode("ascii") + render_path(b"/" + source.key.encode("utf-8"))
    if source.version_id is not None:
        rendered += b"?versionId=" + percent_encode(source.version_id).encode("ascii")
    return rendered


def _parse_cos(raw: bytes, domains: Domains) -> CopySource:
    raw_host, slash, rest = raw.partition(b"/")
    expected = "Expected a copy source like <bucket>.cos.<region>.myqcloud.com/<key>"
    if not slash or not raw_host:
        raise _refused(f"{expected}, got {raw[:80]!r}.")
    # Latin-1 cannot fail, and its letters beyond ASCII are in no host name.
    host = parse_host(raw_host.decode("latin-1"), domains)
    if host.style is _BY_COS and host.port is not None:
        raise _refused(f"{expected} without a port, got {raw_host[:80]!r}.")
    if host.bucket is None:
        # What the Java SDK sends for its UserSpecifiedEndpointBuilder: the endpoint alone.
        raise _refused(f"{expected}, got the host {raw_host[:80]!r}, which names no bucket.")
    key, version_id = _parse_rest(rest)
    return CopySource(host.bucket, key, host.region, version_id)


def _parse_s3(raw: bytes) -> CopySource:
    raw_bucket, slash, rest = raw.removeprefix(b"/").partition(b"/")
    if not slash:
        raise _refused(f"Expected a copy source like <bucket>/<key>, got {raw[:80]!r}.")
    key, version_id = _parse_rest(rest)
    return CopySource(bucket=parse_bucket(raw_bucket.decode("latin-1")), key=key, version_id=version_id)


def _parse_rest(rest: bytes) -> tuple[ObjectKey, VersionId | None]:
    """`<key>[?versionId=<id>]`, still encoded."""
    raw_key, question_mark, raw_query = rest.partition(b"?")
    if b"#" in rest:
        raise _refused("Expected a '#' in a copy source to be written %23.")
    decoded = percent_decode(raw_key)
    # Only what was encoded can hold a `?` here.
    if decoded is not raw_key and b"?versionid=" in decoded.lower():
        raise _refused("Expected the '?' before versionId in a copy source to be written as it is, got it encoded.")
    key = parse_object_key(decoded)
    return key, _parse_version(raw_query) if question_mark else None


def _parse_version(raw_query: bytes) -> VersionId:
    raw_name, _, raw_value = raw_query.partition(b"=")
    if raw_name.lower() != b"versionid" or b"&" in raw_value or b"?" in raw_value:
        raise _refused(f"Expected versionId and nothing else after the key of a copy source, got {raw_query[:80]!r}.")
    return parse_version_id(percent_decode(raw_value).decode("latin-1"))


def _refused(message: str) -> COSError:
    return COSError("InvalidCopySource", message)
