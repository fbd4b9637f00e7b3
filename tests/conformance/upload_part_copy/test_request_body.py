"""Upload Part - Copy, "Request body": the body of this request is empty.

Source: COS API, "Upload Part - Copy" (436/8287).
"""

from __future__ import annotations

import pytest

from tests.support.client import target
from tests.support.expect import assert_error
from tests.support.http1 import exchange
from tests.support.names import EXAMPLE, SOURCE
from tests.support.site import Site, part_etag, pattern, quoted_md5

CONTENT = pattern(512, seed=4)


@pytest.fixture
async def source(cos: Site) -> str:
    return SOURCE.source(await cos.seed(SOURCE, CONTENT))


async def test_a_copy_with_content_length_zero_is_accepted(cos: Site, source: str) -> None:
    upload = await cos.initiate()
    answer = await cos.copy_part(upload, source, headers=[("content-length", "0")])
    assert part_etag(answer) == quoted_md5(CONTENT)


async def test_a_copy_without_any_framing_has_an_empty_body(cos: Site, source: str) -> None:
    # RFC 9112 §6.3: neither Content-Length nor Transfer-Encoding means no body. The document's own example
    # sends neither.
    upload = await cos.initiate()
    raw = cos.client.render(
        "PUT",
        EXAMPLE.host,
        target(upload.key, {"partNumber": "1", "uploadId": upload.id}),
        headers=[("x-cos-copy-source", source)],
        framed=False,
    )
    assert b"content-length" not in raw.lower().partition(b"authorization")[0]
    assert part_etag(await exchange(cos.port, raw)) == quoted_md5(CONTENT)


@pytest.mark.parametrize("body", [b"x", b"<Part/>", pattern(70_000)], ids=["1 byte", "xml", "70 kB"])
async def test_a_copy_with_a_body_is_refused(cos: Site, source: str, body: bytes) -> None:
    upload = await cos.initiate()
    answer = await cos.copy_part(upload, source, body=body)
    assert_error(answer, 400, "InvalidRequest", "UnexpectedContent", "InvalidArgument")
    assert b"<Part>" not in (await cos.list_parts(upload)).body


async def test_a_copy_with_a_chunked_body_is_refused(cos: Site, source: str) -> None:
    upload = await cos.initiate()
    chunks = b"3\r\nabc\r\n0\r\n\r\n"
    answer = await cos.copy_part(upload, source, headers=[("transfer-encoding", "chunked")], body=chunks)
    assert_error(answer, 400, "InvalidRequest", "UnexpectedContent", "InvalidArgument")
    assert b"<Part>" not in (await cos.list_parts(upload)).body
