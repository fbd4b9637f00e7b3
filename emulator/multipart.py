"""Multipart uploads: initiate, upload part, list parts, abort. Complete and part copy have their own modules.

Source: COS API, "Initiate Multipart Upload", "Upload Part", "List Parts", "Abort Multipart Upload"; reference
page §3.5, §4.
"""

from __future__ import annotations

from cos.errors import COSError
from cos.values import parse_part_number, parse_upload_id
from cos.xml import Element, element
from emulator.acl import asked_acl
from emulator.dates import listing_date
from emulator.encryption import check_customer_key
from emulator.exchange import Exchange, Response, quoted
from emulator.identifiers import new_upload_id
from emulator.metadata import encryption_headers, read_metadata
from emulator.rendering import boolean_element, encoded, encoding_element, owner_element, read_count
from emulator.store.model import Part, Upload
from emulator.store.tables import Tables
from emulator.tagging import read_tagging

MAX_PARTS_LISTED = 1000


async def initiate_multipart_upload(exchange: Exchange) -> Response:
    """Open an upload; its metadata becomes the object's at Complete."""
    documents = {"tagging": read_tagging(exchange), "acl": asked_acl(exchange)}
    upload = Upload(
        upload_id=new_upload_id(exchange.now),
        bucket=exchange.bucket_name,
        key=exchange.key,
        initiated=exchange.now,
        metadata=read_metadata(exchange.request),
    )

    def work(tables: Tables) -> None:
        exchange.require_bucket(tables)
        tables.uploads.add(upload)
        for kind, document in documents.items():
            if document is not None:
                # They wait for the object under the name of its upload.
                tables.documents.put(upload.bucket, upload.key, upload.upload_id, kind, document)

    await exchange.store.transact(work)
    root = element(
        "InitiateMultipartUploadResult",
        element("Bucket", upload.bucket),
        element("Key", upload.key),
        element("UploadId", upload.upload_id),
    )
    return exchange.xml(root, encryption_headers(exchange, upload.metadata))


async def upload_part(exchange: Exchange) -> Response:
    """Store the body as one part; the same number again replaces it."""
    number = parse_part_number(exchange.parameter("partNumber"))
    found = await exchange.store.transact(lambda tables: find_upload(exchange, tables))
    check_customer_key(exchange.request, found.metadata)
    record = await exchange.body.into_blob(exchange.store)

    def work(tables: Tables) -> Upload:
        upload = find_upload(exchange, tables)
        tables.uploads.put_part(Part(upload.upload_id, number, exchange.now, record.content))
        return upload

    upload = await exchange.save(record, work)
    headers = [("etag", quoted(record.md5)), ("x-cos-hash-crc64ecma", str(record.crc64))]
    return Response(200, [*headers, *encryption_headers(exchange, upload.metadata)])


async def abort_multipart_upload(exchange: Exchange) -> Response:
    """Forget an upload and its parts."""

    def work(tables: Tables) -> None:
        upload = find_upload(exchange, tables)
        tables.uploads.remove(upload.upload_id)
        take_document(tables, upload, "tagging")
        take_document(tables, upload, "acl")

    await exchange.store.transact(work)
    return Response(204)


async def list_parts(exchange: Exchange) -> Response:
    """The parts uploaded so far, in order of number."""
    after = read_count(exchange, "part-number-marker", default=0)
    limit = min(read_count(exchange, "max-parts", default=MAX_PARTS_LISTED), MAX_PARTS_LISTED)

    def work(tables: Tables) -> tuple[Upload, list[Part]]:
        upload = find_upload(exchange, tables)
        return upload, tables.uploads.parts(upload.upload_id, after=after, limit=limit + 1)

    upload, parts = await exchange.store.transact(work)
    truncated = len(parts) > limit
    parts = parts[:limit]
    root = element(
        "ListPartsResult",
        element("Bucket", upload.bucket),
        *encoding_element(exchange, "EncodingType"),
        element("Key", encoded(exchange, upload.key)),
        element("UploadId", upload.upload_id),
        owner_element(exchange, "Initiator"),
        owner_element(exchange, "Owner"),
        element("PartNumberMarker", str(after)),
        element("NextPartNumberMarker", str(parts[-1].number if parts else after)),
        element("StorageClass", upload.metadata.storage_class),
        element("MaxParts", str(limit)),
        boolean_element("IsTruncated", truncated),
        *(_part_element(part) for part in parts),
    )
    return exchange.xml(root)


def find_upload(exchange: Exchange, tables: Tables) -> Upload:
    """The upload the request names, which belongs to its very bucket and key.

    Raises COSError(NoSuchBucket, AccessDenied, NoSuchUpload, InvalidArgument).
    """
    bucket = exchange.require_bucket(tables)
    upload = tables.uploads.get(parse_upload_id(exchange.parameter("uploadId")))
    if upload is None or upload.bucket != bucket.name or upload.key != exchange.key:
        raise COSError("NoSuchUpload")
    return upload


def take_document(tables: Tables, upload: Upload, kind: str) -> bytes | None:
    """What the initiation said of the object, out of its waiting place; None when it said nothing."""
    document = tables.documents.get(upload.bucket, upload.key, upload.upload_id, kind)
    tables.documents.delete(upload.bucket, upload.key, upload.upload_id, kind)
    return document


def _part_element(part: Part) -> Element:
    return element(
        "Part",
        element("PartNumber", str(part.number)),
        element("LastModified", listing_date(part.modified)),
        element("ETag", quoted(part.content.etag)),
        element("Size", str(part.content.size_bytes)),
    )
