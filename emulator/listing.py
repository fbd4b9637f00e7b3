"""Listings of a bucket: objects (version 1, and version 2 for S3 clients), versions, uploads.

Source: COS API, "GET Bucket (List Objects)", "GET Bucket Object Versions", "List Multipart Uploads"; S3 API,
"ListObjectsV2"; reference page §4.
"""

from __future__ import annotations

import base64
import binascii

from cos.errors import COSError
from cos.request import Dialect
from cos.xml import Element, element
from emulator.dates import listing_date
from emulator.exchange import Exchange, Response, quoted
from emulator.paging import MAX_KEYS, Cursor, Page, paginate
from emulator.rendering import boolean_element, encoded, encoding_element, owner_element, read_count
from emulator.store.model import ObjectVersion, Upload
from emulator.store.tables import Tables


async def get_bucket(exchange: Exchange) -> Response:
    """The current objects; `list-type=2` chooses the S3 form with continuation tokens."""
    list_type = exchange.parameter("list-type")
    if list_type not in ("", "1", "2"):
        raise COSError("InvalidArgument", f"Expected list-type 1 or 2, got {list_type[:40]!r}.")
    second = list_type == "2"
    limit = _limit(exchange, "max-keys")
    marker = _read_start(exchange) if second else exchange.parameter("marker")
    page = await exchange.store.transact(lambda tables: _objects_page(exchange, tables, marker, limit))
    with_owner = not second or exchange.parameter("fetch-owner") == "true"
    markers = _second_markers(exchange, page) if second else _first_markers(exchange, page, marker)
    root = element(
        "ListBucketResult",
        element("Name", exchange.bucket_name),
        *encoding_element(exchange, "EncodingType"),
        element("Prefix", encoded(exchange, exchange.parameter("prefix"))),
        *markers,
        element("MaxKeys", str(limit)),
        element("Delimiter", encoded(exchange, exchange.parameter("delimiter"))),
        boolean_element("IsTruncated", page.truncated),
        *(_object_element(exchange, version, with_owner=with_owner) for version in page.entries),
        *_prefix_elements(exchange, page.prefixes, "CommonPrefixes"),
    )
    return exchange.xml(root)


async def get_bucket_object_versions(exchange: Exchange) -> Response:
    """Every version and delete marker, newest first under each key."""
    limit = _limit(exchange, "max-keys")
    key_marker, version_marker = exchange.parameter("key-marker"), exchange.parameter("version-id-marker")

    def work(tables: Tables) -> Page[ObjectVersion]:
        bucket = exchange.require_bucket(tables)
        row = tables.objects.version(bucket.name, key_marker, version_marker) if version_marker else None
        if version_marker and row is None:
            raise COSError("InvalidArgument", "Expected version-id-marker to be a version of key-marker.")
        prefix = exchange.parameter("prefix")

        def fetch(cursor: Cursor[ObjectVersion], count: int) -> list[ObjectVersion]:
            return tables.objects.version_page(
                bucket.name,
                prefix=prefix,
                after=cursor.key,
                limit=count,
                newer_than=cursor.row.sequence if cursor.row is not None else None,
                inclusive=cursor.inclusive,
            )

        cursor = Cursor(key_marker, row=row)
        delimiter = exchange.parameter("delimiter")
        return paginate(fetch, prefix=prefix, delimiter=delimiter, marker=cursor, limit=limit)

    page = await exchange.store.transact(work)
    following = []
    if page.truncated:
        following = [
            element("NextKeyMarker", encoded(exchange, page.last)),
            element("NextVersionIdMarker", page.last_row.version_id if page.last_row is not None else ""),
        ]
    root = element(
        "ListVersionsResult",
        element("Name", exchange.bucket_name),
        *encoding_element(exchange, "EncodingType"),
        element("Prefix", encoded(exchange, exchange.parameter("prefix"))),
        element("KeyMarker", encoded(exchange, key_marker)),
        element("VersionIdMarker", version_marker),
        *following,
        element("MaxKeys", str(limit)),
        element("Delimiter", encoded(exchange, exchange.parameter("delimiter"))),
        boolean_element("IsTruncated", page.truncated),
        *(_version_element(exchange, version) for version in page.entries),
        *_prefix_elements(exchange, page.prefixes, "CommonPrefixes"),
    )
    return exchange.xml(root)


async def list_multipart_uploads(exchange: Exchange) -> Response:
    """Uploads that were initiated and neither completed nor aborted, by key and upload ID."""
    limit = _limit(exchange, "max-uploads")
    key_marker, upload_marker = exchange.parameter("key-marker"), exchange.parameter("upload-id-marker")
    prefix = exchange.parameter("prefix")

    def work(tables: Tables) -> Page[Upload]:
        bucket = exchange.require_bucket(tables)

        def fetch(cursor: Cursor[Upload], count: int) -> list[Upload]:
            # The first page has no row yet, only the marker's text: any upload ID may be a marker.
            resumed = cursor.row.upload_id if cursor.row is not None else None
            if resumed is None and not cursor.inclusive and cursor.key == key_marker:
                resumed = upload_marker or None
            return tables.uploads.page(
                bucket.name,
                prefix=prefix,
                after=cursor.key,
                limit=count,
                after_upload_id=resumed,
                inclusive=cursor.inclusive,
            )

        delimiter = exchange.parameter("delimiter")
        return paginate(fetch, prefix=prefix, delimiter=delimiter, marker=Cursor(key_marker), limit=limit)

    page = await exchange.store.transact(work)
    root = element(
        "ListMultipartUploadsResult",
        element("Bucket", exchange.bucket_name),
        *encoding_element(exchange, "Encoding-Type" if not _is_s3(exchange) else "EncodingType"),
        element("KeyMarker", encoded(exchange, key_marker)),
        element("UploadIdMarker", upload_marker),
        element("NextKeyMarker", encoded(exchange, page.last) if page.truncated else ""),
        element("NextUploadIdMarker", page.last_row.upload_id if page.truncated and page.last_row else ""),
        element("MaxUploads", str(limit)),
        boolean_element("IsTruncated", page.truncated),
        element("Prefix", encoded(exchange, prefix)),
        element("Delimiter", encoded(exchange, exchange.parameter("delimiter"))),
        *(_upload_element(exchange, upload) for upload in page.entries),
        # COS spells it so; S3 does not.
        *_prefix_elements(exchange, page.prefixes, "CommonPrefixes" if _is_s3(exchange) else "CommonPrefixs"),
    )
    return exchange.xml(root)


def _objects_page(exchange: Exchange, tables: Tables, marker: str, limit: int) -> Page[ObjectVersion]:
    bucket = exchange.require_bucket(tables)
    prefix = exchange.parameter("prefix")

    def fetch(cursor: Cursor[ObjectVersion], count: int) -> list[ObjectVersion]:
        return tables.objects.page(
            bucket.name, prefix=prefix, after=cursor.key, limit=count, inclusive=cursor.inclusive
        )

    delimiter = exchange.parameter("delimiter")
    return paginate(fetch, prefix=prefix, delimiter=delimiter, marker=Cursor(marker), limit=limit)


def _first_markers(exchange: Exchange, page: Page[ObjectVersion], marker: str) -> list[Element]:
    following = [element("NextMarker", encoded(exchange, page.last))] if page.truncated else []
    return [element("Marker", encoded(exchange, marker)), *following]


def _second_markers(exchange: Exchange, page: Page[ObjectVersion]) -> list[Element]:
    items = [element("KeyCount", str(len(page.entries) + len(page.prefixes)))]
    if exchange.parameter("start-after"):
        items.append(element("StartAfter", encoded(exchange, exchange.parameter("start-after"))))
    if exchange.parameter("continuation-token"):
        items.append(element("ContinuationToken", exchange.parameter("continuation-token")))
    if page.truncated:
        token = base64.urlsafe_b64encode(page.last.encode("utf-8")).decode()
        items.append(element("NextContinuationToken", token))
    return items


def _read_start(exchange: Exchange) -> str:
    """Where a version 2 listing goes on: the token outranks start-after. Raises COSError(InvalidArgument)."""
    token = exchange.parameter("continuation-token")
    if not token:
        return exchange.parameter("start-after")
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        raise COSError("InvalidArgument", "Expected continuation-token to be one of this listing.") from None


def _limit(exchange: Exchange, name: str) -> int:
    return min(read_count(exchange, name, default=MAX_KEYS), MAX_KEYS)


def _is_s3(exchange: Exchange) -> bool:
    return exchange.dialect is Dialect.S3


def _object_element(exchange: Exchange, version: ObjectVersion, *, with_owner: bool) -> Element:
    return element(
        "Contents", element("Key", encoded(exchange, version.key)), *_described(exchange, version, with_owner)
    )


def _described(exchange: Exchange, version: ObjectVersion, with_owner: bool) -> list[Element]:
    items = [element("LastModified", listing_date(version.modified))]
    if version.content is not None:
        items.append(element("ETag", quoted(version.content.etag)))
        items.append(element("Size", str(version.content.size_bytes)))
    if with_owner:
        items.append(owner_element(exchange, "Owner"))
    if version.content is not None:
        items.append(element("StorageClass", version.metadata.storage_class))
    return items


def _version_element(exchange: Exchange, version: ObjectVersion) -> Element:
    return element(
        "DeleteMarker" if version.content is None else "Version",
        element("Key", encoded(exchange, version.key)),
        element("VersionId", version.version_id),
        boolean_element("IsLatest", version.current),
        *_described(exchange, version, with_owner=True),
    )


def _upload_element(exchange: Exchange, upload: Upload) -> Element:
    return element(
        "Upload",
        element("Key", encoded(exchange, upload.key)),
        element("UploadId", upload.upload_id),
        element("StorageClass", upload.metadata.storage_class),
        owner_element(exchange, "Initiator"),
        owner_element(exchange, "Owner"),
        element("Initiated", listing_date(upload.initiated)),
    )


def _prefix_elements(exchange: Exchange, prefixes: list[str], tag: str) -> list[Element]:
    return [element(tag, element("Prefix", encoded(exchange, prefix))) for prefix in prefixes]
