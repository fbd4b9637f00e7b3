"""Complete Multipart Upload asked for again, after it has succeeded.

A client whose first answer was lost asks again, and COS no longer knows the upload: it answers NoSuchUpload, which the
client takes for a failure. What the first time made is still there, though. If the object at the key is the one that
the named parts make, told by its ETag, the answer is the result once more.

Source: COS API, "Complete Multipart Upload" (436/7742); reference page §8; AWS, S3 API, "CompleteMultipartUpload",
which is idempotent there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cos.documents import read_complete_parts
from cos.errors import COSError
from cos.headers import AnswerFields
from cos.rewrite import UpstreamRequest
from cos.target import render_path
from cos.xml import element, parse_error, render_document
from gateway.audit_fields import described
from gateway.context import Context
from gateway.forward import Forwarder
from gateway.ports import PortError, UpstreamResponse

MAX_ERROR_BYTES = 64 * 1024

_MD5 = re.compile(r"[0-9a-f]{32}", re.ASCII)
_KEPT = frozenset(
    {
        b"server", b"x-cos-request-id", b"x-amz-request-id", b"x-cos-version-id", b"x-amz-version-id",
        b"x-cos-hash-crc64ecma", b"x-cos-server-side-encryption", b"x-amz-server-side-encryption",
    }
)  # fmt: skip
"""What of the object's head the first answer said as well."""

Record = Callable[[Mapping[str, Any], bytes], Awaitable[None]]


@dataclass(slots=True)
class HeldResponse:
    """ports.UpstreamResponse that was read, or made, here."""

    status: int
    headers: AnswerFields
    whole_body: bytes | None

    async def stream(self) -> AsyncIterator[bytes]:
        """The body in one piece."""
        if self.whole_body:
            yield self.whole_body

    async def aclose(self) -> None:
        """Nothing is open."""


class RepeatedCompletions:
    """Answers a completion that has succeeded before. `record` makes the look at the object durable."""

    def __init__(self, forwarder: Forwarder, record: Record) -> None:
        self._forwarder = forwarder
        self._record = record

    async def answer(
        self, context: Context, request: UpstreamRequest, document: bytes, response: UpstreamResponse
    ) -> UpstreamResponse:
        """The response to relay: the given one, unless it says NoSuchUpload of an upload that became the object.

        `request` is the completion as it was sent, `document` its body. Raises UpstreamError and AuditUnavailable.
        """
        if response.status != 404:
            return response
        body = await _read(response)
        if body is None:
            return response
        held = HeldResponse(response.status, response.headers, body)
        await response.aclose()
        error = parse_error(body)
        etag = completed_etag(document) if error is not None and error.code == "NoSuchUpload" else None
        if etag is None:
            return held
        await self._record({"type": "measure"}, described(context, judged=False))
        headers = await self._head(context, request)
        if headers is None or headers.get(b"etag", b"").decode("latin-1") != f'"{etag}"':
            return held
        context.repeated = True
        return _result(context, request, etag, headers)

    async def _head(self, context: Context, request: UpstreamRequest) -> dict[bytes, bytes] | None:
        """The head of the object that the completion is about; None when there is none to be seen."""
        if context.request is None:
            raise ValueError("a completion is repeated after it was read")
        asked = UpstreamRequest.of(
            method="HEAD",
            host=request.host,
            path=request.path,
            query=(),
            target=render_path(request.path),
            headers=(),
        )
        try:
            response = await self._forwarder.send(
                asked, b"", bucket=context.bucket, dialect=context.request.dialect, replayable=True
            )
        except PortError:
            return None
        await response.aclose()
        return dict(response.headers) if response.status == 200 else None


def completed_etag(document: bytes) -> str | None:
    """The ETag of the object made of the parts in a completion: MD5 of their binary MD5s, `-`, their number.

    None when it is no completion, or a part's ETag no MD5. Source: AWS, S3 API, "Checking object integrity"; COS's
    samples have its form.
    """
    try:
        etags = [part.etag.lower() for part in read_complete_parts(document)]
    except COSError:
        return None
    if any(_MD5.fullmatch(etag) is None for etag in etags):
        return None
    digests = b"".join([bytes.fromhex(etag) for etag in etags])
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(etags)}"


def _result(context: Context, request: UpstreamRequest, etag: str, headers: Mapping[bytes, bytes]) -> UpstreamResponse:
    address = context.address
    if address is None or address.bucket is None or address.key is None or context.request is None:
        raise ValueError("an upload belongs to an object")
    location = f"http://{context.request.host}{render_path(b'/' + address.key.encode()).decode('ascii')}"
    root = element(
        "CompleteMultipartUploadResult",
        element("Location", location),
        element("Bucket", address.bucket),
        element("Key", address.key),
        element("ETag", f'"{etag}"'),
    )
    kept = [(name, value) for name, value in headers.items() if name in _KEPT]
    fields = AnswerFields.of([*kept, (b"content-type", b"application/xml")])
    return HeldResponse(200, fields, render_document(root))


async def _read(response: UpstreamResponse) -> bytes | None:
    """The whole body of an error; None, with some of it read, when it is too large to be one."""
    if response.whole_body is not None:
        return response.whole_body
    body = bytearray()
    async for piece in response.stream():
        body += piece
        if len(body) > MAX_ERROR_BYTES:
            return None
    return bytes(body)
