"""Delete Multiple Objects: up to 1,000 keys or versions in one request.

Source: COS API, "DELETE Multiple Objects"; reference page §2.4 (Content-MD5 is required), §4.
"""

from __future__ import annotations

from cos.errors import COSError
from cos.values import parse_object_key
from cos.xml import Element, element, parse_xml
from emulator.body import MAX_DOCUMENT_BYTES
from emulator.exchange import Exchange, Response
from emulator.objects import Deleted, delete_version
from emulator.store.tables import Tables

MAX_DELETED = 1000


async def delete_multiple_objects(exchange: Exchange) -> Response:
    """Delete what is listed; with Quiet only failures are reported."""
    if not exchange.request.headers.text(b"content-md5"):
        raise COSError("InvalidRequest", "Missing required header for this request: Content-MD5")
    root = parse_xml(await exchange.body.document(), max_bytes=MAX_DOCUMENT_BYTES)
    rows = root.all("Object") if root.tag == "Delete" else []
    if not 1 <= len(rows) <= MAX_DELETED or any(row.first("Key") is None for row in rows):
        raise COSError("MalformedXML", f"Expected Delete with 1 to {MAX_DELETED} objects, each with a Key.")
    quiet = root.text_of("Quiet").strip().lower() == "true"

    def work(tables: Tables) -> list[Element]:
        bucket = exchange.require_bucket(tables)
        results = []
        for row in rows:
            key, version_id = row.text_of("Key"), row.text_of("VersionId").strip() or None
            try:
                parse_object_key(key.encode("utf-8"))
            except COSError as error:
                results.append(_failure(key, version_id, error))
                continue
            deleted = delete_version(exchange, tables, bucket, key, version_id)
            if not quiet:
                results.append(_success(key, version_id, deleted))
        return results

    return exchange.xml(element("DeleteResult", *await exchange.store.transact(work)))


def _success(key: str, version_id: str | None, deleted: Deleted) -> Element:
    items = [element("Key", key)]
    if version_id is not None:
        items.append(element("VersionId", version_id))
    if deleted.marker:
        items.append(element("DeleteMarker", "true"))
        items.append(element("DeleteMarkerVersionId", deleted.version_id or ""))
    return element("Deleted", *items)


def _failure(key: str, version_id: str | None, error: COSError) -> Element:
    items = [element("Key", key), element("Code", error.code), element("Message", error.message)]
    if version_id is not None:
        items.append(element("VersionId", version_id))
    return element("Error", *items)
