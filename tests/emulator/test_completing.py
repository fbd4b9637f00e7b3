"""Complete Multipart Upload: what it refuses, and what it sends while it takes long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from emulator.completing import MIN_PART_BYTES
from tests.emulator.emulators import own_site
from tests.support.expect import assert_error, assert_success
from tests.support.names import EXAMPLE, SOURCE, VERSIONED
from tests.support.site import Site, Upload, quoted_md5
from tests.support.waiting import PATIENCE_SECONDS, until


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with own_site() as opened:
        yield opened


async def upload_of(site: Site, *bodies: bytes) -> tuple[Upload, list[tuple[int, str]]]:
    upload = await site.initiate()
    for number, body in enumerate(bodies, start=1):
        assert_success(await site.upload_part(upload, number, body))
    return upload, [(number, quoted_md5(body)) for number, body in enumerate(bodies, start=1)]


@pytest.mark.parametrize(
    ("size", "code"),
    [(MIN_PART_BYTES - 1, "EntityTooSmall"), (MIN_PART_BYTES, None), (MIN_PART_BYTES + 1, None)],
    ids=["min-1", "min", "min+1"],
)
async def test_every_part_but_the_last_has_a_minimum_size(site: Site, size: int, code: str | None) -> None:
    upload, parts = await upload_of(site, b"x" * size, b"last")
    answer = await site.complete(upload, parts)
    if code is None:
        assert_success(answer)
    else:
        assert_error(answer, 400, code)
        assert len((await site.list_parts(upload)).xml().findall("Part")) == 2, "the upload goes on"


async def test_a_refused_complete_can_be_repeated_rightly(site: Site) -> None:
    upload, parts = await upload_of(site, b"x")
    assert_error(await site.complete(upload, [(1, quoted_md5(b"other"))]), 400, "InvalidPart")
    assert_error(await site.complete(upload, [(2, quoted_md5(b"x"))]), 400, "InvalidPart")
    assert_success(await site.complete(upload, parts))
    assert_error(await site.complete(upload, parts), 404, "NoSuchUpload")


async def test_an_upload_is_only_known_under_its_own_key(site: Site) -> None:
    upload, parts = await upload_of(site, b"x")
    for other in (Upload(EXAMPLE, "other", upload.id), Upload(SOURCE, upload.key, upload.id)):
        assert_error(await site.complete(other, parts), 404, "NoSuchUpload")
        assert_error(await site.upload_part(other, 1, b"x"), 404, "NoSuchUpload")


async def test_completing_in_a_versioned_bucket_names_the_version(site: Site) -> None:
    upload = await site.initiate(VERSIONED)
    await site.upload_part(upload, 1, b"x")
    answer = await site.complete(upload, [(1, quoted_md5(b"x"))])
    version_id = answer.header("x-cos-version-id")
    assert version_id
    assert (await site.get(VERSIONED, upload.key, {"versionId": version_id})).body == b"x"


async def test_a_long_complete_sends_its_head_and_spaces_before_the_result() -> None:
    async with own_site(complete_seconds=0.5, keepalive_seconds=0.1) as site:
        upload, parts = await upload_of(site, b"x")
        started = time.monotonic()
        answer = await site.complete(upload, parts)
        assert time.monotonic() - started >= 0.5
        assert answer.header("transfer-encoding") == "chunked"
        declaration, _, rest = answer.body.partition(b"\n")
        assert declaration.startswith(b"<?xml")
        assert rest.startswith(b"    ")
        assert rest.lstrip().startswith(b"<CompleteMultipartUploadResult>")
        assert answer.text("Key") == upload.key
        assert (await site.get(EXAMPLE, upload.key)).body == b"x"


async def test_the_head_of_a_long_complete_comes_at_once() -> None:
    async with own_site(complete_seconds=100.0, keepalive_seconds=100.0) as site:
        upload, parts = await upload_of(site, b"x")
        listed = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{etag}</ETag></Part>" for n, etag in parts)
        body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        raw = site.client.render("POST", EXAMPLE.host, f"/{upload.key}?uploadId={upload.id}", body=body)
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(raw)
        async with asyncio.timeout(PATIENCE_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
        writer.close()
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_a_long_complete_fails_inside_its_200() -> None:
    async with own_site(complete_seconds=2.0, keepalive_seconds=0.1) as site:
        upload, parts = await upload_of(site, b"x")
        completing = asyncio.create_task(site.complete(upload, parts))
        await until(lambda: site.emulator.emulator.log.of("CompleteMultipartUpload"))
        assert (await site.abort(upload)).status == 204
        answer = await completing
        assert (answer.status, answer.xml().tag, answer.text("Code")) == (200, "Error", "NoSuchUpload")
        assert (await site.head(EXAMPLE, upload.key)).status == 404


async def test_a_complete_that_is_wrong_from_the_start_is_refused_at_once() -> None:
    async with own_site(complete_seconds=100.0) as site:
        upload, _ = await upload_of(site, b"x")
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert_error(await site.complete(upload, [(1, quoted_md5(b"other"))]), 400, "InvalidPart")
