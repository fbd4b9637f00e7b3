"""`Expect: 100-continue`: the body is asked for when it is wanted, and not mistaken for anything when it is not.

boto3 sends every upload so, and keeps a connection on which its upload was refused: the next request must not be read
as the body that was never sent. Source: RFC 9110 §10.1.1.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from tests.support.client import target
from tests.support.names import EXAMPLE, Key
from tests.support.site import Site, fresh_key

SECONDS = 30.0
STRANGER = Key("GWnobodynobodynobody0000000000000", "no secret of anybody")


@asynccontextmanager
async def connected(site: Site) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    try:
        async with asyncio.timeout(SECONDS):
            yield reader, writer
    finally:
        writer.close()


def upload(site: Site, key: str, body: bytes) -> bytes:
    """The head of an upload that waits to be asked for its body."""
    fields = [("expect", "100-continue"), ("content-length", str(len(body)))]
    raw = site.client.render("PUT", EXAMPLE.host, target(key), headers=fields)
    return raw.replace(b"connection: close\r\n", b"")


async def read_head(reader: asyncio.StreamReader) -> str:
    return (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()


async def read_answer(reader: asyncio.StreamReader) -> str:
    """The head of an answer, whose body is read as well."""
    head = await read_head(reader)
    length = next((line for line in head.split("\r\n") if line.startswith("content-length:")), "content-length: 0")
    await reader.readexactly(int(length.partition(":")[2]))
    return head


async def test_a_body_is_asked_for_and_the_connection_lives_on(cos: Site) -> None:
    key = fresh_key()
    async with connected(cos) as (reader, writer):
        for _ in range(2):
            writer.write(upload(cos, key, b"body"))
            assert (await read_head(reader)).startswith("http/1.1 100 ")
            writer.write(b"body")
            head = await read_answer(reader)
            assert head.startswith("http/1.1 200 ")
            assert "connection: close" not in head
    assert (await cos.get(EXAMPLE, key)).body == b"body"


async def test_a_refused_upload_ends_its_connection(cos: Site) -> None:
    site = cos.with_key(STRANGER)
    async with connected(site) as (reader, writer):
        writer.write(upload(site, fresh_key(), b"body"))
        head = await read_answer(reader)
        assert head.startswith("http/1.1 403 ")
        assert "connection: close" in head
        # What the client believes to be its next request is not answered as the rest of the last one.
        writer.write(cos.client.render("GET", EXAMPLE.host, target(fresh_key())))
        # A connection that was closed before that was written is reset, which ends it as well.
        with suppress(ConnectionResetError):
            assert await reader.read() == b""


async def test_a_refused_upload_without_a_body_ends_nothing(cos: Site) -> None:
    site = cos.with_key(STRANGER)
    async with connected(site) as (reader, writer):
        for _ in range(2):
            writer.write(upload(site, fresh_key(), b""))
            head = await read_answer(reader)
            assert head.startswith("http/1.1 403 ")
            assert "connection: close" not in head


@pytest.mark.parametrize("size", [4, 1_000_000])
async def test_whoever_does_not_wait_hears_the_refusal_all_the_same(cos: Site, size: int) -> None:
    site = cos.with_key(STRANGER)
    async with connected(site) as (reader, writer):
        writer.write(upload(site, fresh_key(), bytes(size)) + bytes(size))
        assert (await read_answer(reader)).startswith("http/1.1 403 ")
