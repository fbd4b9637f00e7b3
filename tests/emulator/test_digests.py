"""MD5 and CRC-64/XZ of content, and the CRC of a concatenation."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.digests import combine_crc64, crc64_of, digest_of, multipart_etag

CHECK = 0x995DC9BBDF1939FA
"""CRC-64/XZ of `123456789`, the check value of the CRC catalogue."""


def test_the_crc_has_the_catalogue_s_check_value() -> None:
    assert crc64_of(b"123456789") == CHECK


@pytest.mark.parametrize("split", range(10))
def test_a_digest_does_not_depend_on_the_chunks(split: int) -> None:
    data = b"123456789"
    digest = digest_of([data[:split], data[split:]])
    assert (digest.size_bytes, digest.md5, digest.crc64) == (9, hashlib.md5(data).hexdigest(), CHECK)


def test_the_digest_of_nothing_is_that_of_no_bytes() -> None:
    digest = digest_of([])
    assert (digest.size_bytes, digest.md5, digest.crc64) == (0, hashlib.md5(b"").hexdigest(), 0)


@given(first=st.binary(max_size=300), second=st.binary(max_size=300))
def test_crcs_combine_to_the_crc_of_the_concatenation(first: bytes, second: bytes) -> None:
    assert combine_crc64(crc64_of(first), crc64_of(second), len(second)) == crc64_of(first + second)


@pytest.mark.parametrize("size", [1, 255, 256, 65_536, 1_048_577], ids=str)
def test_crcs_combine_at_any_size(size: int) -> None:
    first, second = b"abc" * 100, bytes(range(256)) * (size // 256) + bytes(size % 256)
    assert combine_crc64(crc64_of(first), crc64_of(second), size) == crc64_of(first + second)


def test_a_multipart_etag_is_the_md5_of_the_md5s_and_their_number() -> None:
    parts = [b"one", b"two"]
    joined = b"".join(hashlib.md5(part).digest() for part in parts)
    etag = multipart_etag(hashlib.md5(part).hexdigest() for part in parts)
    assert etag == f"{hashlib.md5(joined).hexdigest()}-2"
