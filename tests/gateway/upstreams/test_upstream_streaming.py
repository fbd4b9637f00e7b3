"""Bodies in motion: bounded memory both ways, early answers, cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.ports import UpstreamBroken
from gateway.upstreams import TransportKind
from tests.gateway.upstreams.refusing_server import PACES, check_refusals_are_delivered
from tests.gateway.upstreams.scripted_server import (
    Peer,
    answering_always,
    build_answer,
    build_request,
    fetch,
    open_upstream,
    serve,
)
from tests.support.waiting import PATIENCE_SECONDS, until

NATIVE = TransportKind.NATIVE
MIB = 1024 * 1024
SOCKET_SLACK_BYTES = 12 * MIB
"""What the kernel's two socket buffers may hold on loopback besides the gateway's own bound."""
TOTAL_BYTES = 64 * MIB


async def test_response_is_not_read_faster_than_it_is_consumed(kind: TransportKind) -> None:
    taken = 0

    async def script(peer: Peer) -> None:
        nonlocal taken
        await peer.read_head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % TOTAL_BYTES)
        for _ in range(TOTAL_BYTES // 65_536):
            await peer.send(b"x" * 65_536)
            taken += 65_536

    async with serve(script) as server, open_upstream(kind, server.url) as upstream:
        response = await upstream.send(build_request(), b"")
        stream = response.stream()
        size = len(await anext(stream))
        await asyncio.sleep(0.3)
        assert taken < SOCKET_SLACK_BYTES
        async for piece in stream:
            size += len(piece)
        await response.aclose()
    assert size == taken == TOTAL_BYTES


async def test_request_body_is_not_read_faster_than_it_is_taken(kind: TransportKind) -> None:
    given = 0
    gate = asyncio.Event()
    received = 0

    async def script(peer: Peer) -> None:
        nonlocal received
        await peer.read_head()
        peer.writer.transport.pause_reading()
        await gate.wait()
        peer.writer.transport.resume_reading()
        while received < TOTAL_BYTES:
            received += len(await peer.reader.read(MIB))
        await peer.send(build_answer())

    async def body() -> AsyncIterator[bytes]:
        nonlocal given
        for _ in range(TOTAL_BYTES // 65_536):
            given += 65_536
            yield b"x" * 65_536

    request = build_request("PUT", headers=((b"content-length", b"%d" % TOTAL_BYTES),))
    async with serve(script) as server, open_upstream(kind, server.url) as upstream:
        fetching = asyncio.create_task(fetch(upstream, request, body()))
        await until(lambda: given)
        await asyncio.sleep(0.3)
        assert given < SOCKET_SLACK_BYTES
        gate.set()
        assert await fetching == (200, b"fine")
    assert given == received == TOTAL_BYTES


# --- early answers ------------------------------------------------------------------------------------------


def endless(steps: list[int]) -> AsyncIterator[bytes]:
    async def body() -> AsyncIterator[bytes]:
        while True:
            steps.append(1)
            yield b"x" * 65_536
            await asyncio.sleep(0.001)

    return body()


@pytest.mark.parametrize("framing", [(b"transfer-encoding", b"chunked"), (b"content-length", b"1073741824")])
@pytest.mark.parametrize("closing", ["keeps open", "closes", "resets later"])
async def test_answer_during_the_upload_is_delivered_and_the_upload_stops(
    framing: tuple[bytes, bytes], closing: str
) -> None:
    """Native only: the stock transport looks for an answer when the body ended or a write failed."""
    answer = build_answer(b"<Error/>", status=b"503 Slow Down")

    async def script(peer: Peer) -> None:
        await peer.read_head()
        if server.connections > 1:
            await peer.send(build_answer())
            return
        await peer.read_exactly(100_000)
        await peer.send(answer)
        match closing:
            case "keeps open":
                await peer.wait_closed_by_client()
            case "resets later":
                await asyncio.sleep(0.05)
                peer.reset()

    steps: list[int] = []
    async with serve(script) as server, open_upstream(NATIVE, server.url) as upstream:
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await fetch(upstream, build_request("PUT", headers=(framing,)), endless(steps)) == (503, b"<Error/>")
        count = len(steps)
        await asyncio.sleep(0.02)
        assert len(steps) == count
        assert await fetch(upstream) == (200, b"fine")
    assert server.connections == 2


async def test_answer_is_delivered_while_the_client_has_nothing_to_send() -> None:
    """Native only, as above."""
    stopped = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"a little"
        try:
            await asyncio.sleep(PATIENCE_SECONDS)
        finally:
            stopped.set()

    async def script(peer: Peer) -> None:
        await peer.read_head()
        await peer.send(build_answer(status=b"403 Forbidden"))
        await peer.wait_closed_by_client()

    request = build_request("PUT", headers=((b"content-length", b"1000"),))
    async with serve(script) as server, open_upstream(NATIVE, server.url) as upstream:
        async with asyncio.timeout(PATIENCE_SECONDS / 2):
            assert await fetch(upstream, request, body()) == (403, b"fine")
        assert stopped.is_set()


@pytest.mark.parametrize("pace", PACES)
async def test_last_words_before_a_reset_are_delivered(pace: str) -> None:
    """Native only."""
    await check_refusals_are_delivered(pace)


# --- cancellation -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", ["before the head", "in the body", "during the upload"])
async def test_cancelled_request_drops_its_connection(kind: TransportKind, phase: str) -> None:
    reached, dropped = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.read_head()
        if phase == "in the body":
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart")
        reached.set()
        await peer.wait_closed_by_client()
        dropped.set()

    body: AsyncIterator[bytes] | bytes = b""
    request = build_request()
    if phase == "during the upload":
        body, request = endless([]), build_request("PUT", headers=((b"transfer-encoding", b"chunked"),))
    async with serve(script) as server, open_upstream(kind, server.url) as upstream:
        fetching = asyncio.create_task(fetch(upstream, request, body))
        await reached.wait()
        await asyncio.sleep(0.02)
        fetching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetching
        async with asyncio.timeout(PATIENCE_SECONDS):
            await dropped.wait()


async def test_cancelled_upload_stops_reading_its_body_before_it_returns(kind: TransportKind) -> None:
    started = asyncio.Event()
    ended = False

    async def body() -> AsyncIterator[bytes]:
        nonlocal ended
        try:
            yield b"x"
            started.set()
            await asyncio.sleep(PATIENCE_SECONDS)
        finally:
            ended = True

    request = build_request("PUT", headers=((b"content-length", b"10"),))
    async with serve(answering_never) as server, open_upstream(kind, server.url) as upstream:
        fetching = asyncio.create_task(fetch(upstream, request, body()))
        await started.wait()
        fetching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetching
        assert ended


async def answering_never(peer: Peer) -> None:
    await peer.read_head()
    await peer.wait_closed_by_client()


async def test_connection_lost_while_the_client_has_nothing_to_send_is_broken() -> None:
    """Native only, as for early answers."""

    async def body() -> AsyncIterator[bytes]:
        yield b"a little"
        await asyncio.sleep(PATIENCE_SECONDS)

    async def script(peer: Peer) -> None:
        await peer.read_head()

    request = build_request("PUT", headers=((b"content-length", b"1000"),))
    async with serve(script) as server, open_upstream(NATIVE, server.url) as upstream:
        async with asyncio.timeout(PATIENCE_SECONDS / 2):
            with pytest.raises(UpstreamBroken):
                await fetch(upstream, request, body())


async def test_many_requests_at_once_get_their_own_answers(kind: TransportKind) -> None:
    async def script(peer: Peer) -> None:
        while True:
            head = await peer.read_head()
            await asyncio.sleep(0.001)
            await peer.send(build_answer(head.split(b" ")[1]))

    async with serve(script) as server, open_upstream(kind, server.url) as upstream:
        targets = [b"/%d" % index for index in range(100)]
        answers = await asyncio.gather(*(fetch(upstream, build_request(target=target)) for target in targets))
    assert answers == [(200, target) for target in targets]


async def test_sequential_requests_share_one_connection_with_streams_between() -> None:
    script = answering_always(build_answer(b"y" * 500_000))
    async with serve(script) as server, open_upstream(NATIVE, server.url) as upstream:
        for _ in range(3):
            assert await fetch(upstream) == (200, b"y" * 500_000)
    assert server.connections == 1
