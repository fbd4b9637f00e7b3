"""An upstream that lies, stalls or dies: one clear error each, the connection never used again."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gateway.ports import UpstreamBroken, UpstreamError, UpstreamUnreachable
from gateway.upstreams import TransportKind
from tests.gateway.upstreams.scripted_server import (
    PATIENT,
    Peer,
    Script,
    answering,
    build_answer,
    build_request,
    fetch,
    open_upstream,
    serve,
)
from tests.support.waiting import until

HEAD = b"HTTP/1.1 200 OK\r\n"


def once_then_clean(bad: bytes) -> Script:
    """The first connection gets `bad` and is closed, later ones a good answer."""

    async def script(peer: Peer) -> None:
        await peer.read_head()
        if not used:
            used.append(True)
            await peer.send(bad)
        else:
            await peer.send(build_answer(b"clean"))

    used: list[bool] = []
    return script


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nContent-Len",
        b"220 mail.example ESMTP\r\n\r\n",
        b"<html>not http</html>",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"\r\n" * 40_000,
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 -20 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        HEAD + b"X: " + b"a" * 1_048_576 + b"\r\n\r\n",
        HEAD + b"X: y\r\n" * 200_000 + b"\r\n",
        HEAD + b"No colon here\r\n\r\n",
        HEAD + b"Bad name: x\r\n\r\n",
        HEAD + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nfine!",
        HEAD + b"Content-Length: 4, 5\r\n\r\nfine!",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: +4\r\n\r\nfine",
        HEAD + b"Content-Length: 0x4\r\n\r\nfine",
        HEAD + b"Content-Length: 99999999999999999999999\r\n\r\nfine",
        HEAD + b"Content-Length:\r\n\r\nfine",
        HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n4\r\nfine\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: identity\r\n\r\nfine",
    ],
    ids=lambda bad: repr(bad[:70]),
)
async def test_answer_that_is_not_one_http_response_is_broken(kind: TransportKind, bad: bytes) -> None:
    async with serve(once_then_clean(bad)) as server, open_upstream(kind, server.url) as upstream:
        with pytest.raises(UpstreamBroken) as caught:
            await fetch(upstream)
        assert caught.value.sent
        assert await fetch(upstream) == (200, b"clean")
    assert server.connections == 2


@pytest.mark.parametrize(
    "bad",
    [
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n",
        HEAD + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nfine",
        HEAD + b"X: a\r\n folded\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        b"HTTP/1.1 600 Odd\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=lambda bad: repr(bad[:70]),
)
async def test_native_is_stricter_than_stock(bad: bytes) -> None:
    async with serve(once_then_clean(bad)) as server, open_upstream(TransportKind.NATIVE, server.url) as upstream:
        with pytest.raises(UpstreamBroken):
            await fetch(upstream)


@pytest.mark.parametrize(
    "bad",
    [
        HEAD + b"Content-Length: 100\r\n\r\npart",
        HEAD + b"Content-Length: 1\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nfi",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nfine",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nfine!!\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nfine\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n-4\r\nfine\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nfine",
    ],
    ids=lambda bad: repr(bad[17:80]),
)
async def test_response_cut_short_is_never_a_whole_one(kind: TransportKind, bad: bytes) -> None:
    async with serve(once_then_clean(bad)) as server, open_upstream(kind, server.url) as upstream:
        with pytest.raises(UpstreamBroken) as caught:
            await fetch(upstream)
        assert caught.value.sent
        assert await fetch(upstream) == (200, b"clean")
    assert server.connections == 2


async def test_bytes_before_the_cut_are_delivered(kind: TransportKind) -> None:
    async with (
        serve(answering(HEAD + b"Content-Length: 100\r\n\r\npart")) as server,
        open_upstream(kind, server.url) as upstream,
    ):
        response = await upstream.send(build_request(), b"")
        stream = response.stream()
        assert await anext(stream) == b"part"
        with pytest.raises(UpstreamBroken):
            await anext(stream)
        await response.aclose()


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nX: ", HEAD + b"Content-Length: 9\r\n\r\npart"])
async def test_reset_at_any_phase_is_broken(kind: TransportKind, said: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_head()
        await peer.send(said)
        await asyncio.sleep(0.02)
        peer.reset()

    async with serve(script) as server, open_upstream(kind, server.url) as upstream:
        with pytest.raises(UpstreamBroken) as caught:
            await fetch(upstream)
        assert caught.value.sent


async def test_reset_on_accept_is_an_upstream_error(kind: TransportKind) -> None:
    async def script(peer: Peer) -> None:
        peer.reset()

    async with serve(script) as server, open_upstream(kind, server.url) as upstream:
        with pytest.raises((UpstreamBroken, UpstreamUnreachable)):
            await fetch(upstream)


async def test_reset_while_the_body_is_sent_is_broken(kind: TransportKind) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_head()
        await peer.read_exactly(100_000)
        peer.reset()

    async def body() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 50_000
            await asyncio.sleep(0)

    request = build_request("PUT", headers=((b"transfer-encoding", b"chunked"),))
    async with serve(script) as server, open_upstream(kind, server.url) as upstream:
        with pytest.raises(UpstreamBroken) as caught:
            await fetch(upstream, request, body())
        assert caught.value.sent


# --- no connection ------------------------------------------------------------------------------------------


async def test_refused_connection_is_unreachable_and_nothing_was_sent(kind: TransportKind) -> None:
    async with serve(answering()) as server:
        url = server.url
    async with open_upstream(kind, url) as upstream:
        with pytest.raises(UpstreamUnreachable) as caught:
            await fetch(upstream)
    assert not caught.value.sent


async def test_name_without_address_is_unreachable(kind: TransportKind) -> None:
    async with open_upstream(kind, "http://x.invalid:9000") as upstream:
        with pytest.raises(UpstreamUnreachable) as caught:
            await fetch(upstream)
    assert not caught.value.sent


async def test_connection_that_does_not_open_in_time_is_unreachable(kind: TransportKind) -> None:
    # A listener whose queue is full answers no SYN.
    with socket.socket() as listener, socket.socket() as filler, socket.socket() as second_filler:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for client in (filler, second_filler):
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with open_upstream(kind, url, timeouts=replace(PATIENT, connect_seconds=0.5)) as upstream:
            with pytest.raises(UpstreamUnreachable) as caught:
                await fetch(upstream)
    assert not caught.value.sent


async def test_error_of_the_request_body_comes_out_unchanged(kind: TransportKind) -> None:
    class ClientLeftError(Exception):
        pass

    received = bytearray()

    async def script(peer: Peer) -> None:
        await peer.read_head()
        while data := await peer.reader.read(65536):
            received.extend(data)

    async def body() -> AsyncIterator[bytes]:
        yield b"part"
        await asyncio.sleep(0.02)
        raise ClientLeftError

    request = build_request("PUT", headers=((b"content-length", b"10"),))
    async with serve(script) as server, open_upstream(kind, server.url) as upstream:
        with pytest.raises(ClientLeftError):
            await fetch(upstream, request, body())
        await until(lambda: server.open_connections == 0)
    assert received == b"part"


async def test_chunked_body_that_fails_is_not_ended_properly(kind: TransportKind) -> None:
    received = bytearray()

    async def script(peer: Peer) -> None:
        await peer.read_head()
        while data := await peer.reader.read(65536):
            received.extend(data)

    async def body() -> AsyncIterator[bytes]:
        yield b"part"
        raise UpstreamError("stop", sent=True)

    request = build_request("PUT", headers=((b"transfer-encoding", b"chunked"),))
    async with serve(script) as server, open_upstream(kind, server.url) as upstream:
        with pytest.raises(UpstreamError, match="stop"):
            await fetch(upstream, request, body())
        await until(lambda: server.open_connections == 0)
    assert b"0\r\n\r\n" not in received
