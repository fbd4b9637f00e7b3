"""The data port's HTTP server on real sockets: targets as sent, errors as COS speaks them, deadlines that hold."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

import pytest
import uvicorn

from gateway.exchange import Exchange, Handler
from gateway.server.connections import Connections
from gateway.server.data_protocol import data_protocol
from gateway.server.deadlines import Deadlines
from gateway.server.listeners import PortTaken, Server, bind

QUICK = Deadlines(head_seconds=0.3, body_idle_seconds=0.3, keepalive_seconds=0.5)


@asynccontextmanager
async def serving(
    handler: Handler, deadlines: Deadlines = QUICK, connections: Connections | None = None
) -> AsyncIterator[int]:
    """A server with one handler on a free port."""

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
            timeout_graceful_shutdown=1,
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


async def read_body_then_ok(exchange: Exchange) -> None:
    async for _ in exchange.body():
        pass
    await ok(exchange)


async def ask(port: int, raw: bytes) -> bytes:
    """Send bytes, then read until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(raw)
    try:
        return await asyncio.wait_for(reader.read(), 5)
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
    async with serving(ok) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        started = asyncio.get_running_loop().time()
        writer.write(b"GET / HTTP/1.1\r\nHo")
        answer = await asyncio.wait_for(reader.read(), 5)
        assert b"not received in time" in answer
        assert asyncio.get_running_loop().time() - started < 3
        writer.close()


async def test_a_connection_that_never_speaks_is_closed() -> None:
    async with serving(ok) as port:
        assert await ask(port, b"") == b""


async def test_a_head_without_end_is_refused() -> None:
    async with serving(ok, Deadlines(5, 5, 5)) as port:
        answer = await ask(port, b"GET / HTTP/1.1\r\nHost: h\r\n" + b"X-Filler: " + b"a" * 100_000)
    assert b"head is too large" in answer


async def test_a_body_that_stalls_is_cut_and_its_request_cancelled() -> None:
    ended = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        try:
            await read_body_then_ok(exchange)
        finally:
            ended.set()

    async with serving(handler) as port:
        answer = await _reset_or_bytes(ask(port, b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345"))
        assert answer == b""
        await asyncio.wait_for(ended.wait(), 5)


async def test_a_slow_reader_gets_all_of_an_answer_that_ends_the_connection() -> None:
    body = bytes(range(256)) * 40_000

    async def large(exchange: Exchange) -> None:
        await exchange.start(200, [(b"content-length", b"%d" % len(body)), (b"connection", b"close")])
        await exchange.finish(body)

    async with serving(large, Deadlines(10, 10, 10, linger_seconds=0.1)) as port:
        peer = socket.socket()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        peer.connect(("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(sock=peer, limit=65_536)
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        received = b""
        while piece := await asyncio.wait_for(reader.read(65_536), 5):
            received += piece
            await asyncio.sleep(0.005)
        assert received.partition(b"\r\n\r\n")[2] == body
        writer.close()


async def test_a_slow_body_that_moves_is_not_cut() -> None:
    async with serving(read_body_then_ok) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"PUT / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 6\r\n\r\n")
        for _ in range(6):
            await asyncio.sleep(0.15)
            writer.write(b"x")
        assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 200")
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

    async with serving(handler) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        await asyncio.wait_for(ended.wait(), 10)
        writer.close()
        del reader


async def test_a_client_that_leaves_cancels_its_request() -> None:
    cancelled = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async with serving(handler, Deadlines(5, 5, 5)) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        await asyncio.sleep(0.1)
        writer.close()
        await asyncio.wait_for(cancelled.wait(), 5)


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

    async with serving(handler, Deadlines(5, 5, 5)) as port:
        answer = await ask(
            port,
            b"GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        )
    assert order == [b"/1", b"/2"]
    assert answer.count(b"HTTP/1.1 200") == 2


async def test_keep_alive_serves_several_requests_on_one_connection() -> None:
    async with serving(ok) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            assert (await asyncio.wait_for(reader.readuntil(b"ok"), 5)).startswith(b"HTTP/1.1 200")
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
