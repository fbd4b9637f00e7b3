"""PUT, GET, HEAD, DELETE and append of objects: content, metadata, ranges, conditional reads.

Sources: COS API, "PUT Object", "GET Object", "HEAD Object", "DELETE Object"; reference page §4.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime

import pytest
from fastcrc import crc64

from tests.support.expect import assert_common_headers, assert_error, assert_success
from tests.support.http1 import exchange
from tests.support.names import ABSENT, EXAMPLE, FOREIGN
from tests.support.site import Site, fresh_key, pattern, quoted_md5

CONTENT = pattern(1000, seed=30)


@pytest.fixture
async def key(cos: Site) -> str:
    return await cos.seed(EXAMPLE, CONTENT)


async def test_what_was_put_is_what_is_got(cos: Site) -> None:
    key = fresh_key()
    answer = await cos.put(EXAMPLE, key, CONTENT)
    assert_success(answer)
    assert answer.header("etag") == quoted_md5(CONTENT)
    assert answer.header("x-cos-hash-crc64ecma") == str(crc64.xz(CONTENT))
    assert (await cos.get(EXAMPLE, key)).body == CONTENT


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 3_000_000])
async def test_bodies_of_every_size_survive(cos: Site, size: int) -> None:
    key = fresh_key()
    body = pattern(size, seed=size)
    assert_success(await cos.put(EXAMPLE, key, body))
    answer = await cos.get(EXAMPLE, key)
    assert answer.body == body
    assert answer.header("content-length") == str(size)


async def test_a_chunked_body_is_stored_without_its_framing(cos: Site) -> None:
    key = fresh_key()
    chunks = b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
    assert_success(await cos.put(EXAMPLE, key, chunks, [("transfer-encoding", "chunked")]))
    assert (await cos.get(EXAMPLE, key)).body == b"abcdefg"


@pytest.mark.parametrize(
    "stem",
    ["目录/中文 对象", "a+b c", "a//b/./c/../d/", "%41", "~*!'()", "a?b#c&d=e", "..", "a\\b", "quote\"<>'"],
)
async def test_keys_are_kept_byte_for_byte(cos: Site, stem: str) -> None:
    key = f"{fresh_key()}/{stem}"
    assert_success(await cos.put(EXAMPLE, key, stem.encode()))
    assert (await cos.get(EXAMPLE, key)).body == stem.encode()


async def test_metadata_comes_back(cos: Site) -> None:
    key = fresh_key()
    sent = {
        "content-type": "text/x-test; charset=utf-8",
        "cache-control": "max-age=7",
        "content-disposition": 'attachment; filename="a.txt"',
        "x-cos-meta-colour": "green",
    }
    assert_success(await cos.put(EXAMPLE, key, CONTENT, sent.items()))
    head = await cos.head(EXAMPLE, key)
    assert {name: head.header(name) for name in sent} == sent


async def test_a_right_content_md5_is_accepted_and_a_wrong_one_refused(cos: Site) -> None:
    key = fresh_key()
    digest = base64.b64encode(hashlib.md5(CONTENT).digest()).decode()
    assert_success(await cos.put(EXAMPLE, key, CONTENT, [("content-md5", digest)]))
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    assert_error(await cos.put(EXAMPLE, key, b"changed", [("content-md5", wrong)]), 400, "BadDigest", "InvalidDigest")
    assert (await cos.get(EXAMPLE, key)).body == CONTENT


async def test_head_says_what_get_would_send(cos: Site, key: str) -> None:
    head, got = await cos.head(EXAMPLE, key), await cos.get(EXAMPLE, key)
    assert head.status == 200
    assert head.body == b""
    for name in ("content-length", "content-type", "etag", "last-modified", "x-cos-hash-crc64ecma"):
        assert head.header(name) == got.header(name), name
    assert head.header("content-length") == str(len(CONTENT))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_header_names_are_spelled_as_cos_spells_them(cos: Site, key: str, method: str) -> None:
    # The Python SDK gives programs a plain dict of them: `response["ETag"]`.
    answer = await cos.call(method, EXAMPLE, key)
    assert {"Content-Length", "Content-Type", "ETag", "Last-Modified", "Date", "Server"} <= answer.spelled_names
    assert "x-cos-request-id" in answer.spelled_names


async def test_a_missing_object_is_404(cos: Site) -> None:
    assert_error(await cos.get(EXAMPLE, "missing"), 404, "NoSuchKey")
    assert (await cos.head(EXAMPLE, "missing")).status == 404


async def test_a_missing_bucket_is_refused(cos: Site) -> None:
    answer = await cos.get(ABSENT, "key")
    assert_error(answer, *((403, "AccessDenied") if cos.kind == "gateway" else (404, "NoSuchBucket")))


async def test_another_accounts_bucket_is_refused(cos: Site) -> None:
    assert_error(await cos.get(FOREIGN, "key"), 403, "AccessDenied")


async def test_a_deleted_object_is_gone_and_deleting_again_is_fine(cos: Site, key: str) -> None:
    assert (await cos.delete(EXAMPLE, key)).status == 204
    assert_error(await cos.get(EXAMPLE, key), 404, "NoSuchKey")
    answer = await cos.delete(EXAMPLE, key)
    assert answer.status == 204
    assert_common_headers(answer)


@pytest.mark.parametrize(
    ("byte_range", "expected"),
    [
        ("bytes=0-9", CONTENT[:10]),
        ("bytes=990-999", CONTENT[990:]),
        ("bytes=990-5000", CONTENT[990:]),
        ("bytes=990-", CONTENT[990:]),
        ("bytes=-10", CONTENT[-10:]),
        ("bytes=-5000", CONTENT),
        ("bytes=0-0", CONTENT[:1]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_range_is_answered_with_206(cos: Site, key: str, byte_range: str, expected: bytes) -> None:
    answer = await cos.get(EXAMPLE, key, headers=[("range", byte_range)])
    assert (answer.status, answer.body) == (206, expected)
    first = 1000 - len(expected) if byte_range.startswith(("bytes=99", "bytes=-")) else 0
    assert answer.header("content-range") == f"bytes {first}-{first + len(expected) - 1}/1000"
    assert answer.header("content-length") == str(len(expected))


@pytest.mark.parametrize("byte_range", ["bytes=1000-", "bytes=1000-1001", "bytes=-0"])
async def test_a_range_outside_the_object_is_416(cos: Site, key: str, byte_range: str) -> None:
    assert_error(await cos.get(EXAMPLE, key, headers=[("range", byte_range)]), 416, "InvalidRange")


@pytest.mark.parametrize(
    ("name", "etag_of", "status"),
    [
        ("if-match", CONTENT, 200),
        ("if-match", b"other", 412),
        ("if-none-match", b"other", 200),
        ("if-none-match", CONTENT, 304),
    ],
)
async def test_reads_are_conditional_on_the_etag(cos: Site, key: str, name: str, etag_of: bytes, status: int) -> None:
    answer = await cos.get(EXAMPLE, key, headers=[(name, quoted_md5(etag_of))])
    assert answer.status == status
    assert_common_headers(answer)
    if status == 304:
        assert answer.body == b""


@pytest.mark.parametrize(
    ("name", "offset_seconds", "status"),
    [
        ("if-modified-since", -1, 200),
        ("if-modified-since", 0, 304),
        ("if-unmodified-since", 0, 200),
        ("if-unmodified-since", -1, 412),
    ],
)
async def test_reads_are_conditional_on_the_time(
    cos: Site, key: str, name: str, offset_seconds: int, status: int
) -> None:
    last_modified = (await cos.head(EXAMPLE, key)).header("last-modified")
    assert last_modified is not None
    moment = parsedate_to_datetime(last_modified) + timedelta(seconds=offset_seconds)
    answer = await cos.get(EXAMPLE, key, headers=[(name, format_datetime(moment, usegmt=True))])
    assert answer.status == status


async def test_response_parameters_override_the_headers_of_a_download(cos: Site, key: str) -> None:
    query = {"response-content-type": "text/x-other", "response-content-disposition": "attachment"}
    answer = await cos.get(EXAMPLE, key, query)
    assert_success(answer)
    assert answer.header("content-type") == "text/x-other"
    assert answer.header("content-disposition") == "attachment"


async def test_a_put_without_length_is_411(cos: Site) -> None:
    raw = cos.client.render("PUT", EXAMPLE.host, f"/{fresh_key()}", framed=False)
    answer = await exchange(cos.port, raw)
    assert_error(answer, 411, "MissingContentLength")


async def test_an_object_grows_by_appending(cos: Site) -> None:
    key = fresh_key("log")
    first = await cos.call("POST", EXAMPLE, key, {"append": "", "position": "0"}, body=b"one,")
    assert_success(first)
    assert first.header("x-cos-next-append-position") == "4"
    second = await cos.call("POST", EXAMPLE, key, {"append": "", "position": "4"}, body=b"two")
    assert_success(second)
    assert (await cos.get(EXAMPLE, key)).body == b"one,two"
    wrong = await cos.call("POST", EXAMPLE, key, {"append": "", "position": "3"}, body=b"three")
    assert_error(wrong, 409, "AppendPositionErr")
