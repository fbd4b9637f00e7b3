"""Objects: PUT, GET, HEAD, DELETE and OPTIONS.

Source: COS API, "PUT Object", "GET Object", "HEAD Object", "DELETE Object", "OPTIONS Object"; reference page §4.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from cos.conditions import CONDITION_NAMES, CopyConditions, parse_conditions
from cos.errors import COSError
from cos.request import Dialect
from cos.values import parse_part_number
from emulator.acl import asked_acl
from emulator.archives import refuse_archived
from emulator.dates import http_date
from emulator.encryption import check_customer_key
from emulator.exchange import Exchange, Refusal, Response
from emulator.metadata import entity_headers, object_headers, read_metadata
from emulator.preconditions import check_replaced
from emulator.reading import find_version, stream
from emulator.store.model import (
    NULL_VERSION,
    BucketRecord,
    Content,
    Extent,
    ObjectVersion,
    Versioning,
    slice_extents,
)
from emulator.store.tables import Tables
from emulator.tagging import count_tags, read_tagging

_RANGE = re.compile(r"bytes=(?:([0-9]{1,18})-([0-9]{1,18})?|-([0-9]{1,18}))", re.ASCII)


async def put_object(exchange: Exchange) -> Response:
    """Store the body as a new version of the object."""
    metadata = read_metadata(exchange.request)
    tagging = read_tagging(exchange)
    acl = asked_acl(exchange)

    def check(tables: Tables) -> BucketRecord:
        bucket = exchange.require_bucket(tables)
        check_replaced(exchange, tables, bucket)
        return bucket

    await exchange.store.transact(check)
    record = await exchange.body.into_blob(exchange.store)

    def work(tables: Tables) -> Response:
        bucket = check(tables)
        version = ObjectVersion(
            bucket=bucket.name,
            key=exchange.key,
            version_id=next_version_id(exchange, bucket),
            modified=exchange.now,
            content=record.content,
            metadata=metadata,
        )
        put_version(tables, version, tagging, acl)
        return Response(200, entity_headers(exchange, version, record.content, bucket.versioning))

    return await exchange.save(record, work)


def next_version_id(exchange: Exchange, bucket: BucketRecord) -> str:
    """The ID the next version in this bucket gets; `null` unless versioning is enabled."""
    return exchange.new_version_id() if bucket.versioning is Versioning.ENABLED else NULL_VERSION


def put_version(tables: Tables, version: ObjectVersion, tagging: bytes | None, acl: bytes | None) -> None:
    """Make a version current, with its tags and its ACL if it has any."""
    tables.objects.put(version)
    for kind, document in (("tagging", tagging), ("acl", acl)):
        if document is not None:
            tables.documents.put(version.bucket, version.key, version.version_id, kind, document)


@dataclass(frozen=True, slots=True)
class _Found:
    version: ObjectVersion
    content: Content
    bucket: BucketRecord
    restored: bool
    tags: int


async def get_object(exchange: Exchange) -> Response:
    """The bytes of a version, whole or one range."""
    found = await exchange.store.transact(lambda tables: _find(exchange, tables))
    content = found.content
    extents: tuple[Extent, ...] = content.extents
    # From here the blobs must be released, whatever happens.
    try:
        check_customer_key(exchange.request, found.version.metadata)
        refused = _check_conditions(exchange, found)
        if refused is not None:
            exchange.store.release(content.extents)
            return refused
        if not found.restored:
            refuse_archived(found.version)
        headers = _headers(exchange, found)
        wanted = _wanted(exchange, content)
        headers += _parts_headers(exchange, content)
        status, length = 200, content.size_bytes
        if wanted is not None:
            first, length = wanted
            status = 206
            extents = slice_extents(content.extents, first, length)
            headers.append(("content-range", f"bytes {first}-{first + length - 1}/{content.size_bytes}"))
    except BaseException:
        exchange.store.release(content.extents)
        raise
    return Response(
        status,
        headers,
        stream(exchange.store, extents),
        length_bytes=length,
        release=lambda: exchange.store.release(content.extents),
    )


async def head_object(exchange: Exchange) -> Response:
    """What GET would answer, without the bytes."""
    found = await exchange.store.transact(lambda tables: _find(exchange, tables))
    exchange.store.release(found.content.extents)
    check_customer_key(exchange.request, found.version.metadata)
    refused = _check_conditions(exchange, found)
    if refused is not None:
        return refused
    headers = _headers(exchange, found)
    wanted = _wanted(exchange, found.content)
    headers += _parts_headers(exchange, found.content)
    if wanted is None:
        return Response(200, headers, length_bytes=found.content.size_bytes)
    first, length = wanted
    headers.append(("content-range", f"bytes {first}-{first + length - 1}/{found.content.size_bytes}"))
    return Response(206, headers, length_bytes=length)


async def delete_object(exchange: Exchange) -> Response:
    """Remove a version for good, or hide the key behind a delete marker."""
    version_id = exchange.parameter("versionId") or None

    def work(tables: Tables) -> Deleted:
        return delete_version(exchange, tables, exchange.require_bucket(tables), exchange.key, version_id)

    deleted = await exchange.store.transact(work)
    headers = []
    if deleted.version_id is not None:
        headers.append((exchange.named("version-id"), deleted.version_id))
    if deleted.marker:
        headers.append((exchange.named("delete-marker"), "true"))
    return Response(204, headers)


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a deletion did: the version removed or the marker made; `version_id` None in an unversioned bucket."""

    version_id: str | None
    marker: bool


def delete_version(
    exchange: Exchange, tables: Tables, bucket: BucketRecord, key: str, version_id: str | None
) -> Deleted:
    """Delete as the bucket's versioning state says. What does not exist is deleted without complaint."""
    if version_id is not None:
        removed = tables.objects.remove(bucket.name, key, version_id)
        return Deleted(version_id, removed is not None and removed.content is None)
    if bucket.versioning is Versioning.OFF:
        tables.objects.remove(bucket.name, key, NULL_VERSION)
        return Deleted(None, marker=False)
    marker_id = next_version_id(exchange, bucket)
    tables.objects.put(ObjectVersion(bucket.name, key, marker_id, exchange.now, content=None))
    return Deleted(marker_id, marker=True)


def _find(exchange: Exchange, tables: Tables) -> _Found:
    bucket = exchange.require_bucket(tables)
    version_id = exchange.parameter("versionId") or None
    version = find_version(tables, bucket.name, exchange.key, version_id)
    if version.content is None:
        headers = (
            (exchange.named("delete-marker"), "true"),
            (exchange.named("version-id"), version.version_id),
        )
        if version_id is None:
            raise Refusal("NoSuchKey", headers=headers)
        # The version exists but is a delete marker, which cannot be read.
        raise Refusal("MethodNotAllowed", "The specified version is a delete marker.", headers=headers)
    exchange.store.lease(version.content.extents)
    restored = tables.documents.get(bucket.name, version.key, version.version_id, "restore") is not None
    tags = count_tags(tables.documents.get(bucket.name, version.key, version.version_id, "tagging"))
    return _Found(version, version.content, bucket, restored, tags)


def _headers(exchange: Exchange, found: _Found) -> list[tuple[str, str]]:
    headers = object_headers(exchange, found.version, found.content, found.bucket.versioning)
    headers.append(("last-modified", http_date(found.version.modified)))
    if found.restored:
        headers.append((exchange.named("restore"), 'ongoing-request="false"'))
    if found.tags and exchange.dialect is Dialect.S3:
        headers.append((exchange.named("tagging-count"), str(found.tags)))
    return headers


def _check_conditions(exchange: Exchange, found: _Found) -> Response | None:
    """The 304 a conditional read gets, or None to go on. Raises COSError(PreconditionFailed).

    If-Match outranks If-Unmodified-Since and If-None-Match outranks If-Modified-Since (RFC 9110 §13.2.2).
    """
    values = {}
    for name in CONDITION_NAMES:
        text = exchange.request.headers.text(name.encode())
        if text:
            values[name] = text
    if not values:
        return None
    asked = parse_conditions(values)
    must = CopyConditions(
        if_match=asked.if_match, if_unmodified_since=asked.if_unmodified_since if asked.if_match is None else None
    )
    news = CopyConditions(
        if_none_match=asked.if_none_match,
        if_modified_since=asked.if_modified_since if asked.if_none_match is None else None,
    )
    modified = datetime.fromtimestamp(found.version.modified, UTC)
    if not must.hold(etag=found.content.etag, last_modified=modified):
        raise COSError("PreconditionFailed")
    if not news.hold(etag=found.content.etag, last_modified=modified):
        # 304 repeats the validators, and nothing that describes a body.
        kept = [item for item in _headers(exchange, found) if item[0] not in ("content-type", "accept-ranges")]
        return Response(304, kept)
    return None


def _wanted(exchange: Exchange, content: Content) -> tuple[int, int] | None:
    """First byte and length of what is asked for: a range, or a part of an object. None for the whole object.

    Raises COSError(InvalidRange, InvalidPart, InvalidRequest). Source: S3 API, "GetObject", partNumber. COS documents
    nothing of the kind.
    """
    if exchange.parameter("partNumber") == "":
        return _read_range(exchange, content.size_bytes)
    if b"range" in exchange.request.headers:
        raise COSError("InvalidRequest", "Expected a range or a part number, got both.")
    number = parse_part_number(exchange.parameter("partNumber"))
    sizes = content.part_bytes or (content.size_bytes,)
    if number > len(sizes):
        raise COSError("InvalidPart", f"Expected a part number of at most {len(sizes)}, got {number}.")
    return (sum(sizes[: number - 1]), sizes[number - 1]) if sizes[number - 1] else None


def _parts_headers(exchange: Exchange, content: Content) -> list[tuple[str, str]]:
    """How many parts there are: told to whoever asks for one."""
    if not exchange.parameter("partNumber") or not content.part_bytes:
        return []
    return [(exchange.named("mp-parts-count"), str(len(content.part_bytes)))]


def _read_range(exchange: Exchange, size_bytes: int) -> tuple[int, int] | None:
    """First byte and length of a single range; None for the whole object. Raises COSError(InvalidRange).

    Several ranges, other units and malformed values are ignored, as RFC 9110 §14.2 allows.
    """
    match = _RANGE.fullmatch(exchange.request.headers.text(b"range") or "")
    if match is None:
        return None
    if match[3] is not None:
        length = min(int(match[3]), size_bytes)
        if length == 0:
            raise _unsatisfiable(size_bytes)
        return size_bytes - length, length
    first = int(match[1])
    last = min(int(match[2]), size_bytes - 1) if match[2] is not None else size_bytes - 1
    if match[2] is not None and int(match[2]) < first:
        return None
    if first >= size_bytes:
        raise _unsatisfiable(size_bytes)
    return first, last - first + 1


def _unsatisfiable(size_bytes: int) -> Refusal:
    return Refusal("InvalidRange", headers=(("content-range", f"bytes */{size_bytes}"),))
