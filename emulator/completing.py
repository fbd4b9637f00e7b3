"""Complete Multipart Upload: the listed parts become the object.

When Complete takes long, COS answers 200 at once and sends spaces until the result, which may then be an
`<Error>` document. The XML declaration goes first, because the Python SDK fails on white space before it.

Source: COS API, "Complete Multipart Upload" (436/7742); reference page §3.6, §4.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise

from cos.errors import COSError
from cos.values import MAX_PART_NUMBER, parse_part_number
from cos.xml import Element, element, parse_xml
from emulator.body import MAX_DOCUMENT_BYTES
from emulator.digests import combine_crc64, multipart_etag
from emulator.exchange import Exchange, Response, quoted
from emulator.metadata import encryption_headers
from emulator.multipart import find_upload, take_document
from emulator.objects import next_version_id, put_version
from emulator.preconditions import check_replaced
from emulator.store.model import (
    BucketRecord,
    Content,
    ObjectVersion,
    Part,
    Upload,
    Versioning,
    merge_extents,
)
from emulator.store.tables import Tables

MIN_PART_BYTES = 1024 * 1024
"""The smallest part that is not the last one, inclusive."""

_ETAG = re.compile(r'"?([0-9a-fA-F]{32})"?', re.ASCII)


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """How long Complete takes and how often it sends a space meanwhile, in seconds."""

    complete_seconds: float
    interval_seconds: float


@dataclass(frozen=True, slots=True)
class _Plan:
    upload: Upload
    bucket: BucketRecord
    content: Content
    version_id: str


async def complete_multipart_upload(
    exchange: Exchange, keep_alive: KeepAlive, render_failure: Callable[[COSError], bytes]
) -> Response:
    """Join the parts. `render_failure` writes the document of a failure inside a 200."""
    listed = _read_parts(await exchange.body.document())

    def plan(tables: Tables) -> _Plan:
        upload = find_upload(exchange, tables)
        bucket = exchange.require_bucket(tables)
        check_replaced(exchange, tables, bucket)
        content = _join(tables.uploads.parts(upload.upload_id), listed)
        return _Plan(upload, bucket, content, next_version_id(exchange, bucket))

    def finish(tables: Tables) -> None:
        upload = find_upload(exchange, tables)
        check_replaced(exchange, tables, planned.bucket)
        # The parts are looked up again: one may have been replaced while Complete waited.
        content = _join(tables.uploads.parts(upload.upload_id), listed)
        version = ObjectVersion(
            bucket=upload.bucket,
            key=upload.key,
            version_id=planned.version_id,
            modified=exchange.now,
            content=content,
            metadata=upload.metadata,
        )
        put_version(tables, version, take_document(tables, upload, "tagging"), take_document(tables, upload, "acl"))
        tables.uploads.remove(upload.upload_id)

    planned = await exchange.store.transact(plan)
    headers = [("x-cos-hash-crc64ecma", str(planned.content.crc64))]
    if planned.bucket.versioning is not Versioning.OFF:
        headers.append((exchange.named("version-id"), planned.version_id))
    headers.extend(encryption_headers(exchange, planned.upload.metadata))
    root = _result(exchange, planned)
    if keep_alive.complete_seconds <= 0:
        await exchange.store.transact(finish)
        return exchange.xml(root, headers)

    async def body() -> AsyncGenerator[bytes, None]:
        declaration, _, document = exchange.render(root).partition(b"\n")
        yield declaration + b"\n"
        remaining = keep_alive.complete_seconds
        while remaining > 0:
            await asyncio.sleep(min(remaining, keep_alive.interval_seconds))
            remaining -= keep_alive.interval_seconds
            yield b" "
        try:
            await exchange.store.transact(finish)
        except COSError as error:
            document = render_failure(error).partition(b"\n")[2]
        yield document

    return Response(200, [("content-type", "application/xml"), *headers], body())


def _read_parts(document: bytes) -> list[tuple[int, str]]:
    """Part numbers and unquoted ETags in the order listed. Raises COSError(MalformedXML, InvalidPart, …)."""
    root = parse_xml(document, max_bytes=MAX_DOCUMENT_BYTES)
    rows = root.all("Part") if root.tag.rpartition(":")[2] == "CompleteMultipartUpload" else []
    if not 1 <= len(rows) <= MAX_PART_NUMBER:
        raise COSError("MalformedXML", f"Expected CompleteMultipartUpload with 1 to {MAX_PART_NUMBER} parts.")
    listed = []
    for row in rows:
        number = parse_part_number(row.text_of("PartNumber").strip())
        etag = _ETAG.fullmatch(row.text_of("ETag").strip())
        if etag is None:
            raise COSError("InvalidPart", f"Expected part {number} to have the ETag of its upload.")
        listed.append((int(number), etag[1].lower()))
    return listed


def _join(parts: list[Part], listed: list[tuple[int, str]]) -> Content:
    """The content of the listed parts. Raises COSError(InvalidPartOrder, InvalidPart, EntityTooSmall)."""
    numbers = [number for number, _ in listed]
    if any(second <= first for first, second in pairwise(numbers)):
        raise COSError("InvalidPartOrder")
    held = {part.number: part.content for part in parts}
    chosen = []
    for number, etag in listed:
        content = held.get(number)
        if content is None or content.etag != etag:
            raise COSError("InvalidPart", f"Part {number} was not uploaded or has another ETag.")
        chosen.append(content)
    for number, content in zip(numbers[:-1], chosen[:-1], strict=True):
        if content.size_bytes < MIN_PART_BYTES:
            raise COSError(
                "EntityTooSmall",
                f"Expected every part but the last to have {MIN_PART_BYTES} bytes or more; "
                f"part {number} has {content.size_bytes}.",
            )
    return Content(
        extents=merge_extents(extent for content in chosen for extent in content.extents),
        size_bytes=sum(content.size_bytes for content in chosen),
        etag=multipart_etag(content.etag for content in chosen),
        crc64=reduce(lambda crc64, content: combine_crc64(crc64, content.crc64, content.size_bytes), chosen, 0),
        part_bytes=tuple(content.size_bytes for content in chosen),
    )


def _result(exchange: Exchange, planned: _Plan) -> Element:
    return element(
        "CompleteMultipartUploadResult",
        element("Location", f"http://{exchange.request.host}{exchange.request.target.raw.decode().partition('?')[0]}"),
        element("Bucket", planned.upload.bucket),
        element("Key", planned.upload.key),
        element("ETag", quoted(planned.content.etag)),
    )
