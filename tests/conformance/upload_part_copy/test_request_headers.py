"""Upload Part - Copy, "Request headers": the copy source and the range.

The four conditions have a file of their own. Source: COS API, "Upload Part - Copy" (436/8287).
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from tests.support.expect import assert_error, assert_success
from tests.support.names import ABSENT, EXAMPLE, SOURCE, VERSIONED
from tests.support.site import MIB, Site, fresh_key, part_etag, pattern, quoted_md5

CONTENT = pattern(4096)


@pytest.fixture
async def source(cos: Site) -> str:
    """The key of a 4,096-byte object in the source bucket."""
    return await cos.seed(SOURCE, CONTENT)


# --- x-cos-copy-source ---------------------------------------------------------------------------------------


async def test_without_a_copy_source_the_request_is_not_a_copy(cos: Site) -> None:
    upload = await cos.initiate()
    answer = await cos.copy_part(upload, None)
    assert_success(answer)
    assert b"CopyPartResult" not in answer.body
    assert answer.header("etag") == quoted_md5(b"")


async def test_the_copy_source_names_the_object_that_is_copied(cos: Site, source: str) -> None:
    await cos.seed(SOURCE, b"a decoy")
    upload = await cos.initiate()
    assert_success(await cos.copy_part(upload, SOURCE.source(source)))
    assert await cos.copied(upload) == CONTENT


@pytest.mark.parametrize(
    "key",
    [
        "plain",
        "folder/inside/object.bin",
        "目录/中文 对象",
        "a+b",
        "100%",
        "%41",
        "a?b=c",
        "a&b=c",
        "a#b",
        "a//b",
        "a/./b",
        "a/../b",
        "..",
        "trailing/",
        "~*!'()",
        'quote"<&>',
    ],
)
async def test_a_source_key_is_url_decoded_once_and_never_normalised(cos: Site, key: str) -> None:
    await cos.seed(SOURCE, CONTENT, key=key)
    upload = await cos.initiate()
    assert part_etag(await cos.copy_part(upload, SOURCE.source(key))) == quoted_md5(CONTENT)


async def test_plus_in_a_copy_source_is_not_a_space(cos: Site) -> None:
    stem = fresh_key()
    await cos.seed(SOURCE, b"with plus", key=f"{stem}a+b")
    await cos.seed(SOURCE, b"with space", key=f"{stem}a b")
    upload = await cos.initiate()
    answer = await cos.copy_part(upload, f"{SOURCE.host}/{stem}a+b")
    assert part_etag(answer) == quoted_md5(b"with plus")


async def test_a_copy_source_may_hold_raw_utf_8(cos: Site) -> None:
    key = await cos.seed(SOURCE, CONTENT, key=f"{fresh_key()}目录")
    upload = await cos.initiate()
    answer = await cos.copy_part(upload, f"{SOURCE.host}/{key}".encode())
    assert part_etag(answer) == quoted_md5(CONTENT)


async def test_the_source_may_be_in_the_destination_bucket(cos: Site) -> None:
    key = await cos.seed(EXAMPLE, CONTENT)
    upload = await cos.initiate(EXAMPLE)
    assert part_etag(await cos.copy_part(upload, EXAMPLE.source(key))) == quoted_md5(CONTENT)


@pytest.mark.parametrize("parameter", ["versionId", "versionid", "VersionId"])
async def test_the_versionid_sub_resource_names_a_historical_version(cos: Site, parameter: str) -> None:
    key = fresh_key("versioned")
    first = await cos.seed_version(VERSIONED, key, b"first version")
    await cos.seed_version(VERSIONED, key, b"second version")
    upload = await cos.initiate()
    answer = await cos.copy_part(upload, f"{VERSIONED.source(key)}?{parameter}={first}")
    assert part_etag(answer) == quoted_md5(b"first version")


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "/",
        SOURCE.host,
        f"{SOURCE.host}/",
        f"/{SOURCE.host}/key",
        f"http://{SOURCE.host}/key",
        f"https://{SOURCE.host}/key",
        f"{SOURCE.name}/key",
        f"user@{SOURCE.host}/key",
        f"{SOURCE.host}.evil.example/key",
        f"{SOURCE.host}./key",
        "127.0.0.1/key",
        "sourcebucket.cos.ap-shanghai.myqcloud.com/key",
        f"{SOURCE.host}/key%",
        f"{SOURCE.host}/key%zz",
        f"{SOURCE.host}/%ff%fe",
        f"{SOURCE.host}/key%00",
        f"{SOURCE.host}/key?versionId=",
        f"{SOURCE.host}/key?versionId=a&versionId=b",
        f"{SOURCE.host}/key?other=a",
        # Readers that decode before they split would see a version here.
        f"{SOURCE.host}/key%3FversionId=a",
        f"{SOURCE.host}/{'k' * 1025}",
    ],
)
async def test_a_copy_source_that_names_no_object_is_refused(cos: Site, raw: str) -> None:
    upload = await cos.initiate()
    answer = await cos.copy_part(upload, raw)
    assert_error(answer, 400, "InvalidCopySource")
    assert b"<Part>" not in (await cos.list_parts(upload)).body


async def test_two_copy_sources_are_refused(cos: Site, source: str) -> None:
    upload = await cos.initiate()
    again = ("x-cos-copy-source", SOURCE.source(source))
    answer = await cos.copy_part(upload, SOURCE.source(source), headers=[again])
    assert answer.status in (400, 403), answer
    assert b"<Part>" not in (await cos.list_parts(upload)).body


async def test_a_missing_source_object_is_404(cos: Site) -> None:
    upload = await cos.initiate()
    answer = await cos.copy_part(upload, SOURCE.source("no such object"))
    assert_error(answer, 404, "NoSuchKey", "NoSuchCopySource")


async def test_a_missing_source_bucket_is_refused(cos: Site) -> None:
    upload = await cos.initiate()
    answer = await cos.copy_part(upload, ABSENT.source("key"))
    # The gateway knows which buckets it may ask about and does not tell more.
    assert_error(answer, *((403, "AccessDenied") if cos.kind == "gateway" else (404, "NoSuchBucket")))


# --- common request headers ----------------------------------------------------------------------------------


async def test_the_common_request_headers_are_understood(cos: Site, source: str) -> None:
    upload = await cos.initiate()
    headers = [
        ("Date", format_datetime(datetime.now(UTC), usegmt=True)),
        ("Content-Type", "application/octet-stream"),
        ("Content-Length", "0"),
        ("Accept", "*/*"),
    ]
    answer = await cos.copy_part(upload, SOURCE.source(source), headers=headers)
    assert part_etag(answer) == quoted_md5(CONTENT)


# --- x-cos-copy-source-range ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("byte_range", "expected"),
    [
        ("bytes=0-9", CONTENT[:10]),
        ("bytes=0-0", CONTENT[:1]),
        ("bytes=1-1", CONTENT[1:2]),
        ("bytes=10-100", CONTENT[10:101]),
        ("bytes=4095-4095", CONTENT[4095:]),
        ("bytes=0-4095", CONTENT),
        ("bytes=1-4095", CONTENT[1:]),
        ("bytes=0-4094", CONTENT[:-1]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_range_is_zero_based_and_includes_both_ends(
    cos: Site, source: str, byte_range: str, expected: bytes
) -> None:
    upload = await cos.initiate()
    answer = await cos.copy_part(upload, SOURCE.source(source), byte_range=byte_range)
    assert part_etag(answer) == quoted_md5(expected)
    assert await cos.copied(upload) == expected


async def test_bytes_0_9_copies_the_first_ten_bytes(cos: Site, source: str) -> None:
    upload = await cos.initiate()
    assert_success(await cos.copy_part(upload, SOURCE.source(source), byte_range="bytes=0-9"))
    assert (await cos.list_parts(upload)).text("Part/Size") == "10"


async def test_without_a_range_the_whole_object_is_copied(cos: Site, source: str) -> None:
    upload = await cos.initiate()
    assert_success(await cos.copy_part(upload, SOURCE.source(source)))
    assert await cos.copied(upload) == CONTENT


async def test_an_empty_range_header_means_no_range(cos: Site, source: str) -> None:
    upload = await cos.initiate()
    assert_success(await cos.copy_part(upload, SOURCE.source(source), byte_range=""))
    assert await cos.copied(upload) == CONTENT


async def test_an_empty_source_can_be_copied_whole(cos: Site) -> None:
    key = await cos.seed(SOURCE, b"")
    upload = await cos.initiate()
    assert part_etag(await cos.copy_part(upload, SOURCE.source(key))) == quoted_md5(b"")


@pytest.mark.parametrize(
    "byte_range",
    [
        "0-9",
        "bytes 0-9",
        "bytes=",
        "bytes=-",
        "bytes=0-",
        "bytes=-9",
        "bytes=9-0",
        "bytes=1-0",
        "bytes=0-9,20-29",
        "bytes=0-9/100",
        "bytes=0 - 9",
        "bytes= 0-9",
        "bytes=+0-9",
        "bytes=0-+9",
        "bytes=0--9",
        "bytes=0x0-0x9",
        "bytes=1_0-2_0",
        "bytes=0.0-9.0",
        "bytes=a-b",
        "bytes=０-９",
        "octets=0-9",
        "BYTES=0-9",
        "bytes:0-9",
        f"bytes=0-{'9' * 5000}",
        f"bytes=0-{2**64}",
    ],
)
async def test_a_range_in_any_other_format_is_refused(cos: Site, source: str, byte_range: str) -> None:
    upload = await cos.initiate()
    answer = await cos.copy_part(upload, SOURCE.source(source), byte_range=byte_range)
    # Text that is not ASCII is no header value this API knows; either code says so.
    codes = ("InvalidArgument",) if byte_range.isascii() else ("InvalidArgument", "InvalidRequest")
    assert_error(answer, 400, *codes)
    assert b"<Part>" not in (await cos.list_parts(upload)).body


@pytest.mark.parametrize("byte_range", ["bytes=0-4096", "bytes=4096-4096", "bytes=5000-6000", "bytes=4095-4096"])
async def test_a_range_beyond_the_end_of_the_source_is_416(cos: Site, source: str, byte_range: str) -> None:
    upload = await cos.initiate()
    answer = await cos.copy_part(upload, SOURCE.source(source), byte_range=byte_range)
    assert_error(answer, 416, "InvalidRange")


async def test_a_plain_range_header_does_not_select_the_copied_bytes(cos: Site, source: str) -> None:
    upload = await cos.initiate()
    answer = await cos.copy_part(upload, SOURCE.source(source), headers=[("range", "bytes=0-9")])
    # Refusing is lawful, copying ten bytes is not.
    if answer.status == 200:
        assert part_etag(answer) == quoted_md5(CONTENT)
    else:
        assert_error(answer, 400, "InvalidArgument", "InvalidRequest")


async def test_header_names_are_case_insensitive(cos: Site, source: str) -> None:
    upload = await cos.initiate()
    headers = [("X-COS-Copy-Source", SOURCE.source(source)), ("x-cos-copy-source-Range", "bytes=0-9")]
    answer = await cos.copy_part(upload, None, headers=headers)
    assert part_etag(answer) == quoted_md5(CONTENT[:10])


async def test_parts_copied_by_range_join_into_the_source_again(cos: Site) -> None:
    content = pattern(2 * MIB + 777, seed=1)
    key = await cos.seed(SOURCE, content)
    upload = await cos.initiate()
    ranges = ["bytes=0-1048575", "bytes=1048576-2097151", "bytes=2097152-2097928"]
    etags = [
        part_etag(await cos.copy_part(upload, SOURCE.source(key), number=number, byte_range=byte_range))
        for number, byte_range in enumerate(ranges, start=1)
    ]
    assert_success(await cos.complete(upload, enumerate(etags, start=1)))
    assert (await cos.get(upload.bucket, upload.key)).body == content
