"""Checksums of S3 clients: `x-amz-checksum-<algorithm>`, as a header or as a trailer of an aws-chunked body.

Values are the big-endian bytes of the checksum in base64. COS does not know these headers, so whoever reads
the body compares.

CRC-64/NVME (reflected polynomial 0x9A6C9329AC4BC9B5, initial value and final xor all ones) has no compiled
implementation among the project's libraries; here it is arithmetic on long integers.

Source: AWS, S3 API, "Checking object integrity"; NVM Express, NVM Command Set Specification, 64b CRC.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable
from functools import cache
from typing import Protocol

from fastcrc import crc32

CHECKSUM_PREFIX = "x-amz-checksum-"

_NVME_POLYNOMIAL = 0x9A6C9329AC4BC9B5
_ALL_ONES = (1 << 64) - 1
_SLICE_BYTES = 64 * 1024
_FOLDS = (282_936, 180_906, 85_341, 40_645, 17_190, 11_782, 4_751, 2_359, 1_363, 512, 319)
"""Exponents k for which x^k has 16 to 25 terms, the fewest of their size; found by trying them all."""


class Checksum(Protocol):
    """A checksum of bytes that arrive in pieces."""

    def update(self, piece: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, piece: bytes) -> None:
        self._value = zlib.crc32(piece, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


class _Crc32c:
    def __init__(self) -> None:
        self._value = 0

    def update(self, piece: bytes) -> None:
        self._value = crc32.iscsi(piece, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


class _Crc64Nvme:
    def __init__(self) -> None:
        self._state = _ALL_ONES

    def update(self, piece: bytes) -> None:
        for start in range(0, len(piece), _SLICE_BYTES):
            self._state = _advance(self._state, piece[start : start + _SLICE_BYTES])

    def digest(self) -> bytes:
        return (self._state ^ _ALL_ONES).to_bytes(8, "big")


CHECKSUMS: dict[str, Callable[[], Checksum]] = {
    "crc32": _Crc32,
    "crc32c": _Crc32c,
    "crc64nvme": _Crc64Nvme,
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha256": hashlib.sha256,
}
"""Every algorithm S3 clients use, by the last part of its header's name."""


def render_checksum(checksum: Checksum) -> str:
    """The header's value: `crc32` of `b"123456789"` is `y/Q5Jg==`."""
    return base64.b64encode(checksum.digest()).decode("ascii")


# --- CRC-64/NVME -------------------------------------------------------------------------------------------
#
# A message of n bits is one integer, its first bit lowest: bit i stands for x^(n-1-i). Its low h bits may be
# moved k places towards the end, multiplied by x^k modulo the polynomial, and nothing changes. With exponents
# for which that power has few terms, a few shifts of long integers halve a message.


def _advance(state: int, piece: bytes) -> int:
    """The state after `piece`; the CRC is the state after everything, xor all ones."""
    bits = 8 * len(piece)
    message = int.from_bytes(piece, "little") ^ state
    while bits > _FOLDS[-1]:
        places = next(fold for fold in _FOLDS if fold < bits)
        low_bits = min(bits - places, places - 63)
        low = message & ((1 << low_bits) - 1)
        moved = 0
        for shift in _shifts(places):
            moved ^= low << shift
        message = (message >> low_bits) ^ (moved << (places - 63 - low_bits))
        bits -= low_bits
    table = _byte_table()
    for _ in range(bits // 8):
        message = (message >> 8) ^ table[message & 0xFF]
    for _ in range(bits % 8):
        message = _times_x(message)
    return message


def _times_x(value: int) -> int:
    return (value >> 1) ^ (_NVME_POLYNOMIAL if value & 1 else 0)


@cache
def _byte_table() -> list[int]:
    table = list(range(256))
    for _ in range(8):
        table = [_times_x(value) for value in table]
    return table


@cache
def _shifts(places: int) -> tuple[int, ...]:
    """The terms of x^places, each as the distance of its bit from x^63's."""
    power = 1 << 63
    for _ in range(places):
        power = _times_x(power)
    return tuple(bit for bit in range(64) if power >> bit & 1)
