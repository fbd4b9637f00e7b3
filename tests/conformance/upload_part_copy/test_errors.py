"""Upload Part - Copy, "Error codes": the one error format, and who may ask.

Source: COS API, "Upload Part - Copy" (436/8287); "Error Codes" (436/7730); "Request Signature" (436/7778).
"""

from __future__ import annotations

import time

import pytest

from tests.support.expect import assert_common_headers, assert_error
from tests.support.http1 import exchange
from tests.support.names import EXAMPLE, FARAWAY, FOREIGN, SOURCE, Bucket, Key
from tests.support.site import Site, Upload, fresh_key, pattern

CONTENT = pattern(64, seed=6)


@pytest.fixture
async def source(cos: Site) -> str:
    return SOURCE.source(await cos.seed(SOURCE, CONTENT))


async def test_an_error_names_the_resource_and_the_request(cos: Site) -> None:
    upload = await cos.initiate()
    answer = await cos.copy_part(upload, SOURCE.source("missing"))
    assert_error(answer, 404, "NoSuchKey", "NoSuchCopySource")
    assert answer.header("server") == "tencent-cos"


async def test_text_from_the_request_is_escaped_in_the_error(cos: Site) -> None:
    upload = await cos.initiate()
    answer = await cos.copy_part(Upload(EXAMPLE, '<script>&"', upload.id), SOURCE.source('<b>&"'))
    assert_error(answer, 404, "NoSuchUpload", "NoSuchKey", "NoSuchCopySource")
    assert b"<script>" not in answer.body


async def test_an_unsigned_copy_is_refused(cos: Site, source: str) -> None:
    upload = await cos.initiate()
    assert_error(await cos.with_key(None).copy_part(upload, source), 403, "AccessDenied")
    assert b"<Part>" not in (await cos.list_parts(upload)).body


async def test_an_unknown_access_key_is_refused(cos: Site, source: str) -> None:
    upload = await cos.initiate()
    stranger = cos.with_key(Key("AKIDnobodynobodynobody00000000001", "whatever"))
    assert_error(await stranger.copy_part(upload, source), 403, "InvalidAccessKeyId")


async def test_a_wrong_secret_is_refused(cos: Site, source: str) -> None:
    assert cos.client.key is not None
    upload = await cos.initiate()
    forged = cos.with_key(Key(cos.client.key.secret_id, "wrong secret"))
    answer = await forged.copy_part(upload, source)
    assert_error(answer, 403, "SignatureDoesNotMatch")
    assert cos.client.key.secret_key not in answer.body.decode()
    assert b"<Part>" not in (await cos.list_parts(upload)).body


@pytest.mark.parametrize(
    ("offset_seconds", "codes"),
    [(-86400, ("AccessDenied",)), (86400, ("RequestTimeTooSkewed", "AccessDenied"))],
    ids=["expired", "in the future"],
)
async def test_a_signature_outside_its_window_is_refused(
    cos: Site, source: str, offset_seconds: int, codes: tuple[str, ...]
) -> None:
    answer = await cos.client.send(
        "PUT",
        EXAMPLE.host,
        f"/{fresh_key()}?partNumber=1&uploadId=x",
        headers=[("x-cos-copy-source", source)],
        now=int(time.time()) + offset_seconds,
    )
    assert_error(answer, 403, *codes)
    if offset_seconds < 0:
        assert answer.text("Message") == "Request has expired"


@pytest.mark.parametrize("change", ["source", "range", "number", "host"])
async def test_a_signature_covers_what_the_copy_is_about(cos: Site, source: str, change: str) -> None:
    upload = await cos.initiate(EXAMPLE)
    secret = await cos.seed(SOURCE, b"something else")
    raw = cos.client.render(
        "PUT",
        EXAMPLE.host,
        f"/{upload.key}?partNumber=1&uploadId={upload.id}",
        headers=[("x-cos-copy-source", source), ("x-cos-copy-source-range", "bytes=0-9")],
    )
    old, new = {
        "source": (source, SOURCE.source(secret)),
        "range": ("bytes=0-9", "bytes=0-19"),
        "number": ("partNumber=1", "partNumber=2"),
        "host": (f"host: {EXAMPLE.host}", f"host: {FARAWAY.host}"),
    }[change]
    assert raw.count(old.encode()) == 1
    answer = await exchange(cos.port, raw.replace(old.encode(), new.encode()))
    assert_error(answer, 403, "SignatureDoesNotMatch")
    assert b"<Part>" not in (await cos.list_parts(upload)).body


async def test_a_source_in_another_account_is_refused(cos: Site) -> None:
    upload = await cos.initiate()
    answer = await cos.copy_part(upload, FOREIGN.source("key"))
    assert_error(answer, 403, "AccessDenied")


async def test_a_destination_addressed_in_another_region_is_refused(cos: Site, source: str) -> None:
    upload = await cos.initiate(EXAMPLE)
    displaced = Bucket(EXAMPLE.name, FARAWAY.region)
    answer = await cos.copy_part(Upload(displaced, upload.key, upload.id), source)
    assert answer.status in (400, 403, 404), answer
    assert_error(answer, answer.status, "NoSuchBucket", "AccessDenied", "InvalidRequest", "InvalidURI")
    assert b"<Part>" not in (await cos.list_parts(upload)).body


async def test_a_source_addressed_in_another_region_is_refused(cos: Site) -> None:
    key = await cos.seed(SOURCE, CONTENT)
    upload = await cos.initiate()
    answer = await cos.copy_part(upload, Bucket(SOURCE.name, FARAWAY.region).source(key))
    assert answer.status in (400, 403, 404), answer
    assert_error(answer, answer.status, "NoSuchBucket", "AccessDenied", "InvalidCopySource", "InvalidArgument")


async def test_an_error_on_head_has_no_body_and_all_headers(cos: Site) -> None:
    answer = await cos.head(SOURCE, "missing")
    assert answer.status == 404
    assert answer.body == b""
    assert_common_headers(answer)
