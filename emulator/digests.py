"""MD5 and CRC-64/XZ of object content, streamed; and the CRC of a concatenation without reading it.

COS returns the MD5 as ETag and the CRC in `x-cos-hash-crc64ecma` (decimal). The CRC is CRC-64/XZ: reflected
polynomial 0xC96C5795D7870F42, initial value and final xor all ones. For such a CRC the value of `a + b` is
`crc(a) * x^(8 * len(b)) xor crc(b)` in the field of polynomials modulo the CRC's own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from fastcrc import crc64

_POLYNOMIAL = 0xC96C5795D7870F42
_ONE = 1 << 63  # x^0 in the reflected representation
_BITS = 64


@dataclass(frozen=True, slots=True)
class Digest:
    """What is known of some content: its size in bytes, lower-case hex MD5 and CRC-64/XZ."""

    size_bytes: int
    md5: str
    crc64: int


class Hasher:
    """An incremental Digest."""

    __slots__ = ("_crc64", "_md5", "_size_bytes")

    def __init__(self) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._crc64 = 0
        self._size_bytes = 0

    def update(self, data: bytes | bytearray | memoryview) -> None:
        self._md5.update(data)
        self._crc64 = crc64.xz(data, self._crc64)
        self._size_bytes += len(data)

    def digest(self) -> Digest:
        return Digest(self._size_bytes, self._md5.hexdigest(), self._crc64)


def digest_of(chunks: Iterable[bytes]) -> Digest:
    """The digest of the concatenated chunks, which are read once and never held together."""
    hasher = Hasher()
    for chunk in chunks:
        hasher.update(chunk)
    return hasher.digest()


def crc64_of(data: bytes) -> int:
    """CRC-64/XZ of `data`; `crc64_of(b"123456789") == 0x995DC9BBDF1939FA`."""
    return int(crc64.xz(data))


def combine_crc64(first: int, second: int, second_size_bytes: int) -> int:
    """The CRC of `a + b` from the CRC of `a`, the CRC of `b` and the size of `b`."""
    return _multiply(_shift(second_size_bytes), first) ^ second


def multipart_etag(part_md5s: Iterable[str]) -> str:
    """The ETag of a completed multipart upload: MD5 of the parts' binary MD5s, `-`, their number."""
    digests = [bytes.fromhex(md5) for md5 in part_md5s]
    return f"{hashlib.md5(b''.join(digests), usedforsecurity=False).hexdigest()}-{len(digests)}"


def _multiply(a: int, b: int) -> int:
    product = 0
    bit = _ONE
    while bit and a & (bit | (bit - 1)):
        if a & bit:
            product ^= b
        bit >>= 1
        b = (b >> 1) ^ _POLYNOMIAL if b & 1 else b >> 1
    return product


def _squares() -> tuple[int, ...]:
    square = _ONE >> 1  # x^1
    squares = []
    for _ in range(_BITS):
        squares.append(square)
        square = _multiply(square, square)
    return tuple(squares)


_X_TO_2_TO = _squares()


@lru_cache(maxsize=1024)
def _shift(size_bytes: int) -> int:
    """x^(8 * size_bytes) modulo the polynomial."""
    product, exponent, index = _ONE, size_bytes * 8, 0
    while exponent:
        if exponent & 1:
            product = _multiply(_X_TO_2_TO[index], product)
        exponent >>= 1
        index += 1
    return product
