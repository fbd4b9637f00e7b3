"""The checksums of S3 clients: published check values, and pieces against the whole."""

from __future__ import annotations

import random

import pytest

from cos.checksums import CHECKSUMS, render_checksum

# The check value of a CRC is that of "123456789": catalogue of parametrised CRC algorithms; RFC 3174, FIPS 180-4.
PUBLISHED = {
    "crc32": "cbf43926",
    "crc32c": "e3069283",
    "crc64nvme": "ae8b14860a799888",
    "sha1": "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
    "sha256": "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_check_value_is_the_published_one(name: str) -> None:
    checksum = CHECKSUMS[name]()
    checksum.update(b"123456789")
    assert checksum.digest().hex() == PUBLISHED[name]


def test_every_algorithm_is_held_to_a_published_value() -> None:
    assert CHECKSUMS.keys() == PUBLISHED.keys()


def test_a_header_holds_the_big_endian_bytes_in_base64() -> None:
    checksum = CHECKSUMS["crc32"]()
    checksum.update(b"123456789")
    assert render_checksum(checksum) == "y/Q5Jg=="


def bit_by_bit(data: bytes) -> bytes:
    """CRC-64/NVME by its definition."""
    state = (1 << 64) - 1
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = (state >> 1) ^ (0x9A6C9329AC4BC9B5 if state & 1 else 0)
    return (state ^ ((1 << 64) - 1)).to_bytes(8, "big")


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 39, 40, 41, 63, 64, 65, 170, 171, 5_000, 65_535, 65_536, 65_537])
def test_crc64nvme_of_any_length_is_the_definitions(size: int) -> None:
    data = random.Random(size).randbytes(size)
    whole, pieces = CHECKSUMS["crc64nvme"](), CHECKSUMS["crc64nvme"]()
    whole.update(data)
    for start in range(0, size, 1_000):
        pieces.update(data[start : start + 1_000])
    assert whole.digest() == bit_by_bit(data)
    assert pieces.digest() == whole.digest()


@pytest.mark.parametrize("name", PUBLISHED)
def test_pieces_count_as_the_whole(name: str) -> None:
    data = random.Random(name).randbytes(300_000)
    whole, pieces = CHECKSUMS[name](), CHECKSUMS[name]()
    whole.update(data)
    for piece in (b"", data[:1], data[1:65_538], data[65_538:], b""):
        pieces.update(piece)
    assert pieces.digest() == whole.digest()
