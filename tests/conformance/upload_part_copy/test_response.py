"""Upload Part - Copy, "Response": headers and the CopyPartResult document.

Source: COS API, "Upload Part - Copy" (436/8287); "Common Response Headers" (436/7729).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from tests.support.expect import assert_common_headers, assert_success
from tests.support.names import SOURCE, VERSIONED
from tests.support.site import Site, fresh_key, pattern, quoted_md5

CONTENT = pattern(512, seed=5)


@pytest.fixture
async def source(cos: Site) -> str:
    return SOURCE.source(await cos.seed(SOURCE, CONTENT))


async def test_the_response_carries_the_common_headers(cos: Site, source: str) -> None:
    answer = await cos.copy_part(await cos.initiate(), source)
    assert_success(answer)
    assert_common_headers(answer)
    assert answer.header("server") == "tencent-cos"


async def test_every_request_has_its_own_request_id(cos: Site, source: str) -> None:
    upload = await cos.initiate()
    ids = {(await cos.copy_part(upload, source)).header("x-cos-request-id") for _ in range(3)}
    assert len(ids) == 3


async def test_the_body_is_application_xml(cos: Site, source: str) -> None:
    answer = await cos.copy_part(await cos.initiate(), source)
    assert (answer.header("content-type") or "").partition(";")[0] == "application/xml"
    assert answer.body.lstrip().startswith(b"<?xml") or answer.body.startswith(b"<CopyPartResult")


async def test_the_result_holds_etag_and_last_modified(cos: Site, source: str) -> None:
    root = (await cos.copy_part(await cos.initiate(), source)).xml()
    assert root.tag == "CopyPartResult"
    assert [child.tag for child in root][:2] == ["ETag", "LastModified"]


async def test_the_etag_is_the_md5_of_the_part_in_quotes(cos: Site, source: str) -> None:
    answer = await cos.copy_part(await cos.initiate(), source, byte_range="bytes=10-100")
    assert re.fullmatch(r'"[0-9a-f]{32}"', answer.text("ETag"))
    assert answer.text("ETag") == quoted_md5(CONTENT[10:101])


async def test_the_etag_changes_exactly_when_the_content_changes(cos: Site) -> None:
    upload = await cos.initiate()
    keys = [await cos.seed(SOURCE, body) for body in (b"one", b"one", b"two")]
    etags = [(await cos.copy_part(upload, SOURCE.source(key))).text("ETag") for key in keys]
    assert etags[0] == etags[1] != etags[2]


async def test_last_modified_is_gmt_without_zone_or_fraction(cos: Site, source: str) -> None:
    text = (await cos.copy_part(await cos.initiate(), source)).text("LastModified")
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}", text), text
    moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    assert abs((datetime.now(UTC) - moment).total_seconds()) < 60


async def test_the_result_is_the_part_that_list_parts_shows(cos: Site, source: str) -> None:
    upload = await cos.initiate()
    answer = await cos.copy_part(upload, source)
    listed = await cos.list_parts(upload)
    assert listed.text("Part/ETag") == answer.text("ETag")
    assert listed.text("Part/LastModified").startswith(answer.text("LastModified"))


async def test_the_copied_version_is_named_when_the_source_bucket_has_versioning(cos: Site) -> None:
    key = fresh_key("versioned")
    first = await cos.seed_version(VERSIONED, key, b"first")
    second = await cos.seed_version(VERSIONED, key, b"second")
    upload = await cos.initiate()
    current = await cos.copy_part(upload, VERSIONED.source(key))
    assert current.header("x-cos-copy-source-version-id") == second
    named = await cos.copy_part(upload, VERSIONED.source(key, first))
    assert named.header("x-cos-copy-source-version-id") == first


async def test_no_copied_version_is_named_without_versioning(cos: Site, source: str) -> None:
    answer = await cos.copy_part(await cos.initiate(), source)
    assert_success(answer)
    assert answer.header("x-cos-copy-source-version-id") is None


async def test_server_side_encryption_is_echoed_as_aes256(cos: Site, source: str) -> None:
    upload = await cos.initiate(headers=[("x-cos-server-side-encryption", "AES256")])
    answer = await cos.copy_part(upload, source)
    assert_success(answer)
    assert answer.header("x-cos-server-side-encryption") == "AES256"
    assert await cos.copied(upload) == CONTENT


async def test_no_encryption_is_claimed_when_none_was_asked_for(cos: Site, source: str) -> None:
    answer = await cos.copy_part(await cos.initiate(), source)
    assert_success(answer)
    assert answer.header("x-cos-server-side-encryption") is None


async def test_the_body_is_framed_so_that_the_connection_can_be_kept(cos: Site, source: str) -> None:
    answer = await cos.copy_part(await cos.initiate(), source)
    chunked = answer.header("transfer-encoding") == "chunked"
    assert chunked != (answer.header("content-length") is not None), answer.headers
