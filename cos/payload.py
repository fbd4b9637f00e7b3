"""What a request promises of its body, and whether the body kept it.

A promise is checked while the body passes, and known to be kept only when all of it has passed. Checked here
is what COS cannot: the SHA-256 a SigV4 signature covers, the signatures and trailers of aws-chunked bodies
(COS does not accept those, reference page §2.4), `x-amz-checksum-*`, and the declared length. Content-MD5 goes
upstream with the request and is compared there.

Towards COS the content goes as it is, with a plain Content-Length and the payload declared unsigned.
"""

from __future__ import annotations

import hashlib
import hmac

from cos.checksums import CHECKSUM_PREFIX, CHECKSUMS, Checksum, render_checksum
from cos.errors import COSError
from cos.framing import is_aws_chunked, read_content_length
from cos.headers import FieldNames, Headers
from cos.operations import Operation
from cos.remembering import remembering
from cos.request import Dialect, Request
from cos.signing.chunked import SIGNED_PREFIX, TRAILER_SUFFIX, ChunkDecoder, ChunkSignatures

_ABOUT_THE_OBJECT = frozenset({"CompleteMultipartUpload", "InitiateMultipartUpload"})
"""Operations whose x-amz-checksum-* headers describe the object to be made, not the body."""
_PROMISES = frozenset(
    {b"content-md5", b"x-amz-content-sha256", *(f"{CHECKSUM_PREFIX}{name}".encode() for name in CHECKSUMS)}
)
"""The header fields that may promise something of the body besides its length."""


class PayloadReader:
    """The body of one request on its way: encoded pieces in, content out.

    `sha256` is the lower-case hex digest the content must have; `checksums` by header name with their promised
    values, None when the trailer will tell; `length_bytes` None when it was not declared.
    """

    def __init__(
        self,
        *,
        sha256: str | None = None,
        checksums: dict[str, str | None] | None = None,
        decoder: ChunkDecoder | None = None,
        length_bytes: int | None = None,
    ) -> None:
        self._sha256 = sha256
        self._running_sha256 = hashlib.sha256()
        self._promised = checksums or {}
        self._running: dict[str, Checksum] = {
            name: CHECKSUMS[name.removeprefix(CHECKSUM_PREFIX)]() for name in self._promised
        }
        self._decoder = decoder
        self._length_bytes = length_bytes
        self._received_bytes = 0

    def feed(self, piece: bytes) -> bytes:
        """The content in the next piece of the body. Raises COSError as soon as a promise is seen broken."""
        content = self._decoder.feed(piece) if self._decoder is not None else piece
        self._received_bytes += len(content)
        if self._length_bytes is not None and self._received_bytes > self._length_bytes:
            raise self._wrong_length(self._length_bytes)
        if self._sha256 is not None:
            self._running_sha256.update(content)
        for checksum in self._running.values():
            checksum.update(content)
        return content

    def finish(self) -> None:
        """The body has ended: was every promise kept?

        Raises COSError: IncompleteBody, XAmzContentSHA256Mismatch, BadDigest, and what `ChunkDecoder` raises.
        """
        trailer = self._decoder.finish() if self._decoder is not None else {}
        if self._length_bytes is not None and self._received_bytes != self._length_bytes:
            raise self._wrong_length(self._length_bytes)
        if self._sha256 is not None and not hmac.compare_digest(self._running_sha256.hexdigest(), self._sha256):
            raise COSError("XAmzContentSHA256Mismatch")
        for name, checksum in self._running.items():
            promised = self._promised[name] or trailer[name]
            if not hmac.compare_digest(render_checksum(checksum), promised):
                raise COSError("BadDigest", f"The {name} you specified did not match what was received.")

    def _wrong_length(self, expected: int) -> COSError:
        return COSError("IncompleteBody", f"Expected a body of {expected} bytes, got {self._received_bytes}.")


def open_payload(
    request: Request, operation: Operation, *, sha256: str | None, signatures: ChunkSignatures | None
) -> PayloadReader | None:
    """A reader for the body of a request whose signature was proved; None when nothing but its length is promised.

    `sha256` is what the signature covers (`Claim.payload_sha256`), `signatures` the chain of a body in signed
    chunks. Raises COSError(InvalidRequest, InvalidDigest) for promises that cannot be understood.
    """
    headers = request.headers
    if sha256 is None and not _may_promise(headers.known):
        read_content_length(headers)
        return None
    if request.dialect is Dialect.S3 and headers.get(b"content-md5") == b"":
        # Empty fields are not passed on; to S3 this one is a promise that nothing can keep.
        raise COSError("InvalidDigest")
    checksums: dict[str, str | None] = {}
    if request.dialect is Dialect.S3 and operation.name not in _ABOUT_THE_OBJECT:
        for name in CHECKSUMS:
            promised = headers.text(f"{CHECKSUM_PREFIX}{name}".encode())
            if promised is not None:
                checksums[CHECKSUM_PREFIX + name] = promised
    length = read_content_length(headers)
    if not is_aws_chunked(headers):
        if sha256 is None and not checksums:
            return None
        return PayloadReader(sha256=sha256, checksums=checksums, length_bytes=length)
    declared = headers.text(b"x-amz-content-sha256") or ""
    if (signatures is not None) != declared.startswith(SIGNED_PREFIX) or length is None:
        raise COSError("InvalidRequest", "Expected chunks to be signed exactly when x-amz-content-sha256 says so.")
    trailer_names = _read_trailer_names(headers) if declared.endswith(TRAILER_SUFFIX) else None
    for name in trailer_names or ():
        checksums.setdefault(name, None)
    decoder = ChunkDecoder(signatures=signatures, trailer_names=trailer_names, content_bytes=length)
    return PayloadReader(checksums=checksums, decoder=decoder, length_bytes=length)


@remembering(256)
def _may_promise(known: FieldNames) -> bool:
    return not _PROMISES.isdisjoint(known.names)


def _read_trailer_names(headers: Headers) -> frozenset[str]:
    text = headers.text(b"x-amz-trailer") or ""
    names = frozenset(name.strip().lower() for name in text.split(",") if name.strip())
    for name in names:
        if name.removeprefix(CHECKSUM_PREFIX) not in CHECKSUMS or not name.startswith(CHECKSUM_PREFIX):
            raise COSError("InvalidRequest", f"Expected x-amz-trailer to name checksums, got {name[:60]!r}.")
    return names
