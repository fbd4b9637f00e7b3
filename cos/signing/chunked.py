"""The aws-chunked body of S3 clients: content in chunks, each signed or none, with checksums behind it.

    STREAMING-AWS4-HMAC-SHA256-PAYLOAD            <size>;chunk-signature=<sig>⏎ <content>⏎ … 0;chunk-signature=<sig>⏎ ⏎
    STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER    the same, then <name>:<value>⏎ … x-amz-trailer-signature:<sig>⏎ ⏎
    STREAMING-UNSIGNED-PAYLOAD-TRAILER            <size>⏎ <content>⏎ … 0⏎ <name>:<value>⏎ … ⏎

Sizes are hexadecimal, ⏎ is CRLF. Each signature covers the one before, the first the request's own, so chunks
can be neither exchanged nor left out. Content is handed out as it comes, before its chunk's signature is
known to be right: whoever uses it must be able to take it back until `finish` returned.

Source: AWS, S3 API, "Signature Calculations for the Authorization Header: Transferring Payload in Multiple
Chunks" and "… with Trailing Headers".
"""

from __future__ import annotations

import hashlib
import hmac
import re
from enum import Enum, auto

from cos.errors import COSError
from cos.signing.claim import SigV4Terms
from cos.signing.keyed import KeyedDigest

PAYLOAD_ALGORITHM = "AWS4-HMAC-SHA256-PAYLOAD"
TRAILER_ALGORITHM = "AWS4-HMAC-SHA256-TRAILER"
SIGNED_PREFIX = "STREAMING-AWS4-"
TRAILER_SUFFIX = "-TRAILER"
TRAILER_SIGNATURE = "x-amz-trailer-signature"
MAX_TRAILER_BYTES = 4096

_MAX_SIZE_LINE_BYTES = 128
_UNSIGNED_SIZE = re.compile(rb"(?P<size>[0-9A-Fa-f]{1,12})")
_SIGNED_SIZE = re.compile(rb"(?P<size>[0-9A-Fa-f]{1,12});chunk-signature=(?P<signature>[0-9a-f]{64})")
_TRAILER = re.compile(rb"(?P<name>[A-Za-z0-9-]{1,64}):[ \t]*(?P<value>[\x21-\x7e]{1,128})[ \t]*")
_NOTHING = hashlib.sha256().hexdigest()


class ChunkSignatures:
    """The chain of signatures of one body. `key` is the request's signing key."""

    def __init__(self, key: KeyedDigest, terms: SigV4Terms, seed_signature: str) -> None:
        self._key = key
        self._scope = f"{terms.moment}\n{terms.scope}"
        self._previous = seed_signature

    def sign_chunk(self, content_sha256: str) -> str:
        """The signature of the next chunk; both are 64 hex digits."""
        return self._advance(f"{PAYLOAD_ALGORITHM}\n{self._scope}\n{self._previous}\n{_NOTHING}\n{content_sha256}")

    def sign_trailer(self, lines: bytes) -> str:
        """The signature of the trailing headers: `name:value` and LF, each."""
        digest = hashlib.sha256(lines).hexdigest()
        return self._advance(f"{TRAILER_ALGORITHM}\n{self._scope}\n{self._previous}\n{digest}")

    def _advance(self, text: str) -> str:
        self._previous = self._key.sign(text)
        return self._previous

    def __repr__(self) -> str:
        return "ChunkSignatures()"


class _Expected(Enum):
    SIZE = auto()
    CONTENT = auto()
    CONTENT_END = auto()
    TRAILER = auto()


class ChunkDecoder:
    """Takes the encoding off a body that arrives in pieces.

    `signatures` is None when the chunks are unsigned; `trailer_names` None when there is no trailer, otherwise
    the lower-case names that must be in it, and no other; `content_bytes` is the declared length of the content.
    Memory is bounded by one piece and the constants above.
    """

    def __init__(
        self, *, signatures: ChunkSignatures | None, trailer_names: frozenset[str] | None, content_bytes: int
    ) -> None:
        self._signatures = signatures
        self._trailer_names = trailer_names
        self._declared_bytes = content_bytes
        self._received_bytes = 0
        self._expected = _Expected.SIZE
        self._buffer = bytearray()
        self._left_bytes = 0
        self._digest = hashlib.sha256()
        self._claimed_signature = ""

    def feed(self, piece: bytes) -> bytes:
        """The content in the next piece of the body.

        Raises COSError: SignatureDoesNotMatch for a chunk, IncompleteBody for more content than declared,
        InvalidRequest for what is not a chunk, MalformedTrailerError.
        """
        content = []
        position = 0
        while position < len(piece):
            match self._expected:
                case _Expected.SIZE:
                    position = self._take_size(piece, position)
                case _Expected.CONTENT:
                    part = piece[position : position + self._left_bytes]
                    position += len(part)
                    self._left_bytes -= len(part)
                    if self._signatures is not None:
                        self._digest.update(part)
                    content.append(part)
                    if not self._left_bytes:
                        self._expected = _Expected.CONTENT_END
                case _Expected.CONTENT_END:
                    position = self._take_content_end(piece, position)
                case _Expected.TRAILER:
                    self._buffer += piece[position : position + MAX_TRAILER_BYTES + 1]
                    position = len(piece)
                    if len(self._buffer) > MAX_TRAILER_BYTES:
                        raise self._wrong_end(f"Expected at most {MAX_TRAILER_BYTES} bytes behind the last chunk.")
        return b"".join(content)

    def finish(self) -> dict[str, str]:
        """The trailing headers, once the body has ended.

        Raises COSError: IncompleteBody, MalformedTrailerError, SignatureDoesNotMatch, InvalidRequest.
        """
        if self._expected is not _Expected.TRAILER:
            raise COSError("IncompleteBody", "Expected a last chunk of size 0, got the end of the body.")
        block = bytes(self._buffer)
        if self._trailer_names is None:
            if block != b"\r\n":
                raise self._wrong_end("Expected the body to end behind its last chunk.")
            return {}
        return self._read_trailer(block, self._trailer_names)

    # --- chunks ----------------------------------------------------------------------------------------------

    def _take_size(self, piece: bytes, position: int) -> int:
        line, position = self._take_line(piece, position)
        if line is None:
            return position
        pattern = _UNSIGNED_SIZE if self._signatures is None else _SIGNED_SIZE
        match = pattern.fullmatch(line)
        if match is None:
            raise COSError("InvalidRequest", "Expected a chunk that begins with its size in hexadecimal digits.")
        self._left_bytes = int(match["size"], 16)
        self._received_bytes += self._left_bytes
        if self._signatures is not None:
            self._claimed_signature = match["signature"].decode("ascii")
        if self._received_bytes > self._declared_bytes:
            raise self._wrong_length()
        if self._left_bytes:
            self._expected = _Expected.CONTENT
            return position
        self._check_chunk()
        if self._received_bytes != self._declared_bytes:
            raise self._wrong_length()
        self._expected = _Expected.TRAILER
        return position

    def _take_content_end(self, piece: bytes, position: int) -> int:
        taken = 2 - len(self._buffer)
        self._buffer += piece[position : position + taken]
        if not b"\r\n".startswith(self._buffer):
            raise COSError("InvalidRequest", "Expected a chunk to end with CRLF.")
        if len(self._buffer) == 2:
            self._buffer.clear()
            self._check_chunk()
            self._expected = _Expected.SIZE
        return position + taken

    def _take_line(self, piece: bytes, position: int) -> tuple[bytes | None, int]:
        """A whole line without its CRLF, or None when it goes on in the next piece."""
        held = len(self._buffer)
        self._buffer += piece[position : position + _MAX_SIZE_LINE_BYTES]
        end = self._buffer.find(b"\r\n")
        if end < 0:
            if len(self._buffer) >= _MAX_SIZE_LINE_BYTES:
                raise COSError("InvalidRequest", "Expected a chunk that begins with its size in hexadecimal digits.")
            return None, len(piece)
        line = bytes(self._buffer[:end])
        self._buffer.clear()
        return line, position + end + 2 - held

    def _check_chunk(self) -> None:
        if self._signatures is None:
            return
        computed = self._signatures.sign_chunk(self._digest.hexdigest())
        self._digest = hashlib.sha256()
        if not hmac.compare_digest(computed, self._claimed_signature):
            raise COSError("SignatureDoesNotMatch", "The signature of a chunk does not match its content.")

    def _wrong_end(self, message: str) -> COSError:
        return COSError("InvalidRequest" if self._trailer_names is None else "MalformedTrailerError", message)

    def _wrong_length(self) -> COSError:
        return COSError(
            "IncompleteBody", f"Expected content of {self._declared_bytes} bytes (x-amz-decoded-content-length)."
        )

    # --- the trailer -----------------------------------------------------------------------------------------

    def _read_trailer(self, block: bytes, names: frozenset[str]) -> dict[str, str]:
        if not block.endswith(b"\r\n"):
            raise COSError("IncompleteBody", "Expected an empty line behind the trailer.")
        trailer: dict[str, str] = {}
        signed = b""
        for line in block.split(b"\n"):
            # Some clients end a trailer with LF and CRLF, as AWS's own example does: empty lines say nothing.
            line = line.removesuffix(b"\r")
            if not line:
                continue
            match = _TRAILER.fullmatch(line)
            name = match["name"].decode("ascii").lower() if match is not None else ""
            if match is None or name in trailer or TRAILER_SIGNATURE in trailer:
                raise COSError("MalformedTrailerError", "Expected trailing headers like name:value, each once.")
            trailer[name] = match["value"].decode("ascii")
            if name != TRAILER_SIGNATURE:
                signed += b"%b:%b\n" % (name.encode(), match["value"])
        claimed = trailer.pop(TRAILER_SIGNATURE, None)
        if trailer.keys() != names or (claimed is not None) != (self._signatures is not None):
            raise COSError("MalformedTrailerError", "Expected the trailing headers that x-amz-trailer names.")
        if self._signatures is not None and not hmac.compare_digest(
            self._signatures.sign_trailer(signed), claimed or ""
        ):
            raise COSError("SignatureDoesNotMatch", "The signature of the trailer does not match.")
        return trailer
