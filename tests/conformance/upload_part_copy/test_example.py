"""Upload Part - Copy, "Example" and the request template, as the page prints them.

Source: COS API, "Upload Part - Copy" (436/8287).
"""

from __future__ import annotations

import re

import pytest

from tests.support.client import target
from tests.support.expect import assert_error, assert_success
from tests.support.http1 import exchange, render_request
from tests.support.names import EXAMPLE
from tests.support.site import Site, Upload, pattern, quoted_md5

CONTENT = pattern(200, seed=11)
USER_AGENT = "curl/7.19.7 (x86_64-redhat-linux-gnu) libcurl/7.19.7 NSS/3.13.1.0 zlib/1.2.3 libidn/1.18 libssh2/1.2.2"


@pytest.fixture
async def upload(cos: Site) -> Upload:
    await cos.seed(EXAMPLE, CONTENT, key="exampleobject1")
    return await cos.initiate(EXAMPLE, "exampleobject")


async def test_the_example_copies_bytes_10_to_100(cos: Site, upload: Upload) -> None:
    assert EXAMPLE.host == "examplebucket-1250000000.cos.ap-shanghai.myqcloud.com"
    raw = cos.client.render(
        "PUT",
        "examplebucket-1250000000.cos.ap-shanghai.myqcloud.com",
        f"/exampleobject?partNumber=1&uploadId={upload.id}",
        headers=[
            ("User-Agent", USER_AGENT),
            ("Accept", "*/*"),
            ("x-cos-copy-source", "examplebucket-1250000000.cos.ap-shanghai.myqcloud.com/exampleobject1"),
            ("x-cos-copy-source-range", "bytes=10-100"),
        ],
        framed=False,
    )
    # The example writes no space after this colon.
    raw = raw.replace(b"x-cos-copy-source: ", b"x-cos-copy-source:")
    answer = await exchange(cos.port, raw)
    assert_success(answer)
    assert (answer.header("content-type") or "").partition(";")[0] == "application/xml"
    assert answer.header("server") == "tencent-cos"
    assert answer.text("ETag") == quoted_md5(CONTENT[10:101])
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}", answer.text("LastModified"))
    assert await cos.copied(upload) == CONTENT[10:101]


async def test_the_examples_signature_that_covers_nothing_is_not_enough_for_the_gateway(gateway_site: Site) -> None:
    # COS itself accepts a signature that covers no header: whoever sees it can copy anything with it.
    await gateway_site.seed(EXAMPLE, CONTENT, key="exampleobject1")
    upload = await gateway_site.initiate(EXAMPLE, "exampleobject")
    assert gateway_site.client.key is not None
    authorization = (
        f"q-sign-algorithm=sha1&q-ak={gateway_site.client.key.secret_id}&q-sign-time=1507530223;1508530223"
        "&q-key-time=1507530223;1508530223&q-header-list=&q-url-param-list="
        "&q-signature=d02640c0821c49293e5c289fa07290e6b2f05cb2"
    )
    raw = render_request(
        "PUT",
        target("exampleobject", {"partNumber": "1", "uploadId": upload.id}),
        [
            ("Host", EXAMPLE.host),
            ("x-cos-copy-source", EXAMPLE.source("exampleobject1")),
            ("Authorization", authorization),
        ],
    )
    answer = await exchange(gateway_site.port, raw)
    assert_error(answer, 403, "AccessDenied", "SignatureDoesNotMatch")
    assert b"<Part>" not in (await gateway_site.list_parts(upload)).body


async def test_the_template_names_the_object_in_the_path(cos: Site) -> None:
    # The template's path is `/examplebucket`: with the bucket in the Host header that is an object key.
    await cos.seed(EXAMPLE, CONTENT, key="filepath")
    upload = await cos.initiate(EXAMPLE, "examplebucket")
    assert_success(await cos.copy_part(upload, EXAMPLE.source("filepath"), byte_range="bytes=0-199"))
    assert await cos.copied(upload) == CONTENT


async def test_the_template_with_all_four_conditions_is_a_conflict(cos: Site, upload: Upload) -> None:
    conditions = {
        "if-match": quoted_md5(CONTENT),
        "if-none-match": quoted_md5(b"other"),
        "if-unmodified-since": "Mon, 04 Sep 2117 04:45:45 GMT",
        "if-modified-since": "Mon, 04 Sep 2017 04:45:45 GMT",
    }
    answer = await cos.copy_part(upload, EXAMPLE.source("exampleobject1"), conditions=conditions)
    assert answer.status in (400, 409), answer


async def test_a_host_without_appid_is_refused(cos: Site) -> None:
    host = "examplebucket.cos.ap-shanghai.myqcloud.com"
    answer = await cos.client.send("PUT", host, "/exampleobject?partNumber=1&uploadId=x")
    assert_error(answer, 400, "InvalidBucketName", "InvalidURI", "InvalidRequest")


async def test_white_space_before_a_colon_is_not_http(cos: Site, upload: Upload) -> None:
    # The template prints `x-cos-copy-source-if-none-match : etag`; on the wire that is malformed (RFC 9112 §5.1).
    raw = cos.client.render(
        "PUT",
        EXAMPLE.host,
        target(upload.key, {"partNumber": "1", "uploadId": upload.id}),
        headers=[("x-cos-copy-source", EXAMPLE.source("exampleobject1")), ("x-cos-copy-source-if-none-match", "etag")],
    )
    answer = await exchange(cos.port, raw.replace(b"if-none-match:", b"if-none-match :"))
    assert answer.status == 400, answer
    assert b"<Part>" not in (await cos.list_parts(upload)).body
