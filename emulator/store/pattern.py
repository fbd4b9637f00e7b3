"""Synthetic blobs: any number of bytes computed from a seed, so that large objects need no disk.

Blob ids `pattern-<seed>-<size>` are read by every store. The content is one pseudo-random block of 1 MiB
repeated, with the block's number in its first 16 bytes: no two blocks are equal, so a copy of the wrong range
shows.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

from emulator.digests import combine_crc64, crc64_of
from emulator.store.model import BlobRecord

BLOCK_BYTES = 1024 * 1024
OPAQUE_ABOVE_BYTES = 16 * BLOCK_BYTES
_NUMBER_BYTES = 16

_ID = re.compile(r"pattern-([0-9]{1,18})-([0-9]{1,18})", re.ASCII)


def pattern_record(seed: int, size_bytes: int) -> BlobRecord:
    """The record of a synthetic blob.

    Its CRC is computed exactly and quickly by combination. The MD5 of a large one would need every byte, so it
    carries an opaque ETag in the form of a multipart object's, as if uploaded in parts of 16 MiB.
    """
    blob = f"pattern-{seed}-{size_bytes}"
    if size_bytes <= OPAQUE_ABOVE_BYTES:
        content = PatternReader(blob).read(0, size_bytes)
        return BlobRecord(blob, size_bytes, hashlib.md5(content, usedforsecurity=False).hexdigest(), crc64_of(content))
    opaque = hashlib.md5(blob.encode(), usedforsecurity=False).hexdigest()
    return BlobRecord(blob, size_bytes, f"{opaque}-{-(-size_bytes // OPAQUE_ABOVE_BYTES)}", _crc64(seed, size_bytes))


def is_pattern(blob: str) -> bool:
    """Whether the id names a synthetic blob."""
    return _ID.fullmatch(blob) is not None


class PatternReader:
    """A BlobReader over a synthetic blob."""

    def __init__(self, blob: str) -> None:
        match = _ID.fullmatch(blob)
        if match is None:
            raise ValueError(f"expected a pattern blob, got {blob!r}")
        self._block = _block(int(match[1]))
        self._size_bytes = int(match[2])

    def read(self, offset: int, length: int) -> bytes:
        end = min(offset + length, self._size_bytes)
        pieces = []
        while offset < end:
            number, start = divmod(offset, BLOCK_BYTES)
            taken = min(BLOCK_BYTES - start, end - offset)
            head = _head(number)[start : start + taken] if start < _NUMBER_BYTES else b""
            pieces.append(head)
            pieces.append(self._block[start + len(head) : start + taken])
            offset += taken
        return b"".join(pieces)

    def close(self) -> None:
        """Nothing to close."""


@lru_cache(maxsize=8)
def _block(seed: int) -> bytes:
    return hashlib.shake_128(f"pattern:{seed}".encode()).digest(BLOCK_BYTES)


def _head(number: int) -> bytes:
    return number.to_bytes(_NUMBER_BYTES, "big")


def _crc64(seed: int, size_bytes: int) -> int:
    whole, rest = divmod(size_bytes, BLOCK_BYTES)
    tail = crc64_of(_block(seed)[_NUMBER_BYTES:])
    total = 0
    for number in range(whole):
        block = combine_crc64(crc64_of(_head(number)), tail, BLOCK_BYTES - _NUMBER_BYTES)
        total = combine_crc64(total, block, BLOCK_BYTES)
    return combine_crc64(
        total, crc64_of(PatternReader(f"pattern-{seed}-{size_bytes}").read(whole * BLOCK_BYTES, rest)), rest
    )
