"""The data port's HTTP server on real sockets: targets as sent, errors as COS speaks them, deadlines that hold."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import uvicorn

from gateway.exchange import Exchange, Handler
from gateway.server.connections import Connections
from gateway.server.data_protocol import data_protocol
from gateway.server.deadlines import Deadlines
from gateway.server.listeners import PortTaken, Server, bind
from tests.support.stepped_loop import SteppedLoop, stepped_loop
from tests.support.waiting import PATIENCE_SECONDS, turns, until

LONG_SECONDS = 2 * PATIENCE_SECONDS
PATIENT = Deadlines(LONG_SECONDS, LONG_SECONDS, LONG_SECONDS)
"""Beyond what a test waits: whatever ends in time ended for another reason."""
RESTLESS = replace(PATIENT, keepalive_seconds=0.1)
"""Ends a connection after its answer, so that `ask` returns."""
SHORT_SECONDS = 0.3


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": SteppedLoop}


@asynccontextmanager
async def serving(
    handler: Handler,
    deadlines: Deadlines = RESTLESS,
    connections: Connections | None = None,
    *,
    grace_seconds: int = 1,
) -> AsyncIterator[int]:
    """A server with one handler on a free port, whose requests are given `grace_seconds` to end when it ends."""

    listener = bind("127.0.0.1", 0)
    server = Server(
        uvicorn.Config(
            handler,
            http=data_protocol(deadlines, connections),
            loop="none",
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=1,
            timeout_graceful_shutdown=grace_seconds,
        )
    )
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            await asyncio.sleep(0.005)
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task


async def ok(exchange: Exchange) -> None:
    await exchange.start(200, [(b"content-length", b"2")])
    await exchange.finish(b"ok")


class BodyCounter:
    """Reads a body and answers; `received` are the bytes it has had so far."""

    def __init__(self) -> None:
        self.received = 0

    async def __call__(self, exchange: Exchange) -> None:
        async for piece in exchange.body():
            self.received += len(piece)
        await ok(exchange)

    async def has_read(self, count: int) -> None:
        """Wait until it has had exactly so many."""
        await until(lambda: self.received == count)


async def read_body_then_ok(exchange: Exchange) -> None:
    async for _ in exchange.body():
        pass
    await ok(exchange)


async def ask(port: int, raw: bytes) -> bytes:
    """Send bytes, then read until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(raw)
    try:
        return await asyncio.wait_for(reader.read(), PATIENCE_SECONDS)
    finally:
        writer.close()


@pytest.mark.parametrize(
    "target",
    [
        b"/a/../b",
        b"//a//b",
        b"/a%2Fb%2f",
        b"/.%2F./x?acl&a=%20+b",
        b"http://bucket-1250000000.cos.ap-guangzhou.myqcloud.com/a/../b?x=1",
        b"https://bucket-1250000000.cos.ap-guangzhou.myqcloud.com/",
    ],
)
async def test_the_raw_target_arrives_byte_for_byte(target: bytes) -> None:
    seen: list[bytes] = []

    async def handler(exchange: Exchange) -> None:
        seen.append(exchange.raw_target)
        await ok(exchange)

    async with serving(handler) as port:
        answer = await ask(port, b"GET " + target + b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert seen == [target]


@pytest.mark.parametrize(
    "raw",
    [
        b"NONSENSE\r\n\r\n",
        b"GE\x00T / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x5\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n",
        b"GET @evil.test/x HTTP/1.1\r\nHost: h\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=[
        "nonsense",
        "nul",
        "cl+te",
        "hex length",
        "space before colon",
        "bare cr",
        "no slash",
        "h2",
    ],
)
async def test_what_is_not_http_to_us_is_a_cos_error_and_the_connection_closes(raw: bytes) -> None:
    async with serving(ok) as port:
        answer = await ask(port, raw)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    lower = head.lower()
    for name in (b"x-cos-request-id: ", b"date: ", b"connection: close"):
        assert name in lower
    for element in (b"Code", b"Message", b"Resource", b"RequestId", b"TraceId"):
        assert b"<%s>" % element in body


async def test_a_head_that_drips_is_answered_and_closed() -> None:
    async with serving(ok, replace(PATIENT, head_seconds=SHORT_SECONDS)) as port:
        # The head's time begins with the connection: it stands still until a part of the head is there.
        with stepped_loop().stopped():
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHo")
            await turns()
        answer = await asyncio.wait_for(reader.read(), PATIENCE_SECONDS)
        assert b"not received in time" in answer
        writer.close()


async def test_a_connection_that_never_speaks_is_closed() -> None:
    async with serving(ok, replace(PATIENT, head_seconds=SHORT_SECONDS)) as port:
        assert await ask(port, b"") == b""


async def test_a_head_without_end_is_refused() -> None:
    async with serving(ok, PATIENT) as port:
        answer = await ask(port, b"GET / HTTP/1.1\r\nHost: h\r\n" + b"X-Filler: " + b"a" * 100_000)
    assert b"head is too large" in answer


async def test_a_body_that_stalls_is_cut_and_its_request_cancelled() -> None:
    ended = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        try:
            await read_body_then_ok(exchange)
        finally:
            ended.set()

    async with serving(handler, replace(PATIENT, body_idle_seconds=SHORT_SECONDS)) as port:
        answer = await _reset_or_bytes(ask(port, b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345"))
        assert answer == b""
        await asyncio.wait_for(ended.wait(), PATIENCE_SECONDS)


async def test_a_slow_reader_gets_all_of_an_answer_that_ends_the_connection() -> None:
    body = bytes(range(256)) * 40_000

    async def large(exchange: Exchange) -> None:
        await exchange.start(200, [(b"content-length", b"%d" % len(body)), (b"connection", b"close")])
        await exchange.finish(body)

    async with serving(large, replace(PATIENT, linger_seconds=0.1)) as port:
        peer = socket.socket()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        peer.connect(("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(sock=peer, limit=65_536)
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        received = b""
        while piece := await asyncio.wait_for(reader.read(65_536), PATIENCE_SECONDS):
            received += piece
            await asyncio.sleep(0.005)
        assert received.partition(b"\r\n\r\n")[2] == body
        writer.close()


async def test_a_slow_body_that_moves_is_not_cut() -> None:
    counter = BodyCounter()
    loop = stepped_loop()
    async with serving(counter, replace(PATIENT, body_idle_seconds=SHORT_SECONDS)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with loop.stopped():
            writer.write(b"PUT / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 6\r\n\r\n")
            await turns()
            for count in range(1, 7):
                loop.pass_time(0.9 * SHORT_SECONDS)
                await turns()
                writer.write(b"x")
                await counter.has_read(count)
        assert (await asyncio.wait_for(reader.read(), PATIENCE_SECONDS)).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_a_client_that_does_not_read_is_cut() -> None:
    ended = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        try:
            await exchange.start(200, [(b"transfer-encoding", b"chunked")])
            for _ in range(10_000):
                await exchange.write(b"x" * 65_536)
        finally:
            ended.set()

    async with serving(handler, replace(PATIENT, body_idle_seconds=SHORT_SECONDS)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        await asyncio.wait_for(ended.wait(), PATIENCE_SECONDS)
        writer.close()
        del reader


async def test_a_client_that_leaves_cancels_its_request() -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        try:
            started.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async with serving(handler, PATIENT) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        await started.wait()
        writer.close()
        await asyncio.wait_for(cancelled.wait(), PATIENCE_SECONDS)


async def test_an_aborted_response_does_not_look_complete() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.start(200, [(b"transfer-encoding", b"chunked")])
        await exchange.write(b"half")
        exchange.abort()

    async with serving(handler) as port:
        answer = await _reset_or_bytes(ask(port, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"))
    assert not answer.endswith(b"0\r\n\r\n")


async def test_pipelined_requests_are_answered_in_order() -> None:
    order: list[bytes] = []

    async def handler(exchange: Exchange) -> None:
        await asyncio.sleep(0.05 if exchange.raw_target == b"/1" else 0)
        order.append(exchange.raw_target)
        await ok(exchange)

    async with serving(handler, PATIENT) as port:
        answer = await ask(
            port,
            b"GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        )
    assert order == [b"/1", b"/2"]
    assert answer.count(b"HTTP/1.1 200") == 2


async def test_keep_alive_serves_several_requests_on_one_connection() -> None:
    async with serving(ok, PATIENT) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            assert (await asyncio.wait_for(reader.readuntil(b"ok"), PATIENCE_SECONDS)).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_a_taken_port_is_said_in_one_line() -> None:
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    holder.listen()
    port = holder.getsockname()[1]
    with pytest.raises(PortTaken, match=rf"127\.0\.0\.1:{port} is taken"):
        bind("127.0.0.1", port)
    holder.close()


async def _reset_or_bytes(asked: Awaitable[bytes]) -> bytes:
    """What was received, a reset counting as nothing more."""
    try:
        return await asked
    except ConnectionResetError:
        return b""
