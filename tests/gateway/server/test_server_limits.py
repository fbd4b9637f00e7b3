"""What one client, or one address, can take from the data port: heads, trailers, pipelines, connections, time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gateway.exchange import Exchange
from gateway.server.connections import Connections
from gateway.server.data_protocol import MAX_PIPELINED
from tests.gateway.server.test_server import PATIENT, RESTLESS, BodyCounter, ask, ok, read_body_then_ok, serving
from tests.support.stepped_loop import SteppedLoop, stepped_loop
from tests.support.waiting import PATIENCE_SECONDS, turns, until

HEAD = b"PUT / HTTP/1.1\r\nHost: h\r\n"


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": SteppedLoop}


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
    await asyncio.Event().wait()


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
        await never(exchange)

    async with serving(handler, PATIENT) as port, connected(port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        await reader.readuntil(b"ok")
        writer.write(b"NONSENSE\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), PATIENCE_SECONDS)
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
    async with serving(ok, RESTLESS) as port:
        answer = await ask(port, head)
    assert answer.startswith(b"HTTP/1.1 " + status)


async def test_only_so_many_requests_wait_on_one_connection() -> None:
    handled = 0
    all_sent = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        nonlocal handled
        handled += 1
        await all_sent.wait()
        await ok(exchange)

    async with serving(handler, PATIENT) as port, connected(port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n" * 3000)
        await writer.drain()
        await turns()
        all_sent.set()
        answer = await asyncio.wait_for(reader.read(), PATIENCE_SECONDS)
    assert handled <= MAX_PIPELINED + 1
    assert answer.count(b"HTTP/1.1 200") == handled
    assert b"HTTP/1.1 400" in answer


# --- connections ------------------------------------------------------------------------------------------------


async def test_one_connection_too_many_is_told_to_slow_down_and_the_place_comes_back() -> None:
    connections = Connections(max_connections=2, max_per_address=9)
    request = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    async with serving(ok, PATIENT, connections) as port:
        async with connected(port), connected(port):
            await until(lambda: connections.count == 2)
            refused = await ask(port, request)
            assert refused.startswith(b"HTTP/1.1 503")
            assert b"SlowDown" in refused
            assert b"retry-after: 1" in refused.lower()
            assert b"x-cos-request-id: " in refused
        await until(lambda: connections.count == connections.turned_away == 0)
        assert (await ask(port, request)).startswith(b"HTTP/1.1 200")
    assert connections.count == 0
    assert connections.turned_away == 0


async def test_one_address_has_only_its_share_of_connections() -> None:
    connections = Connections(max_connections=9, max_per_address=1)
    async with serving(ok, PATIENT, connections) as port, connected(port):
        await until(lambda: connections.count == 1)
        answer = await ask(port, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 503")


async def test_a_connection_turned_away_that_says_nothing_is_closed_soon() -> None:
    connections = Connections(max_connections=1, max_per_address=1)
    async with serving(ok, PATIENT, connections) as port, connected(port):
        await until(lambda: connections.count == 1)
        assert await ask(port, b"") == b""


# --- time -------------------------------------------------------------------------------------------------------


async def test_empty_lines_do_not_hold_a_connection_open() -> None:
    async with serving(ok, replace(PATIENT, head_seconds=0.3)) as port:
        with stepped_loop().stopped():
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            await reader.readuntil(b"ok")
        async with asyncio.timeout(PATIENCE_SECONDS):
            rest = asyncio.create_task(reader.read())
            while not rest.done():
                with contextlib.suppress(ConnectionError):
                    writer.write(b"\r\n")
                await asyncio.sleep(0.05)
        writer.close()


async def test_an_idle_connection_is_closed_after_its_answer() -> None:
    async with serving(ok, replace(PATIENT, keepalive_seconds=0.2)) as port:
        answer = await ask(port, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    assert answer.endswith(b"ok")


async def test_a_body_that_moves_too_slowly_is_cut() -> None:
    deadlines = replace(PATIENT, body_idle_seconds=0.4, min_upload_bytes_per_second=1000)
    async with serving(read_body_then_ok, deadlines) as port, connected(port) as (reader, writer):
        writer.write(HEAD + b"Content-Length: 100000\r\n\r\n")
        ended = asyncio.create_task(reader.read())
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not ended.done():
                with contextlib.suppress(ConnectionError):
                    writer.write(b"x")
                await asyncio.sleep(0.05)
        with contextlib.suppress(ConnectionError):
            assert ended.result() == b""


async def test_a_body_at_the_asked_rate_is_taken() -> None:
    counter = BodyCounter()
    loop = stepped_loop()
    deadlines = replace(PATIENT, body_idle_seconds=0.3, min_upload_bytes_per_second=1000)
    async with serving(counter, deadlines) as port, connected(port) as (reader, writer):
        with loop.stopped():
            writer.write(HEAD + b"Connection: close\r\nContent-Length: 2000\r\n\r\n")
            for count in range(1, 21):
                writer.write(b"x" * 100)
                await counter.has_read(100 * count)
                loop.pass_time(0.05)
                await turns()
        assert (await asyncio.wait_for(reader.read(), PATIENCE_SECONDS)).startswith(b"HTTP/1.1 200")


async def test_a_body_that_waits_for_the_upstream_is_not_too_slow() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        begun.set()
        await go_on.wait()
        await read_body_then_ok(exchange)

    loop = stepped_loop()
    deadlines = replace(PATIENT, body_idle_seconds=0.2, min_upload_bytes_per_second=1_000_000)
    async with serving(handler, deadlines) as port, connected(port) as (reader, writer):
        with loop.stopped():
            writer.write(HEAD + b"Connection: close\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000)
            await begun.wait()
            for _ in range(10):
                await turns()
                loop.pass_time(0.1)
            await turns()
            go_on.set()
            # A timeout would stand still with the clock; pytest's own does not.
            assert (await reader.read()).startswith(b"HTTP/1.1 200")


async def test_a_body_after_stalled_time_of_another_has_its_own_deadline() -> None:
    loop = stepped_loop()
    deadlines = replace(PATIENT, body_idle_seconds=0.4)
    async with serving(read_body_then_ok, deadlines) as port, connected(port) as (reader, writer):
        with loop.stopped():
            for _ in range(4):
                writer.write(HEAD + b"Content-Length: 2\r\n\r\n")
                await turns()
                loop.pass_time(0.25)
                await turns()
                writer.write(b"ab")
                assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")


async def test_a_refused_upload_is_read_on_so_that_the_refusal_arrives() -> None:
    async with serving(refuse, PATIENT) as port, connected(port) as (reader, writer):
        writer.write(HEAD + b"Content-Length: 100000000\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not reader._buffer:
                    writer.write(b"x" * 65_536)
                    await writer.drain()
                    await asyncio.sleep(0.02)
        assert (await asyncio.wait_for(reader.read(12), PATIENCE_SECONDS)) == b"HTTP/1.1 403"


async def test_a_refused_upload_does_not_go_on_for_ever() -> None:
    async with serving(refuse, replace(PATIENT, linger_seconds=0.3)) as port, connected(port) as (_, writer):
        writer.write(HEAD + b"Content-Length: 100000000\r\n\r\n")
        async with asyncio.timeout(PATIENCE_SECONDS):
            with contextlib.suppress(ConnectionError):
                while True:
                    writer.write(b"x" * 1000)
                    await writer.drain()
                    await asyncio.sleep(0.02)


async def test_a_client_that_leaves_while_nobody_reads_from_it_is_noticed() -> None:
    cancelled = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        try:
            await never(exchange)
        finally:
            cancelled.set()

    async with serving(handler, PATIENT) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD + b"Content-Length: 10000000\r\n\r\n" + b"x" * 200_000)
        await asyncio.sleep(0.3)
        writer.transport.abort()
        await asyncio.wait_for(cancelled.wait(), PATIENCE_SECONDS)


async def test_a_client_that_never_takes_its_last_answer_is_cut() -> None:
    lost = asyncio.Event()
    connections = Connections(max_connections=9, max_per_address=9)

    async def handler(exchange: Exchange) -> None:
        await exchange.start(200, [(b"content-length", b"8000000"), (b"connection", b"close")])
        with contextlib.suppress(asyncio.CancelledError):
            await exchange.finish(b"x" * 8_000_000)
        lost.set()

    deadlines = replace(PATIENT, body_idle_seconds=0.5, linger_seconds=0.5)
    async with serving(handler, deadlines, connections) as port, connected(port) as (reader, writer):
        reader._transport.pause_reading()
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        await asyncio.wait_for(lost.wait(), PATIENCE_SECONDS)
        await until(lambda: not connections.count)
