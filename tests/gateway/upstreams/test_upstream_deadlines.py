"""Every wait ends: deadlines for each phase."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from gateway.ports import UpstreamTimeout
from gateway.upstreams import TransportKind
from tests.gateway.upstreams.scripted_server import (
    SHORT,
    SHORT_SECONDS,
    Peer,
    Script,
    build_request,
    fetch,
    open_upstream,
    serve,
)
from tests.support.waiting import PATIENCE_SECONDS

HEAD = b"HTTP/1.1 200 OK\r\n"


async def drip(peer: Peer, data: bytes) -> None:
    """One byte now and then, each well before a deadline, for ever."""
    await peer.read_head()
    await peer.send(data)
    while True:
        await asyncio.sleep(SHORT_SECONDS / 5)
        await peer.send(b"x")


async def assert_times_out(kind: TransportKind, script: Script, dropped: asyncio.Event | None = None) -> None:
    async with serve(script) as server, open_upstream(kind, server.url, timeouts=SHORT) as upstream:
        started = time.monotonic()
        with pytest.raises(UpstreamTimeout) as caught:
            await fetch(upstream)
        assert SHORT_SECONDS * 0.9 <= time.monotonic() - started < PATIENCE_SECONDS
        assert caught.value.sent
        if dropped is not None:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await dropped.wait()


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 2",
        HEAD + b"Content-Len",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        HEAD + b"Content-Length: 9\r\n\r\n",
        HEAD + b"Content-Length: 9\r\n\r\npart",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n",
        HEAD + b"\r\nuntil the end",
    ],
)
async def test_stall_ends_at_its_deadline_and_drops_the_connection(kind: TransportKind, said: bytes) -> None:
    dropped = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.read_head()
        await peer.send(said)
        await peer.wait_closed_by_client()
        dropped.set()

    await assert_times_out(kind, script, dropped)


async def test_dripping_head_has_one_deadline_as_a_whole(kind: TransportKind) -> None:
    await assert_times_out(kind, lambda peer: drip(peer, HEAD + b"X: "))


async def test_endless_interim_answers_have_one_deadline_as_a_whole(kind: TransportKind) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_head()
        while True:
            await peer.send(b"HTTP/1.1 102 Processing\r\n\r\n")
            await asyncio.sleep(SHORT_SECONDS / 10)

    await assert_times_out(kind, script)


async def test_upstream_that_takes_no_bytes_is_a_timeout(kind: TransportKind) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_head()
        peer.writer.transport.pause_reading()
        await asyncio.sleep(PATIENCE_SECONDS)

    async def body() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65_536

    request = build_request("PUT", headers=((b"transfer-encoding", b"chunked"),))
    async with serve(script) as server, open_upstream(kind, server.url, timeouts=SHORT) as upstream:
        with pytest.raises(UpstreamTimeout) as caught:
            await fetch(upstream, request, body())
        assert caught.value.sent
