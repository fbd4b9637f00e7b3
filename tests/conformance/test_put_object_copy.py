"""PUT Object - Copy: the whole source becomes the destination in one request.

Source: COS API, "PUT Object - Copy" (436/10881); reference page §3.2, §4.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from tests.support.client import HeaderField
from tests.support.expect import assert_error, assert_success
from tests.support.http1 import Response
from tests.support.names import EXAMPLE, FARAWAY, HUGE_KEY, SOURCE, VERSIONED, Bucket
from tests.support.site import Site, fresh_key, pattern, quoted_md5

CONTENT = pattern(1000, seed=20)


async def copy(
    cos: Site, source: str, key: str, headers: Mapping[str, str] | None = None, bucket: Bucket = EXAMPLE
) -> Response:
    fields: list[HeaderField] = [("x-cos-copy-source", source), *(headers or {}).items()]
    return await cos.call("PUT", bucket, key, headers=fields)


@pytest.fixture
async def source(cos: Site) -> str:
    return SOURCE.source(await cos.seed(SOURCE, CONTENT))


async def test_the_destination_holds_the_sources_bytes(cos: Site, source: str) -> None:
    key = fresh_key("copy")
    assert_success(await copy(cos, source, key))
    answer = await cos.get(EXAMPLE, key)
    assert (answer.status, answer.body) == (200, CONTENT)
    assert answer.header("etag") == quoted_md5(CONTENT)


async def test_the_result_holds_etag_and_a_zoned_last_modified(cos: Site, source: str) -> None:
    answer = await copy(cos, source, fresh_key("copy"))
    assert answer.xml().tag == "CopyObjectResult"
    assert answer.text("ETag") == quoted_md5(CONTENT)
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{3})?Z", answer.text("LastModified"))


async def test_a_copy_crosses_regions(cos: Site, source: str) -> None:
    key = fresh_key("copy")
    assert_success(await copy(cos, source, key, bucket=FARAWAY))
    assert (await cos.get(FARAWAY, key)).body == CONTENT


async def test_metadata_is_copied_unless_replaced(cos: Site) -> None:
    key = fresh_key("source")
    await cos.put(SOURCE, key, CONTENT, [("content-type", "text/x-source"), ("x-cos-meta-colour", "green")])
    kept, replaced = fresh_key("copy"), fresh_key("copy")
    assert_success(await copy(cos, SOURCE.source(key), kept))
    head = await cos.head(EXAMPLE, kept)
    assert (head.header("content-type"), head.header("x-cos-meta-colour")) == ("text/x-source", "green")
    new = {"x-cos-metadata-directive": "Replaced", "content-type": "text/x-new", "x-cos-meta-size": "large"}
    assert_success(await copy(cos, SOURCE.source(key), replaced, new))
    head = await cos.head(EXAMPLE, replaced)
    assert (head.header("content-type"), head.header("x-cos-meta-size")) == ("text/x-new", "large")
    assert head.header("x-cos-meta-colour") is None


@pytest.mark.parametrize("directive", ["Replaced", "REPLACE", "REPLACED", "replaced"])
async def test_every_spelling_of_replaced_that_sdks_send_is_understood(cos: Site, source: str, directive: str) -> None:
    key = fresh_key("copy")
    headers = {"x-cos-metadata-directive": directive, "x-cos-meta-new": "yes"}
    assert_success(await copy(cos, source, key, headers))
    assert (await cos.head(EXAMPLE, key)).header("x-cos-meta-new") == "yes"


@pytest.mark.parametrize(
    ("name", "etag_of", "status"),
    [
        ("if-match", CONTENT, 200),
        ("if-match", b"other", 412),
        ("if-none-match", b"other", 200),
        ("if-none-match", CONTENT, 412),
    ],
)
async def test_the_conditions_are_those_of_a_part_copy(
    cos: Site, source: str, name: str, etag_of: bytes, status: int
) -> None:
    key = fresh_key("copy")
    answer = await copy(cos, source, key, {f"x-cos-copy-source-{name}": quoted_md5(etag_of)})
    if status == 200:
        assert_success(answer)
    else:
        assert_error(answer, 412, "PreconditionFailed")
        assert (await cos.head(EXAMPLE, key)).status == 404


async def test_a_named_version_is_copied(cos: Site) -> None:
    key = fresh_key("versioned")
    first = await cos.seed_version(VERSIONED, key, b"first")
    await cos.seed_version(VERSIONED, key, b"second")
    current, named = fresh_key("copy"), fresh_key("copy")
    assert_success(await copy(cos, VERSIONED.source(key), current))
    assert_success(await copy(cos, VERSIONED.source(key, first), named))
    assert (await cos.get(EXAMPLE, current)).body == b"second"
    assert (await cos.get(EXAMPLE, named)).body == b"first"


async def test_a_missing_source_is_404_and_creates_nothing(cos: Site) -> None:
    key = fresh_key("copy")
    assert_error(await copy(cos, SOURCE.source("missing"), key), 404, "NoSuchKey", "NoSuchCopySource")
    assert (await cos.head(EXAMPLE, key)).status == 404


async def test_a_source_of_more_than_5_gb_needs_a_multipart_copy(cos: Site) -> None:
    key = fresh_key("copy")
    # Observed as 405 with a message that names Upload Part - Copy; the page gives only the limit.
    answer = await copy(cos, SOURCE.source(HUGE_KEY), key)
    assert answer.status in (400, 405), answer
    assert_error(answer, answer.status, "MethodNotAllowed", "EntityTooLarge", "InvalidRequest", "InvalidArgument")
    assert (await cos.head(EXAMPLE, key)).status == 404


async def test_an_illegal_source_is_refused(cos: Site) -> None:
    answer = await copy(cos, "http://elsewhere.example/key", fresh_key("copy"))
    assert_error(answer, 400, "InvalidCopySource")


async def test_copying_to_a_versioned_bucket_adds_a_version(cos: Site, source: str) -> None:
    key = fresh_key("versioned")
    first = await cos.seed_version(VERSIONED, key, b"first")
    answer = await copy(cos, source, key, bucket=VERSIONED)
    assert_success(answer)
    assert answer.header("x-cos-version-id") not in (None, first)
    assert (await cos.get(VERSIONED, key, {"versionId": first})).body == b"first"
    assert (await cos.get(VERSIONED, key)).body == CONTENT
