"""What one client, or one address, can take from the data port: heads, trailers, pipelines, connections, time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from gateway.exchange import Exchange
from gateway.server.connections import Connections
from gateway.server.data_protocol import MAX_PIPELINED
from gateway.server.deadlines import Deadlines
from tests.gateway.server.test_server import ask, ok, read_body_then_ok, serving

PATIENT = Deadlines(5, 5, 5)
HEAD = b"PUT / HTTP/1.1\r\nHost: h\r\n"


@contextlib.asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def refuse(exchange: Exchange) -> None:
    """A refusal that does not read the body."""
    await exchange.start(403, [(b"content-length", b"2")])
    await exchange.finish(b"no")


async def never(exchange: Exchange) -> None:
    await asyncio.sleep(30)


# --- framing: one way to tell where a body ends -------------------------------------------------------------


@pytest.mark.parametrize(
    "framing",
    [
        b"Transfer-Encoding: identity, chunked",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Content-Length: 5\r\nContent-Length: 5",
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Content-Length: 5, 5",
        b"Content-Length: +5",
        b"Content-Length: 0x5",
        b"Content-Length:",
        b"Content-Length: -5",
        b"Content-Length: 9999999999999999999",
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding: \x0bchunked",
        b"Transfer-Encoding:",
        b"Transfer-Encoding: chunked, identity",
        b"X: y\r\n Content-Length: 5",
        b"Content-Length : 5",
        b"Content-Length: 5\nX: y",
    ],
    ids=lambda framing: repr(framing),
)
async def test_a_body_whose_end_is_said_in_two_ways_is_never_followed_by_another_request(framing: bytes) -> None:
    seen: list[bytes] = []

    async def handler(exchange: Exchange) -> None:
        seen.append(exchange.raw_target)
        await read_body_then_ok(exchange)

    smuggled = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
    async with serving(handler, PATIENT) as port:
        answer = await ask(port, HEAD + framing + b"\r\n\r\n" + smuggled)
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501"))
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"x-cos-request-id" in answer
    assert seen == []


async def test_transfer_encoding_needs_http_1_1() -> None:
    async with serving(read_body_then_ok, PATIENT) as port:
        answer = await ask(port, b"PUT / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    "chunks",
    [b"5\r\nhelloXX0\r\n\r\n", b"zz\r\nhello\r\n0\r\n\r\n", b"-5\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\n0\r\n\r\n"],
)
async def test_a_body_with_broken_chunks_is_refused_though_its_request_is_being_handled(chunks: bytes) -> None:
    async with serving(read_body_then_ok, PATIENT) as port:
        answer = await ask(port, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_what_follows_a_good_request_is_refused_after_it_was_answered() -> None:
    async def handler(exchange: Exchange) -> None:
        await asyncio.sleep(0.05)
        await ok(exchange)

    async with serving(handler, PATIENT) as port:
        answer = await ask(port, b"GET / HTTP/1.1\r\nHost: h\r\n\r\nNONSENSE\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.count(b"HTTP/1.1 400") == 1
    assert answer.count(b"HTTP/1.1 ") == 2


async def test_what_follows_an_answer_whose_request_lives_on_is_refused_at_once() -> None:
    async def handler(exchange: Exchange) -> None:
        await ok(exchange)
        await asyncio.sleep(1.0)

    async with serving(handler, PATIENT) as port, connected(port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        await reader.readuntil(b"ok")
        writer.write(b"NONSENSE\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 0.8)
    assert answer.startswith(b"HTTP/1.1 400")


# --- trailers -------------------------------------------------------------------------------------------------


async def test_trailers_are_dropped_though_they_arrive_with_the_head() -> None:
    seen: list[tuple[bytes, bytes]] = []

    async def handler(exchange: Exchange) -> None:
        seen.extend(exchange.headers)
        await read_body_then_ok(exchange)
        seen.extend(exchange.headers)

    async with serving(handler, PATIENT) as port:
        await ask(
            port,
            HEAD
            + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"5\r\nhello\r\n0\r\nx-cos-acl: public-read\r\n\r\n",
        )
    assert seen
    assert b"x-cos-acl" not in dict(seen)


async def test_endless_trailers_are_refused() -> None:
    trailers = b"".join(b"x-filler-%d: %s\r\n" % (number, b"a" * 100) for number in range(1000))
    async with serving(read_body_then_ok, PATIENT) as port:
        answer = await ask(port, HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + trailers + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 400")


# --- sizes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /%s HTTP/1.1\r\nHost: h\r\n\r\n" % (b"a" * 8191), b"200"),
        (b"GET /%s HTTP/1.1\r\nHost: h\r\n\r\n" % (b"a" * 8192), b"400"),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: %s\r\n\r\n" % (b"a" * (16 * 1024 - 6)), b"200"),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: %s\r\n\r\n" % (b"a" * (16 * 1024 - 5)), b"400"),
        (b"GET / HTTP/1.1\r\nHost: h\r\n" + b"X: y\r\n" * 99 + b"\r\n", b"200"),
        (b"GET / HTTP/1.1\r\nHost: h\r\n" + b"X: y\r\n" * 100 + b"\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: h\r\n" + b"X: y\r\n" * 50_000 + b"\r\n", b"400"),
        (b"A" * 1_000_000, b"400"),
    ],
    ids=["target", "target+1", "headers", "headers+1", "fields", "fields+1", "many fields", "no head"],
)
async def test_a_head_has_its_size(head: bytes, status: bytes) -> None:
    async with serving(ok, Deadlines(5, 5, 0.2)) as port:
        answer = await ask(port, head)
    assert answer.startswith(b"HTTP/1.1 " + status)


async def test_only_so_many_requests_wait_on_one_connection() -> None:
    handled = 0

    async def handler(exchange: Exchange) -> None:
        nonlocal handled
        handled += 1
        await asyncio.sleep(0.02)
        await ok(exchange)

    async with serving(handler, PATIENT) as port:
        answer = await ask(port, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n" * 3000)
    assert handled <= MAX_PIPELINED + 1
    assert answer.count(b"HTTP/1.1 200") == handled
    assert b"HTTP/1.1 400" in answer


# --- connections ------------------------------------------------------------------------------------------------


async def test_one_connection_too_many_is_told_to_slow_down_and_the_place_comes_back() -> None:
    connections = Connections(max_connections=2, max_per_address=9)
    request = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    async with serving(ok, PATIENT, connections) as port:
        async with connected(port) as (first, _), connected(port):
            await asyncio.sleep(0.05)
            refused = await ask(port, request)
            assert refused.startswith(b"HTTP/1.1 503")
            assert b"SlowDown" in refused
            assert b"retry-after: 1" in refused.lower()
            assert b"x-cos-request-id: " in refused
        del first
        await asyncio.sleep(0.05)
        assert (await ask(port, request)).startswith(b"HTTP/1.1 200")
    await asyncio.sleep(0.05)
    assert connections.count == 0
    assert connections.turned_away == 0


async def test_one_address_has_only_its_share_of_connections() -> None:
    connections = Connections(max_connections=9, max_per_address=1)
    async with serving(ok, PATIENT, connections) as port, connected(port):
        await asyncio.sleep(0.05)
        answer = await ask(port, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 503")


async def test_a_connection_turned_away_that_says_nothing_is_closed_soon() -> None:
    async with serving(ok, PATIENT, Connections(max_connections=1, max_per_address=1)) as port, connected(port):
        await asyncio.sleep(0.05)
        started = asyncio.get_running_loop().time()
        assert await ask(port, b"") == b""
        assert asyncio.get_running_loop().time() - started < 3


# --- time -------------------------------------------------------------------------------------------------------


async def test_empty_lines_do_not_hold_a_connection_open() -> None:
    async with serving(ok) as port, connected(port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        await reader.readuntil(b"ok")
        started = asyncio.get_running_loop().time()
        rest = asyncio.create_task(reader.read())
        while not rest.done():
            with contextlib.suppress(ConnectionError):
                writer.write(b"\r\n")
            await asyncio.sleep(0.05)
            assert asyncio.get_running_loop().time() - started < 3


async def test_an_idle_connection_is_closed_after_its_answer() -> None:
    async with serving(ok, Deadlines(5, 5, 0.2)) as port:
        answer = await ask(port, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    assert answer.endswith(b"ok")


async def test_a_body_that_moves_too_slowly_is_cut() -> None:
    deadlines = Deadlines(5, 0.4, 5, min_upload_bytes_per_second=1000)
    async with serving(read_body_then_ok, deadlines) as port, connected(port) as (reader, writer):
        writer.write(HEAD + b"Content-Length: 100000\r\n\r\n")
        started = asyncio.get_running_loop().time()
        ended = asyncio.create_task(reader.read())
        while not ended.done():
            with contextlib.suppress(ConnectionError):
                writer.write(b"x")
            await asyncio.sleep(0.05)
            assert asyncio.get_running_loop().time() - started < 4
        with contextlib.suppress(ConnectionError):
            assert ended.result() == b""


async def test_a_body_at_the_asked_rate_is_taken() -> None:
    deadlines = Deadlines(5, 0.3, 5, min_upload_bytes_per_second=1000)
    async with serving(read_body_then_ok, deadlines) as port, connected(port) as (reader, writer):
        writer.write(HEAD + b"Connection: close\r\nContent-Length: 4000\r\n\r\n")
        for _ in range(20):
            writer.write(b"x" * 200)
            await asyncio.sleep(0.05)
        assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 200")


async def test_a_body_that_waits_for_the_upstream_is_not_too_slow() -> None:
    async def handler(exchange: Exchange) -> None:
        await asyncio.sleep(1.0)
        await read_body_then_ok(exchange)

    deadlines = Deadlines(5, 0.2, 5, min_upload_bytes_per_second=1_000_000)
    async with serving(handler, deadlines) as port:
        answer = await ask(port, HEAD + b"Connection: close\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000)
    assert answer.startswith(b"HTTP/1.1 200")


async def test_a_body_after_stalled_time_of_another_has_its_own_deadline() -> None:
    async with serving(read_body_then_ok, Deadlines(5, 0.4, 5)) as port, connected(port) as (reader, writer):
        for _ in range(4):
            writer.write(HEAD + b"Content-Length: 2\r\n\r\n")
            await asyncio.sleep(0.25)
            writer.write(b"ab")
            assert (await asyncio.wait_for(reader.readuntil(b"ok"), 5)).startswith(b"HTTP/1.1 200")


async def test_a_refused_upload_is_read_on_so_that_the_refusal_arrives() -> None:
    async with serving(refuse, Deadlines(5, 5, 5, linger_seconds=1.0)) as port, connected(port) as (reader, writer):
        writer.write(HEAD + b"Content-Length: 100000000\r\n\r\n")
        started = asyncio.get_running_loop().time()
        with contextlib.suppress(ConnectionError):
            while asyncio.get_running_loop().time() - started < 3:
                writer.write(b"x" * 65_536)
                await writer.drain()
                await asyncio.sleep(0.02)
                if reader._buffer:
                    break
        assert (await asyncio.wait_for(reader.read(12), 5)) == b"HTTP/1.1 403"


async def test_a_refused_upload_does_not_go_on_for_ever() -> None:
    async with serving(refuse, Deadlines(5, 5, 5, linger_seconds=0.3)) as port, connected(port) as (_, writer):
        writer.write(HEAD + b"Content-Length: 100000000\r\n\r\n")
        started = asyncio.get_running_loop().time()
        with contextlib.suppress(ConnectionError):
            while asyncio.get_running_loop().time() - started < 4:
                writer.write(b"x" * 1000)
                await writer.drain()
                await asyncio.sleep(0.02)
        assert asyncio.get_running_loop().time() - started < 3


async def test_a_client_that_leaves_while_nobody_reads_from_it_is_noticed() -> None:
    cancelled = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        try:
            await never(exchange)
        finally:
            cancelled.set()

    async with serving(handler, Deadlines(20, 20, 20)) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD + b"Content-Length: 10000000\r\n\r\n" + b"x" * 200_000)
        await asyncio.sleep(0.3)
        writer.transport.abort()
        await asyncio.wait_for(cancelled.wait(), 5)


async def test_a_client_that_never_takes_its_last_answer_is_cut() -> None:
    lost = asyncio.Event()
    connections = Connections(max_connections=9, max_per_address=9)

    async def handler(exchange: Exchange) -> None:
        await exchange.start(200, [(b"content-length", b"8000000"), (b"connection", b"close")])
        with contextlib.suppress(asyncio.CancelledError):
            await exchange.finish(b"x" * 8_000_000)
        lost.set()

    deadlines = Deadlines(5, 0.5, 5, linger_seconds=0.5)
    async with serving(handler, deadlines, connections) as port, connected(port) as (reader, writer):
        reader._transport.pause_reading()
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        await asyncio.wait_for(lost.wait(), 5)
        async with asyncio.timeout(5):
            while connections.count:
                await asyncio.sleep(0.02)
