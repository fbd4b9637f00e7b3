"""A request's body: streamed into a blob or read whole, and checked against what the headers say of it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

from cos.byte_range import MAX_PART_BYTES
from cos.errors import COSError
from cos.framing import read_body_length
from cos.headers import Headers
from emulator.digests import Hasher
from emulator.store.model import BlobRecord
from emulator.store.ports import BlobWriter, Store

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

MAX_DOCUMENT_BYTES = 4 * 1024 * 1024
"""The largest XML body: 10,000 parts of Complete fit."""
BUFFER_BYTES = 1024 * 1024
"""How much of a body is held before it is hashed and written; bounds the memory of one upload."""


class RequestBody:
    """The body of one request, readable once."""

    def __init__(self, headers: Headers, receive: Receive) -> None:
        self._headers = headers
        self._receive = receive

    @property
    def length_bytes(self) -> int | None:
        """The declared length (0 without one), or None when the body is chunked."""
        return read_body_length(self._headers)

    def require_length(self) -> None:
        """Raises COSError(MissingContentLength) when neither a length nor chunks are declared."""
        if b"content-length" not in self._headers and b"transfer-encoding" not in self._headers:
            raise COSError("MissingContentLength")

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises COSError(IncompleteBody) when the client goes away."""
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise COSError("IncompleteBody")
            if message.get("body"):
                yield message["body"]
            if not message.get("more_body", False):
                return

    async def document(self) -> bytes:
        """The whole of a small body. Raises COSError(BadDigest, InvalidDigest, XMLSizeLimit, IncompleteBody)."""
        document = bytearray()
        checks = _Checks(self._headers, of_content=False)
        async for chunk in self.chunks():
            document += chunk
            if len(document) > MAX_DOCUMENT_BYTES:
                raise COSError("XMLSizeLimit", f"Expected a body of at most {MAX_DOCUMENT_BYTES} bytes.")
        checks.update(document)
        checks.compare(hashlib.md5(document, usedforsecurity=False).hexdigest())
        return bytes(document)

    async def into_blob(self, store: Store) -> BlobRecord:
        """Stream the body into a new, sealed blob that no row names yet.

        Raises COSError(BadDigest, InvalidDigest, EntityTooLarge, IncompleteBody, MissingContentLength,
        NotImplemented); the blob is then gone.
        """
        self.require_length()
        if (self.length_bytes or 0) > MAX_PART_BYTES:
            raise COSError("EntityTooLarge", f"Expected at most {MAX_PART_BYTES} bytes, got {self.length_bytes}.")
        checks = _Checks(self._headers)
        hasher = Hasher()
        writer = store.blobs.create()
        try:
            await self._write(store, writer, hasher, checks)
            digest = hasher.digest()
            checks.compare(digest.md5)
            blob = await store.call(writer.seal)
        except BaseException:
            await store.call(writer.discard)
            raise
        return BlobRecord(blob, digest.size_bytes, digest.md5, digest.crc64)

    async def _write(self, store: Store, writer: BlobWriter, hasher: Hasher, checks: _Checks) -> None:
        buffer = bytearray()
        total_bytes = 0

        def flush() -> None:
            data = bytes(buffer)
            hasher.update(data)
            checks.update(data)
            writer.write(data)

        async for chunk in self.chunks():
            total_bytes += len(chunk)
            if total_bytes > MAX_PART_BYTES:
                raise COSError("EntityTooLarge", f"Expected at most {MAX_PART_BYTES} bytes.")
            buffer += chunk
            if len(buffer) >= BUFFER_BYTES:
                await store.call(flush)
                buffer = bytearray()
        if buffer:
            await store.call(flush)


class _Checks:
    """What the headers promise of the content: Content-MD5, x-amz-content-sha256, x-amz-checksum-crc32."""

    def __init__(self, headers: Headers, *, of_content: bool = True) -> None:
        """A document's x-amz-checksum-crc32 may be that of the object it completes: then it is not compared."""
        self._md5 = _decode_md5(headers.text(b"content-md5"))
        sha256 = headers.text(b"x-amz-content-sha256") or ""
        if sha256.startswith("STREAMING-"):
            # COS itself takes no aws-chunked bodies (reference page §2.4, observed 2026-07-31).
            raise COSError("NotImplemented", f"Expected a body without chunk signatures, got {sha256[:60]!r}.")
        self._sha256 = sha256.lower() if len(sha256) == 64 else None
        self._crc32 = headers.text(b"x-amz-checksum-crc32") if of_content else None
        self._running_sha256 = hashlib.sha256()
        self._running_crc32 = 0

    def update(self, data: bytes | bytearray) -> None:
        if self._sha256 is not None:
            self._running_sha256.update(data)
        if self._crc32 is not None:
            self._running_crc32 = zlib.crc32(data, self._running_crc32)

    def compare(self, md5: str) -> None:
        """Raises COSError(BadDigest) for the first promise that is not kept."""
        if self._md5 is not None and not hmac.compare_digest(self._md5, md5):
            raise COSError("BadDigest")
        if self._sha256 is not None and not hmac.compare_digest(self._sha256, self._running_sha256.hexdigest()):
            raise COSError("BadDigest", "The x-amz-content-sha256 you specified did not match what was received.")
        crc32 = base64.b64encode(self._running_crc32.to_bytes(4, "big")).decode()
        if self._crc32 is not None and self._crc32 != crc32:
            raise COSError("BadDigest", "The x-amz-checksum-crc32 you specified did not match what was received.")


def _decode_md5(text: str | None) -> str | None:
    """Base64 Content-MD5 as hex; empty means absent (the Node.js SDK sends empty headers)."""
    if not text:
        return None
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error:
        raw = b""
    if len(raw) != 16:
        raise COSError("InvalidDigest")
    return raw.hex()
