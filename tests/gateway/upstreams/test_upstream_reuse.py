"""Connections used again, and those that must not be. Only the native transport keeps any."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from gateway.ports import UpstreamBroken
from gateway.upstreams import PoolLimits, TransportKind
from tests.gateway.upstreams.scripted_server import (
    Peer,
    Script,
    answering,
    answering_always,
    build_answer,
    build_request,
    fetch,
    open_upstream,
    pieces,
    serve,
)
from tests.support.waiting import PATIENCE_SECONDS, turns, until

NATIVE = TransportKind.NATIVE
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n"
POISON = build_answer(b"poison")


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("GET", build_answer()),
        ("GET", CHUNKED),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
        ("PUT", b"HTTP/1.1 100 Continue\r\n\r\n" + build_answer()),
        ("GET", build_answer(b"x" * 100_000)),
        ("GET", build_answer(status=b"503 Slow Down")),
    ],
    ids=lambda value: value[:50] if isinstance(value, bytes) else None,
)
async def test_connection_is_used_again_after_a_clean_exchange(method: str, answer: bytes) -> None:
    async with serve(answering_always(answer)) as server, open_upstream(NATIVE, server.url) as upstream:
        for _ in range(3):
            await fetch(upstream, build_request(method))
    assert (server.connections, len(server.heads)) == (1, 3)


async def test_connection_is_used_again_after_streamed_bodies() -> None:
    async def script(peer: Peer) -> None:
        while True:
            head = await peer.read_head()
            await (peer.reader.readuntil(b"0\r\n\r\n") if b"chunked" in head else peer.read_exactly(4))
            await peer.send(build_answer())

    async with serve(script) as server, open_upstream(NATIVE, server.url) as upstream:
        for framing in ((b"content-length", b"4"), (b"transfer-encoding", b"chunked")):
            await fetch(upstream, build_request("PUT", headers=(framing,)), pieces(b"bo", b"dy"))
    assert (server.connections, len(server.heads)) == (1, 2)


@pytest.mark.parametrize(
    "answer",
    [
        build_answer(extra=b"Connection: close\r\n"),
        build_answer(extra=b"Connection: Keep-Alive, Close\r\n"),
        b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nfine",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nfine",
    ],
)
async def test_connection_the_peer_wants_closed_is_not_used_again(kind: TransportKind, answer: bytes) -> None:
    async with serve(answering_always(answer)) as server, open_upstream(kind, server.url) as upstream:
        for _ in range(2):
            assert await fetch(upstream) == (200, b"fine")
    assert server.connections == 2


@pytest.mark.parametrize("later", [False, True], ids=["same segment", "a moment later"])
@pytest.mark.parametrize("trailing", [POISON, b"\r\n", b"x", b"0\r\n\r\n"], ids=repr)
@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("GET", build_answer()),
        ("GET", build_answer(b"")),
        ("GET", CHUNKED),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\n\r\n"),
    ],
    ids=["length", "empty", "chunked", "204", "head length", "head chunked", "304"],
)
async def test_bytes_after_a_response_never_answer_the_next_request(
    kind: TransportKind, method: str, answer: bytes, trailing: bytes, later: bool
) -> None:
    served = 0
    speak_up, spoken = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        nonlocal served
        while True:
            await peer.read_head()
            served += 1
            if served > 1:
                await peer.send(build_answer(b"" if method == "HEAD" else b"clean"))
                continue
            if not later:
                await peer.send(answer + trailing)
                continue
            await peer.send(answer)
            await speak_up.wait()
            if not peer.reader.at_eof():
                await peer.send(trailing)
            spoken.set()

    async with serve(script) as server, open_upstream(kind, server.url) as upstream:
        first = await fetch(upstream, build_request(method))
        assert b"poison" not in first[1]
        if later:
            await turns()
            speak_up.set()
            await spoken.wait()
        assert await fetch(upstream, build_request(method)) == (200, b"" if method == "HEAD" else b"clean")
    assert server.connections == 2


class Poisoner:
    """Answers, and once told so sends another answer that nobody asked for; the next connection is well served."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._told, self._spoken = threading.Event(), threading.Event()
        self.received = b""

    def serve(self) -> None:
        first, _ = self._listener.accept()
        with first:
            first.recv(65536)
            first.sendall(build_answer())
            self._told.wait(PATIENCE_SECONDS)
            first.sendall(POISON)
            self._spoken.set()
            second, _ = self._listener.accept()
            with second:
                while not self.received.endswith(b"body"):
                    self.received += second.recv(65536)
                second.sendall(build_answer(b"clean"))

    def speak_up(self) -> None:
        """Block the loop until the kernel has taken the bytes in."""
        self._told.set()
        assert self._spoken.wait(PATIENCE_SECONDS)


@pytest.mark.parametrize(
    ("moment", "streamed"),
    [("before it is asked", False), ("before it is asked", True), ("before it leaves", False), ("as it leaves", False)],
)
async def test_bytes_the_loop_has_not_seen_yet_never_answer_the_next_request(moment: str, streamed: bool) -> None:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_SECONDS)
        peer = Poisoner(listener)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with open_upstream(NATIVE, url) as upstream:
            serving = asyncio.create_task(asyncio.to_thread(peer.serve))
            assert await fetch(upstream) == (200, b"fine")
            match moment:
                case "before it is asked":
                    peer.speak_up()
                case "as it leaves":
                    # In the turn in which it leaves, just before that.
                    loop.call_soon(loop.call_soon, peer.speak_up)
            request = build_request("POST", headers=((b"content-length", b"4"),))
            asking = asyncio.create_task(fetch(upstream, request, pieces(b"bo", b"dy") if streamed else b"body"))
            if moment == "before it leaves":
                # It is given to its connection now; the loop looks at the socket once more before it leaves.
                await asyncio.sleep(0)
                peer.speak_up()
            assert await asking == (200, b"clean")
            await serving
    assert peer.received.startswith(b"POST ")


async def test_unread_response_takes_its_connection_along(kind: TransportKind) -> None:
    async def script(peer: Peer) -> None:
        while True:
            await peer.read_head()
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly a part")

    async with serve(script) as server, open_upstream(kind, server.url) as upstream:
        for _ in range(2):
            response = await upstream.send(build_request(), b"")
            await response.aclose()
            await response.aclose()
    assert server.connections == 2


async def test_resting_connection_is_closed_after_its_time() -> None:
    closed = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.read_head()
        await peer.send(build_answer())
        await peer.wait_closed_by_client()
        closed.set()

    limits = PoolLimits(max_idle_seconds=0.05)
    async with serve(script) as server, open_upstream(NATIVE, server.url, limits=limits) as upstream:
        await fetch(upstream)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await closed.wait()
        assert await fetch(upstream) == (200, b"fine")
    assert server.connections == 2


async def test_connection_closed_by_the_peer_while_resting_is_not_used_again() -> None:
    async with serve(answering(build_answer())) as server, open_upstream(NATIVE, server.url) as upstream:
        for _ in range(3):
            assert await fetch(upstream, build_request("POST")) == (200, b"fine")
            await until(lambda: server.open_connections == 0)
    assert server.connections == 3


def failing_on_second_request(last_words: bytes = b"") -> tuple[list[int], Script]:
    """Requests counted by connection, and a script whose first connection closes when its second one comes."""
    counts: list[int] = []

    async def script(peer: Peer) -> None:
        index = len(counts)
        counts.append(0)
        while True:
            await peer.read_head()
            counts[index] += 1
            if counts[0] == 2 and index == 0:
                await peer.send(last_words)
                return
            await peer.send(build_answer(b""))

    return counts, script


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_stale_connection_is_replaced_for_a_body_in_memory(method: str) -> None:
    counts, script = failing_on_second_request()
    request = build_request(method, headers=((b"content-length", b"4"),))
    async with serve(script) as server, open_upstream(NATIVE, server.url) as upstream:
        await fetch(upstream)
        assert await fetch(upstream, request, b"body") == (200, b"")
    assert counts == [2, 1]


@pytest.mark.parametrize(
    ("method", "body", "last_words"),
    [
        ("POST", b"body", b""),
        ("PUT", (b"bo", b"dy"), b""),
        ("PUT", b"body", b"HTTP/1.1 2"),
        ("PUT", b"body", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["post", "streamed body", "part of an answer", "interim answer"],
)
async def test_request_that_may_have_been_served_is_not_sent_again(
    method: str, body: tuple[bytes, ...] | bytes, last_words: bytes
) -> None:
    counts, script = failing_on_second_request(last_words)
    request = build_request(method, headers=((b"content-length", b"4"),))
    async with serve(script) as server, open_upstream(NATIVE, server.url) as upstream:
        await fetch(upstream)
        with pytest.raises(UpstreamBroken) as caught:
            await fetch(upstream, request, body if isinstance(body, bytes) else pieces(*body))
    assert caught.value.sent
    assert counts == [2]


async def test_request_on_a_new_connection_is_never_sent_again(kind: TransportKind) -> None:
    async with serve(answering(b"")) as server, open_upstream(kind, server.url) as upstream:
        with pytest.raises(UpstreamBroken) as caught:
            await fetch(upstream)
    assert caught.value.sent
    assert len(server.heads) == 1


async def test_second_attempt_is_the_last() -> None:
    async def script(peer: Peer) -> None:
        await peer.read_head()
        if server.connections == 1:
            await peer.send(build_answer())
            await peer.read_head()

    async with serve(script) as server, open_upstream(NATIVE, server.url) as upstream:
        await fetch(upstream)
        with pytest.raises(UpstreamBroken):
            await fetch(upstream)
    assert len(server.heads) == 3


async def test_one_stale_connection_makes_the_resting_ones_suspect() -> None:
    gate = asyncio.Event()
    stale = False

    async def script(peer: Peer) -> None:
        while True:
            await peer.read_head()
            await gate.wait()
            if stale and peer.request_count > 1:
                return
            await peer.send(build_answer())

    async with serve(script) as server, open_upstream(NATIVE, server.url) as upstream:
        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(fetch(upstream))
            await until(lambda: len(server.heads) == 5)
            gate.set()
        assert server.connections == 5
        stale = True
        assert await fetch(upstream) == (200, b"fine")
    assert (server.connections, len(server.heads)) == (6, 7)
