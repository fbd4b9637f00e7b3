"""How large a multipart object will be when it is completed: the parts its completion names, as COS lists them.

A part that COS does not list, or lists with another ETag, is refused as COS would refuse it: the ETags in the
completion tie what is completed to what was measured, also when a part is replaced in between.
"""

from __future__ import annotations

from collections.abc import Sequence

from cos.calls import ObjectCall
from cos.documents import CompletedPart
from cos.errors import COSError
from cos.request import Dialect
from cos.rewrite import list_upload_parts
from cos.xml import Element, parse_xml
from gateway.forward import Forwarder
from gateway.ports import BucketRecord, UpstreamResponse

MAX_PAGE_BYTES = 4 * 1024**2
MAX_PAGES = 10
"""COS lists a thousand parts at once, and an upload has ten thousand at most."""


async def measure_upload(
    forwarder: Forwarder, call: ObjectCall, bucket: BucketRecord, parts: Sequence[CompletedPart]
) -> int:
    """The bytes of the named parts together. Raises COSError(NoSuchUpload, InvalidPart, BadGateway), PortError."""
    sizes: dict[int, tuple[str, int]] = {}
    marker = 0
    for _ in range(MAX_PAGES):
        page = await _page(forwarder, call, bucket, marker)
        for listed in page.all("Part"):
            sizes[_number(listed, "PartNumber")] = (listed.text_of("ETag").strip('"'), _number(listed, "Size"))
        if page.text_of("IsTruncated") != "true":
            break
        marker = _number(page, "NextPartNumberMarker")
    else:
        raise _unmeasured()
    total = 0
    for part in parts:
        etag, size = sizes.get(part.part_number, ("", 0))
        if not etag or etag != part.etag:
            raise COSError("InvalidPart")
        total += size
    return total


async def _page(forwarder: Forwarder, call: ObjectCall, bucket: BucketRecord, marker: int) -> Element:
    address = call.address
    if address.bucket is None or address.key is None or call.upload_id is None:
        raise ValueError("only an upload has parts to measure")
    request = list_upload_parts(address.bucket, address.key, call.upload_id, region=bucket.region, after=marker)
    response = await forwarder.send(request, b"", bucket=bucket, dialect=Dialect.COS, replayable=True)
    try:
        if response.status == 404:
            raise COSError("NoSuchUpload")
        if response.status != 200:
            raise _unmeasured()
        body = await _read(response)
    finally:
        await response.aclose()
    try:
        page = parse_xml(body, max_bytes=MAX_PAGE_BYTES)
    except COSError:
        raise _unmeasured() from None
    if page.tag != "ListPartsResult":
        raise _unmeasured()
    return page


async def _read(response: UpstreamResponse) -> bytes:
    if response.whole_body is not None:
        return response.whole_body
    body = bytearray()
    async for piece in response.stream():
        body += piece
        if len(body) > MAX_PAGE_BYTES:
            raise _unmeasured()
    return bytes(body)


def _number(node: Element, tag: str) -> int:
    text = node.text_of(tag)
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise _unmeasured()
    return int(text)


def _unmeasured() -> COSError:
    return COSError("BadGateway", "The parts of the upload could not be measured.")
