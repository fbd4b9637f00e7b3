"""Upload Part - Copy and Put Object - Copy: new content by reference to an existing object's bytes.

No bytes are copied. A copy's ETag is the MD5 of its bytes: known when it covers exactly one whole blob,
otherwise computed on a thread with bounded memory while the source's blobs are leased.

Source: COS API, "Upload Part - Copy", "PUT Object - Copy"; reference page §3.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from cos.byte_range import MAX_PART_BYTES, ByteRange
from cos.calls import PutObjectCopy, UploadPartCopy
from cos.conditions import CopyConditions
from cos.copy_source import CopySource
from cos.errors import COSError
from cos.request import Dialect
from cos.xml import element
from emulator.acl import asked_acl
from emulator.archives import refuse_archived
from emulator.dates import copy_date, part_copy_date
from emulator.encryption import check_customer_key
from emulator.exchange import Exchange, Response, quoted
from emulator.metadata import encryption_headers, merge_copied, read_metadata
from emulator.multipart import find_upload
from emulator.objects import next_version_id, put_version
from emulator.preconditions import check_replaced
from emulator.reading import find_version
from emulator.store.model import (
    BucketRecord,
    Content,
    Extent,
    Metadata,
    ObjectVersion,
    Part,
    Upload,
    Versioning,
    slice_extents,
)
from emulator.store.tables import Tables
from emulator.tagging import read_tagging

CONFLICTING_CONDITIONS = "InvalidRequest"
"""The code for a forbidden combination of conditions: the document says "conflict" and names no code."""
DELETE_MARKER_AS_SOURCE = "InvalidRequest"
"""The code for a versionId that names a delete marker: the document says HTTP 400 and names no code."""
TOO_LARGE_TO_COPY = "MethodNotAllowed"
"""The code for a plain copy above 5 GiB, as observed by others on the live service (reference page §3.5)."""

_REPLACED = frozenset({"replaced", "replace"})
"""The document says Replaced; the Java SDK and S3 clients say REPLACE."""


@dataclass(frozen=True, slots=True)
class _Source:
    """A source that may be copied; its blobs are leased."""

    version: ObjectVersion
    content: Content
    bucket: BucketRecord
    tagging: bytes | None


async def upload_part_copy(exchange: Exchange) -> Response:
    """One part from a range of an object."""
    call = exchange.call
    if not isinstance(call, UploadPartCopy):
        raise TypeError(f"expected an UploadPartCopy, got {type(call).__name__}")

    def prepare(tables: Tables) -> _Source:
        check_customer_key(exchange.request, find_upload(exchange, tables).metadata)
        return _find_source(exchange, tables, call.source, call.conditions)

    source = await exchange.store.transact(prepare)
    try:
        wanted = _part_extents(source.content, call.byte_range)
        content = await _content(exchange, wanted, source.content)

        def work(tables: Tables) -> Upload:
            upload = find_upload(exchange, tables)
            tables.uploads.put_part(Part(upload.upload_id, call.part_number, exchange.now, content))
            return upload

        upload = await exchange.store.transact(work)
    finally:
        exchange.store.release(source.content.extents)
    root = element(
        "CopyPartResult",
        element("ETag", quoted(content.etag)),
        element("LastModified", _part_date(exchange)),
    )
    return exchange.xml(root, [*_source_headers(exchange, source), *encryption_headers(exchange, upload.metadata)])


async def put_object_copy(exchange: Exchange) -> Response:
    """A new version of an object from a whole other object, or from itself with new metadata."""
    call = exchange.call
    if not isinstance(call, PutObjectCopy):
        raise TypeError(f"expected a PutObjectCopy, got {type(call).__name__}")
    replaced = _read_directive(exchange, "metadata-directive")
    asked = read_metadata(exchange.request)
    new_tagging = read_tagging(exchange)
    acl = asked_acl(exchange)
    tagging_replaced = _read_directive(exchange, "tagging-directive")

    def prepare(tables: Tables) -> _Source:
        exchange.require_bucket(tables)
        return _find_source(exchange, tables, call.source, call.conditions)

    source = await exchange.store.transact(prepare)
    try:
        if source.content.size_bytes > MAX_PART_BYTES:
            raise COSError(
                TOO_LARGE_TO_COPY,
                "The source object size is too large (more than 5GB) to copy. Please use UploadPart-Copy API.",
            )
        metadata = merge_copied(
            source.version.metadata,
            asked,
            replaced=replaced,
            storage_class_given=bool(exchange.control("storage-class")),
        )
        _refuse_idle_self_copy(exchange, source, metadata, replaced=replaced or tagging_replaced)
        content = await _content(exchange, source.content.extents, source.content)
        tagging = new_tagging if tagging_replaced else source.tagging

        def work(tables: Tables) -> tuple[ObjectVersion, BucketRecord]:
            bucket = exchange.require_bucket(tables)
            check_replaced(exchange, tables, bucket)
            version = ObjectVersion(
                bucket=bucket.name,
                key=exchange.key,
                version_id=next_version_id(exchange, bucket),
                modified=exchange.now,
                content=content,
                metadata=metadata,
            )
            put_version(tables, version, tagging, acl)
            return version, bucket

        version, bucket = await exchange.store.transact(work)
    finally:
        exchange.store.release(source.content.extents)
    versioned = bucket.versioning is not Versioning.OFF
    root = element(
        "CopyObjectResult",
        element("ETag", quoted(content.etag)),
        element("CRC64", str(content.crc64)),
        element("LastModified", copy_date(exchange.now)),
        *([element("VersionId", version.version_id)] if versioned else []),
    )
    headers = [("x-cos-hash-crc64ecma", str(content.crc64)), *_source_headers(exchange, source)]
    if versioned:
        headers.append((exchange.named("version-id"), version.version_id))
    return exchange.xml(root, [*headers, *encryption_headers(exchange, version.metadata)])


def _find_source(exchange: Exchange, tables: Tables, asked: CopySource, conditions: CopyConditions) -> _Source:
    """The source version, leased. Raises COSError for everything that keeps it from being copied."""
    if conditions.conflict:
        raise COSError(
            CONFLICTING_CONDITIONS,
            f"Expected at most one lawful pair of copy source conditions, got {', '.join(sorted(conditions.present))}.",
        )
    bucket = tables.bucket(asked.bucket)
    if bucket is None or (asked.region is not None and bucket.region != asked.region):
        raise COSError("NoSuchBucket", "The bucket of the copy source does not exist.")
    appid = exchange.caller.account.appid if exchange.caller is not None else None
    if bucket.account != appid and appid not in bucket.shared_with:
        raise COSError("AccessDenied", "The credential may not read the copy source.")
    version = find_version(tables, bucket.name, asked.key, asked.version_id)
    if version.content is None:
        if asked.version_id is None:
            raise COSError("NoSuchKey")
        raise COSError(DELETE_MARKER_AS_SOURCE, "The version of the copy source is a delete marker.")
    modified = datetime.fromtimestamp(version.modified, UTC)
    if not conditions.hold(etag=version.content.etag, last_modified=modified):
        raise COSError("PreconditionFailed")
    check_customer_key(exchange.request, version.metadata, source=True)
    if tables.documents.get(bucket.name, version.key, version.version_id, "restore") is None:
        refuse_archived(version)
    tagging = tables.documents.get(bucket.name, version.key, version.version_id, "tagging")
    exchange.store.lease(version.content.extents)
    return _Source(version, version.content, bucket, tagging)


def _part_extents(content: Content, wanted: ByteRange | None) -> tuple[Extent, ...]:
    """What becomes the part. Raises COSError(EntityTooLarge, InvalidRange)."""
    first, length = (0, content.size_bytes) if wanted is None else (wanted.first, wanted.length_bytes)
    if length > MAX_PART_BYTES:
        raise COSError("EntityTooLarge", f"Expected a part of at most {MAX_PART_BYTES} bytes, got {length}.")
    if first + length > content.size_bytes:
        raise COSError("InvalidRange", f"Expected a range inside the source of {content.size_bytes} bytes.")
    return slice_extents(content.extents, first, length)


async def _content(exchange: Exchange, extents: tuple[Extent, ...], source: Content) -> Content:
    """Content over extents with its digest, reusing what is known of whole blobs."""
    size_bytes = sum(extent.length for extent in extents)
    if extents == source.extents and "-" not in source.etag:
        return source
    if len(extents) == 1:
        record = await exchange.store.transact(lambda tables: tables.blobs.get(extents[0].blob))
        if record is not None and "-" not in record.md5 and extents == record.content.extents:
            return record.content
    computed = await exchange.digests.of(extents)
    return Content(extents, size_bytes, computed.md5, computed.crc64)


def _read_directive(exchange: Exchange, name: str) -> bool:
    """Whether a directive says to replace. Raises COSError(InvalidArgument)."""
    text = exchange.control(name).lower()
    if text in _REPLACED:
        return True
    if text in ("", "copy"):
        return False
    raise COSError("InvalidArgument", f"Expected {name} to be Copy or Replaced, got {text[:40]!r}.")


def _refuse_idle_self_copy(exchange: Exchange, source: _Source, metadata: Metadata, *, replaced: bool) -> None:
    """A copy onto itself must change something."""
    same = source.bucket.name == exchange.bucket_name and source.version.key == exchange.key
    if same and source.version.current and not replaced and metadata == source.version.metadata:
        raise COSError("InvalidRequest", "Expected a copy of an object onto itself to replace its metadata.")


def _source_headers(exchange: Exchange, source: _Source) -> list[tuple[str, str]]:
    if source.bucket.versioning is Versioning.OFF:
        return []
    return [(exchange.named("copy-source-version-id"), source.version.version_id)]


def _part_date(exchange: Exchange) -> str:
    # S3 clients read a time without its zone as no time at all.
    return copy_date(exchange.now) if exchange.dialect is Dialect.S3 else part_copy_date(exchange.now)
