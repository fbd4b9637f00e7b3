"""Bucket, region, key, part number, IDs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cos.errors import COSError
from cos.values import (
    Bucket,
    appid_of,
    parse_bucket,
    parse_object_key,
    parse_part_number,
    parse_region,
    parse_upload_id,
    parse_version_id,
)


@pytest.mark.parametrize(
    "text",
    ["examplebucket-1250000000", "a-1", "0-1", "my-bucket-01-1250000000", "b" * 49 + "-1250000000"],
)
def test_bucket_with_appid(text: str) -> None:
    assert parse_bucket(text) == text


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("examplebucket", id="no-appid"),
        pytest.param("1250000000", id="appid-only"),
        pytest.param("-1250000000", id="no-name"),
        pytest.param("a--1", id="name-ends-with-hyphen"),
        pytest.param("-a-1", id="name-begins-with-hyphen"),
        pytest.param("a-", id="empty-appid"),
        pytest.param("a-1x", id="appid-letters"),
        pytest.param("A-1250000000", id="upper-case"),
        pytest.param("a_b-1250000000", id="underscore"),
        pytest.param("a.b-1250000000", id="dot"),
        pytest.param("a-1250000000\n", id="line-feed"),
        pytest.param("a-１２", id="full-width-digits"),
        pytest.param("a-" + "1" * 21, id="appid-of-21-digits"),
        pytest.param("b" * 50 + "-1250000000", id="61-characters"),
    ],
)
def test_other_bucket_names_are_refused(text: str) -> None:
    with pytest.raises(COSError) as caught:
        parse_bucket(text)
    assert caught.value.code == "InvalidBucketName"


def test_account_of_a_bucket_is_what_follows_its_last_hyphen() -> None:
    assert appid_of(Bucket("my-bucket-01-1250000000")) == "1250000000"


@pytest.mark.parametrize("text", ["ap-guangzhou", "ap-beijing-1", "ap-shanghai-fsi", "na-siliconvalley"])
def test_region(text: str) -> None:
    assert parse_region(text) == text


@pytest.mark.parametrize(
    "text", ["", "AP-guangzhou", "ap_guangzhou", "ap-", "-ap", "ap--x", "ap.x", "accelerate", "1a"]
)
def test_other_regions_are_refused(text: str) -> None:
    with pytest.raises(COSError) as caught:
        parse_region(text)
    assert caught.value.code == "InvalidRegionName"


@pytest.mark.parametrize(
    "raw", [b"a", b"/", b"..", b"a//b/./c", b" ", "对象".encode(), b"k" * 1024, "键".encode() * 341]
)
def test_object_key_is_kept_byte_for_byte(raw: bytes) -> None:
    assert parse_object_key(raw).encode() == raw


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        pytest.param(b"", "InvalidURI", id="empty"),
        pytest.param(b"k" * 1025, "KeyTooLong", id="1025-bytes"),
        pytest.param("键".encode() * 342, "KeyTooLong", id="1026-bytes-of-342-characters"),
        pytest.param(b"\xff", "InvalidURI", id="not-utf-8"),
        pytest.param(b"\xed\xa0\x80", "InvalidURI", id="surrogate"),
        pytest.param(b"\xc0\xaf", "InvalidURI", id="overlong-slash"),
        pytest.param(b"a\x00", "InvalidURI", id="nul"),
        pytest.param(b"a\x1b", "InvalidURI", id="escape"),
        pytest.param(b"a\n", "InvalidURI", id="line-feed"),
        pytest.param(b"a\x7f", "InvalidURI", id="delete"),
    ],
)
def test_other_keys_are_refused(raw: bytes, code: str) -> None:
    with pytest.raises(COSError) as caught:
        parse_object_key(raw)
    assert caught.value.code == code


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("2", 2), ("9999", 9999), ("10000", 10_000)])
def test_part_number_from_1_to_10000(text: str, number: int) -> None:
    assert parse_part_number(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "10001",
        "99999",
        "18446744073709551617",
        "01",
        "+1",
        "-1",
        " 1",
        "1 ",
        "1\n",
        "1.0",
        "1e3",
        "1_0",
        "１",
        "0x1",
    ],
)
def test_other_part_numbers_are_refused(text: str) -> None:
    with pytest.raises(COSError) as caught:
        parse_part_number(text)
    assert caught.value.code == "InvalidArgument"


@pytest.mark.parametrize("parse", [parse_upload_id, parse_version_id])
@pytest.mark.parametrize("text", ["u", "1505706248ca8373", "MTg0NDUx", "null", "~" * 1024])
def test_ids_are_opaque_visible_ascii(parse: Callable[[str], str], text: str) -> None:
    assert parse(text) == text


@pytest.mark.parametrize("parse", [parse_upload_id, parse_version_id])
@pytest.mark.parametrize("text", ["", " ", "a b", "a\n", "é", "a" * 1025, "\x00", "\x7f"])
def test_other_ids_are_refused(parse: Callable[[str], str], text: str) -> None:
    with pytest.raises(COSError) as caught:
        parse(text)
    assert caught.value.code == "InvalidArgument"
