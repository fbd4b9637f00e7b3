"""x-cos-copy-source-range."""

from __future__ import annotations

import pytest

from cos.byte_range import MAX_PART_BYTES, ByteRange, parse_byte_range
from cos.errors import COSError


@pytest.mark.parametrize(
    ("text", "first", "last", "length_bytes"),
    [
        pytest.param("bytes=0-9", 0, 9, 10, id="documents-ten-bytes"),
        pytest.param("bytes=10-100", 10, 100, 91, id="documents-example"),
        pytest.param("bytes=0-0", 0, 0, 1, id="one-byte"),
        pytest.param("bytes=7-7", 7, 7, 1, id="first-is-last"),
        pytest.param("bytes=0-5368709119", 0, 5368709119, MAX_PART_BYTES, id="largest-part"),
        pytest.param("bytes=0-999999999999999999", 0, 10**18 - 1, 10**18, id="18-digits"),
    ],
)
def test_both_ends_are_inclusive(text: str, first: int, last: int, length_bytes: int) -> None:
    byte_range = parse_byte_range(text)
    assert (byte_range, byte_range.length_bytes) == (ByteRange(first, last), length_bytes)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("bytes=", id="no-numbers"),
        pytest.param("bytes=0-", id="open-end"),
        pytest.param("bytes=-5", id="suffix"),
        pytest.param("bytes=-5-10", id="negative"),
        pytest.param("bytes=+0-10", id="plus"),
        pytest.param("bytes=1-0", id="ends-before-it-starts"),
        pytest.param("0-9", id="no-unit"),
        pytest.param("items=0-9", id="other-unit"),
        pytest.param("Bytes=0-9", id="upper-case"),
        pytest.param("bytes =0-9", id="space"),
        pytest.param(" bytes=0-9", id="leading-space"),
        pytest.param("bytes=0-9\n", id="line-feed"),
        pytest.param("bytes=0-9\xa0", id="no-break-space"),
        pytest.param("bytes=0-9,20-29", id="two-ranges"),
        pytest.param("bytes=0-9/100", id="total"),
        pytest.param("bytes=0-1_000", id="underscore"),
        pytest.param("bytes=00-9", id="leading-zero-first"),
        pytest.param("bytes=0-09", id="leading-zero-last"),
        pytest.param("bytes=0-１", id="full-width"),
        pytest.param("bytes=0-٩", id="arabic-digit"),
        pytest.param("bytes=0x0-0x9", id="hexadecimal"),
        pytest.param("bytes=0-1e3", id="exponent"),
        pytest.param("bytes=0-1000000000000000000", id="19-digits"),
        pytest.param("bytes=0-" + "9" * 5000, id="5000-digits"),
    ],
)
def test_other_ranges_are_refused(text: str) -> None:
    with pytest.raises(COSError) as caught:
        parse_byte_range(text)
    assert (caught.value.code, caught.value.status) == ("InvalidArgument", 400)


@pytest.mark.parametrize(("first", "last"), [(-1, 0), (1, 0)])
def test_a_range_that_covers_nothing_cannot_be_built(first: int, last: int) -> None:
    with pytest.raises(ValueError, match="first <= last"):
        ByteRange(first, last)


@pytest.mark.parametrize("claimed", ["", "bytes=0-1"], ids=["none", "of-another-range"])
def test_text_is_always_that_of_the_numbers(claimed: str) -> None:
    assert ByteRange(10, 100, claimed).text == "bytes=10-100"
