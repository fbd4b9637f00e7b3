"""Append Object: an object that grows at its end.

Source: COS API, "APPEND Object"; reference page §4 (`x-cos-content-sha1` holds the hex MD5).
"""

from __future__ import annotations

from dataclasses import replace

from cos.errors import COSError
from emulator.digests import combine_crc64
from emulator.exchange import Exchange, Response, quoted
from emulator.metadata import read_metadata
from emulator.rendering import read_count
from emulator.store.model import NULL_VERSION, Content, ObjectKind, ObjectVersion, merge_extents
from emulator.store.tables import Tables


async def append_object(exchange: Exchange) -> Response:
    """Add the body at `position`, which must be the object's length; 0 creates it.

    Raises COSError(AppendPositionErr, ObjectNotAppendable).
    """
    position = read_count(exchange, "position", default=0)
    metadata = read_metadata(exchange.request)
    await exchange.store.transact(exchange.require_bucket)
    record = await exchange.body.into_blob(exchange.store)

    def work(tables: Tables) -> ObjectVersion:
        bucket = exchange.require_bucket(tables)
        held = tables.objects.current(bucket.name, exchange.key)
        if held is not None and held.content is not None:
            if held.kind is not ObjectKind.APPENDABLE:
                raise COSError("ObjectNotAppendable")
            version = replace(held, modified=exchange.now, content=_joined(held.content, record.content))
            length = held.content.size_bytes
        else:
            version = ObjectVersion(
                bucket=bucket.name,
                key=exchange.key,
                version_id=NULL_VERSION,
                modified=exchange.now,
                content=record.content,
                metadata=metadata,
                kind=ObjectKind.APPENDABLE,
            )
            length = 0
        if position != length:
            raise COSError("AppendPositionErr", f"Expected position {length}, got {position}.")
        # The old content must not lose its last use before the new one counts: both are in this transaction.
        tables.objects.put(version)
        return version

    version = await exchange.save(record, work)
    content = version.content or record.content
    headers = [
        ("etag", quoted(content.etag)),
        ("x-cos-hash-crc64ecma", str(content.crc64)),
        (exchange.named("next-append-position"), str(content.size_bytes)),
        (exchange.named("content-sha1"), record.md5),
    ]
    return Response(200, headers)


def _joined(held: Content, added: Content) -> Content:
    """The ETag is opaque: the MD5 of the whole would need every byte again at each append."""
    return Content(
        extents=merge_extents((*held.extents, *added.extents)),
        size_bytes=held.size_bytes + added.size_bytes,
        etag=added.etag,
        crc64=combine_crc64(held.crc64, added.crc64, added.size_bytes),
    )
