"""Synthetic blobs: the same bytes however they are read."""

from __future__ import annotations

import hashlib

import pytest

from emulator.digests import crc64_of
from emulator.store.pattern import (
    BLOCK_BYTES,
    OPAQUE_ABOVE_BYTES,
    PatternReader,
    is_pattern,
    pattern_record,
)

SIZE = 3 * BLOCK_BYTES + 17


@pytest.fixture(scope="module")
def whole() -> bytes:
    return PatternReader(f"pattern-7-{SIZE}").read(0, SIZE)


@pytest.mark.parametrize(
    ("offset", "length"),
    [
        (0, 1),
        (15, 2),
        (16, 16),
        (BLOCK_BYTES - 1, 2),
        (BLOCK_BYTES, BLOCK_BYTES),
        (BLOCK_BYTES + 3, 5),
        (SIZE - 1, 1),
        (SIZE - 1, 100),
        (SIZE, 1),
    ],
)
def test_any_range_is_the_same_bytes(whole: bytes, offset: int, length: int) -> None:
    assert PatternReader(f"pattern-7-{SIZE}").read(offset, length) == whole[offset : offset + length]


def test_no_two_blocks_are_equal(whole: bytes) -> None:
    blocks = [whole[start : start + BLOCK_BYTES] for start in range(0, SIZE, BLOCK_BYTES)]
    assert len(set(blocks)) == len(blocks)


def test_different_seeds_give_different_bytes(whole: bytes) -> None:
    assert PatternReader(f"pattern-8-{SIZE}").read(0, 64) != whole[:64]


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES, SIZE, OPAQUE_ABOVE_BYTES], ids=str)
def test_a_small_pattern_has_its_true_md5_and_crc(size: int) -> None:
    record = pattern_record(7, size)
    content = PatternReader(record.blob).read(0, size)
    assert len(content) == size
    assert (record.md5, record.crc64) == (hashlib.md5(content).hexdigest(), crc64_of(content))


def test_a_large_pattern_has_a_multipart_etag_and_its_true_crc() -> None:
    size = OPAQUE_ABOVE_BYTES + 1
    record = pattern_record(7, size)
    assert record.md5.endswith("-2")
    assert record.crc64 == crc64_of(PatternReader(record.blob).read(0, size))


@pytest.mark.parametrize("name", ["pattern-1-2-3", "pattern-x-1", "0123", "pattern-1-", "pattern-１-2"])
def test_other_names_are_no_patterns(name: str) -> None:
    assert not is_pattern(name)
    with pytest.raises(ValueError, match="expected a pattern blob"):
        PatternReader(name)
