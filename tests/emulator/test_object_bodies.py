"""Bodies on their way in: what is promised of them is checked, and what breaks off leaves nothing."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cos.byte_range import MAX_PART_BYTES
from cos.signing import Scheme
from emulator.body import BUFFER_BYTES
from emulator.store import DiskStore, MemoryStore
from emulator.store.memory import MemoryBlobs
from tests.emulator.emulators import in_scheme, own_site
from tests.support.expect import assert_error, assert_success
from tests.support.http1 import exchange
from tests.support.names import ABSENT, SOURCE
from tests.support.site import Site, pattern


@pytest.fixture(params=["memory", "disk"])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    store = MemoryStore() if request.param == "memory" else DiskStore(tmp_path)
    async with own_site(store=store) as opened:
        yield opened


def blobs_held(site: Site, tmp_path: Path) -> int:
    blobs = site.emulator.emulator.store.blobs
    return len(blobs) if isinstance(blobs, MemoryBlobs) else len(list((tmp_path / "blobs").glob("*/*")))


@pytest.mark.parametrize(
    "size", [0, 1, BUFFER_BYTES - 1, BUFFER_BYTES, BUFFER_BYTES + 1, 3 * BUFFER_BYTES + 5], ids=str
)
async def test_a_body_of_any_size_comes_back(site: Site, size: int) -> None:
    body = pattern(size)
    put = await site.put(SOURCE, "k", body)
    assert put.header("etag") == f'"{hashlib.md5(body).hexdigest()}"'
    assert (await site.get(SOURCE, "k")).body == body


async def test_a_body_that_breaks_off_leaves_nothing(site: Site, tmp_path: Path) -> None:
    raw = site.client.render("PUT", SOURCE.host, "/k", body=b"x" * 2_000_000)
    _, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(raw[:-1])
    await writer.drain()
    writer.close()
    for _ in range(1500):
        if site.emulator.emulator.log.of("PutObject"):
            break
        await asyncio.sleep(0.02)
    (entry,) = site.emulator.emulator.log.of("PutObject")
    assert entry.error_code == "IncompleteBody"
    assert blobs_held(site, tmp_path) == 0
    assert (await site.get(SOURCE, "k")).status == 404


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("content-md5", base64.b64encode(hashlib.md5(b"body").digest()), base64.b64encode(bytes(16))),
        ("x-amz-checksum-crc32", base64.b64encode(zlib.crc32(b"body").to_bytes(4, "big")), b"AAAAAA=="),
        ("x-amz-content-sha256", hashlib.sha256(b"body").hexdigest().encode(), b"0" * 64),
    ],
    ids=["md5", "crc32", "sha256"],
)
async def test_a_checksum_is_compared(site: Site, tmp_path: Path, name: str, right: bytes, wrong: bytes) -> None:
    site = in_scheme(site, Scheme.SIGV4 if name.startswith("x-amz-") else Scheme.Q_SIGN)
    assert_success(await site.put(SOURCE, "k", b"body", [(name, right)]))
    assert_error(await site.put(SOURCE, "k", b"body", [(name, wrong)]), 400, "BadDigest")
    assert blobs_held(site, tmp_path) == 1


@pytest.mark.parametrize("text", ["not base64", "AAAA", "=", "é"])
async def test_a_content_md5_that_is_none_is_refused(site: Site, text: str) -> None:
    answer = await site.put(SOURCE, "k", b"body", [("content-md5", text)])
    assert_error(answer, 400, "InvalidDigest", "InvalidRequest")


async def test_an_empty_content_md5_is_no_promise(site: Site) -> None:
    assert_success(await site.put(SOURCE, "k", b"body", [("content-md5", "")]))


async def test_a_body_of_more_than_5_gib_is_refused_before_it_is_read(site: Site) -> None:
    raw = site.client.render("PUT", SOURCE.host, "/k", headers=[("content-length", str(MAX_PART_BYTES + 1))])
    assert_error(await exchange(site.port, raw), 400, "EntityTooLarge")


async def test_a_put_without_a_length_is_refused(site: Site) -> None:
    raw = site.client.render("PUT", SOURCE.host, "/k", framed=False)
    assert_error(await exchange(site.port, raw), 411, "MissingContentLength")


async def test_chunk_signatures_are_not_offered(site: Site) -> None:
    headers = [("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), ("x-amz-decoded-content-length", "1")]
    assert_error(await in_scheme(site, Scheme.SIGV4).put(SOURCE, "k", b"body", headers), 501, "NotImplemented")


async def test_a_refused_bucket_leaves_no_blob(site: Site, tmp_path: Path) -> None:
    assert_error(await site.put(ABSENT, "k", b"body"), 404, "NoSuchBucket")
    assert blobs_held(site, tmp_path) == 0


async def test_overwriting_and_deleting_frees_blobs(site: Site, tmp_path: Path) -> None:
    for body in (b"one", b"two", b"three"):
        await site.put(SOURCE, "k", body)
    assert blobs_held(site, tmp_path) == 1
    await site.delete(SOURCE, "k")
    assert blobs_held(site, tmp_path) == 0


async def test_a_download_goes_on_when_the_object_is_deleted(site: Site, tmp_path: Path) -> None:
    body = pattern(8_000_000)
    await site.put(SOURCE, "k", body)
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port, limit=4096)
    writer.write(site.client.render("GET", SOURCE.host, "/k"))
    await reader.readuntil(b"\r\n\r\n")
    received = bytearray(await reader.read(1000))
    assert (await site.delete(SOURCE, "k")).status == 204
    received += await reader.read(-1)
    writer.close()
    assert bytes(received) == body
    await site.put(SOURCE, "other", b"x")
    assert blobs_held(site, tmp_path) == 1


async def test_appending_needs_the_right_position_and_kind(site: Site) -> None:
    async def append(key: str, position: int, body: bytes) -> int:
        return (await site.call("POST", SOURCE, key, {"append": "", "position": str(position)}, body=body)).status

    assert await append("log", 0, b"one") == 200
    assert await append("log", 2, b"two") == 409
    assert await append("log", 4, b"two") == 409
    assert await append("log", 3, b"two") == 200
    answer = await site.call("POST", SOURCE, "log", {"append": "", "position": "6"}, body=b"!")
    assert answer.header("x-cos-next-append-position") == "7"
    assert answer.header("x-cos-content-sha1") == hashlib.md5(b"!").hexdigest()
    whole = await site.get(SOURCE, "log")
    assert (whole.body, whole.header("x-cos-object-type")) == (b"onetwo!", "appendable")
    await site.put(SOURCE, "plain", b"x")
    assert_error(
        await site.call("POST", SOURCE, "plain", {"append": "", "position": "1"}, body=b"y"), 409, "ObjectNotAppendable"
    )


async def test_a_range_beyond_the_end_says_how_long_the_object_is(site: Site) -> None:
    await site.put(SOURCE, "k", b"0123456789")
    answer = await site.get(SOURCE, "k", headers=[("range", "bytes=10-")])
    assert_error(answer, 416, "InvalidRange")
    assert answer.header("content-range") == "bytes */10"
    assert (await site.get(SOURCE, "k", headers=[("range", "bytes=9-")])).body == b"9"
