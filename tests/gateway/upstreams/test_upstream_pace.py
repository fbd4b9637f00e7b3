"""What takes long and does not count against the upstream. The clock stands still but for what a test lets pass."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.ports import UpstreamTimeout
from gateway.upstreams import TransportKind
from tests.gateway.upstreams.scripted_server import (
    SHORT,
    SHORT_SECONDS,
    Peer,
    answering,
    build_answer,
    build_request,
    fetch,
    open_upstream,
    serve,
)
from tests.support.stepped_loop import SteppedLoop, stepped_loop
from tests.support.waiting import turns, until


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": SteppedLoop}


async def pass_time(seconds: float) -> None:
    """Let time pass, after what is going on and before anything else."""
    await turns()
    stepped_loop().pass_time(seconds)
    await turns()


async def test_slow_but_steady_body_outlives_the_read_deadline(kind: TransportKind) -> None:
    received = 0

    async def script(peer: Peer) -> None:
        await peer.read_head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        for sent in range(10):
            await until(lambda: received == sent)  # noqa: B023  # called in this round only
            await pass_time(0.9 * SHORT_SECONDS)
            await peer.send(b"x")

    async with serve(script) as server, open_upstream(kind, server.url, timeouts=SHORT) as upstream:
        with stepped_loop().stopped():
            response = await upstream.send(build_request(), b"")
            async for piece in response.stream():
                received += len(piece)
        await response.aclose()
    assert received == 10


async def test_slow_reader_is_not_the_upstreams_fault(kind: TransportKind) -> None:
    async with (
        serve(answering(build_answer(b"x" * 1_000_000))) as server,
        open_upstream(kind, server.url, timeouts=SHORT) as upstream,
    ):
        with stepped_loop().stopped():
            response = await upstream.send(build_request(), b"")
            size = 0
            async for piece in response.stream():
                if not size:
                    await pass_time(2 * SHORT_SECONDS)
                size += len(piece)
        await response.aclose()
    assert size == 1_000_000


async def test_slow_request_body_does_not_start_the_wait_for_the_head(kind: TransportKind) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_head()
        await peer.read_exactly(4)
        await peer.send(build_answer())

    async def body() -> AsyncIterator[bytes]:
        yield b"bo"
        await pass_time(2 * SHORT_SECONDS)
        yield b"dy"

    request = build_request("PUT", headers=((b"content-length", b"4"),))
    async with serve(script) as server, open_upstream(kind, server.url, timeouts=SHORT) as upstream:
        with stepped_loop().stopped():
            assert await fetch(upstream, request, body()) == (200, b"fine")


@pytest.mark.parametrize("body", [b"", b"x" * 200_000], ids=["empty", "large"])
async def test_wait_for_the_head_can_be_set_for_one_request(kind: TransportKind, body: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_head()
        await peer.read_exactly(len(body))
        await pass_time(2 * SHORT_SECONDS)
        await peer.send(build_answer())

    request = build_request("PUT", headers=((b"content-length", b"%d" % len(body)),))
    async with serve(script) as server, open_upstream(kind, server.url, timeouts=SHORT) as upstream:
        with stepped_loop().stopped():
            response = await upstream.send(request, body, response_timeout_seconds=3 * SHORT_SECONDS)
            assert [piece async for piece in response.stream()] == [b"fine"]
            await response.aclose()
            with pytest.raises(UpstreamTimeout):
                await upstream.send(request, body)
