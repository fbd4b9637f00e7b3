"""The aws-chunked encoding as S3 clients write it, made without the product's code.

Source: AWS, S3 API, "Transferring Payload in Multiple Chunks" and "… with Trailing Headers".
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field

NOTHING = hashlib.sha256(b"").hexdigest()


@dataclass(slots=True)
class ChunkSigner:
    """Signs chunk after chunk; `seed` is the signature of the request."""

    secret_key: str = field(repr=False)
    moment: str
    region: str
    seed: str

    def _sign(self, text: str) -> str:
        key = b"AWS4" + self.secret_key.encode()
        for part in (self.moment[:8], self.region, "s3", "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        self.seed = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        return self.seed

    def _head(self, kind: str) -> str:
        scope = f"{self.moment[:8]}/{self.region}/s3/aws4_request"
        return f"AWS4-HMAC-SHA256-{kind}\n{self.moment}\n{scope}\n{self.seed}"

    def chunk(self, content: bytes) -> str:
        return self._sign(f"{self._head('PAYLOAD')}\n{NOTHING}\n{hashlib.sha256(content).hexdigest()}")

    def trailer(self, lines: bytes) -> str:
        return self._sign(f"{self._head('TRAILER')}\n{hashlib.sha256(lines).hexdigest()}")


def encode(
    content: bytes,
    *,
    sizes: Sequence[int] = (),
    signer: ChunkSigner | None = None,
    trailer: Sequence[tuple[str, str]] | None = None,
) -> bytes:
    """`content` in chunks of these sizes and one of the rest; `trailer` None: none is announced."""
    pieces, position = [], 0
    for size in (*sizes, len(content)):
        piece = content[position : position + size]
        position += len(piece)
        if piece:
            pieces.append(piece)
    encoded = b""
    for piece in (*pieces, b""):
        signature = f";chunk-signature={signer.chunk(piece)}" if signer is not None else ""
        encoded += f"{len(piece):x}{signature}\r\n".encode() + piece + (b"\r\n" if piece else b"")
    if trailer is not None:
        for name, value in trailer:
            encoded += f"{name}:{value}\r\n".encode()
        if signer is not None:
            signature = signer.trailer("".join(f"{name}:{value}\n" for name, value in trailer).encode())
            encoded += f"x-amz-trailer-signature:{signature}\r\n".encode()
    return encoded + b"\r\n"
