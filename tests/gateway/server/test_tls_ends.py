"""How encrypted connections of the data port end, and what time they may take: as plain ones do."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time

import pytest

from gateway.configuration.tls import TlsSettings
from gateway.exchange import Exchange
from gateway.server.deadlines import Deadlines
from gateway.server.secure_protocol import unconfirmed_bytes
from tests.gateway.server.secure_server import rest_of, securely_serving
from tests.gateway.server.test_server import ok, read_body_then_ok
from tests.support.waiting import PATIENCE_SECONDS, until

PATIENT = Deadlines(60, 60, 60)
GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}


# --- ends ------------------------------------------------------------------------------------------


async def refuse(exchange: Exchange) -> None:
    """A refusal that does not read the body."""
    await exchange.start(403, [(b"content-length", b"2"), (b"connection", b"close")])
    await exchange.finish(b"no")


async def test_a_large_upload_that_is_refused_early_learns_why(tls: TlsSettings, context: ssl.SSLContext) -> None:
    async with securely_serving(refuse, tls, PATIENT) as secured:
        answer = await asyncio.to_thread(_uploaded, context, secured.port, 4_000_000)
        assert answer.startswith(b"HTTP/1.1 403")
        assert answer.endswith(b"no")
        await secured.settled()


def _uploaded(context: ssl.SSLContext, port: int, size: int) -> bytes:
    """The answer to an upload, read as most clients do: after all of it was sent."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as peer,
        context.wrap_socket(peer, server_hostname="localhost") as secured,
    ):
        secured.sendall(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // 100_000):
            secured.sendall(bytes(100_000))
            time.sleep(0.002)
        received = b""
        while piece := secured.recv(65_536):
            received += piece
        return received


async def test_an_upload_that_goes_on_after_its_refusal_is_cut(tls: TlsSettings, context: ssl.SSLContext) -> None:
    async with securely_serving(refuse, tls, Deadlines(60, 60, 60, linger_seconds=0.5)) as secured:
        _, writer = await secured.connect(context)
        writer.write(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while secured.connections.count:
                writer.write(b"x" * 100)
                await asyncio.sleep(0.02)
        writer.close()


async def test_a_slow_reader_gets_all_of_an_answer_that_ends_the_connection(
    tls: TlsSettings, context: ssl.SSLContext
) -> None:
    body = bytes(range(256)) * 20_000

    async def large(exchange: Exchange) -> None:
        await exchange.start(200, [(b"content-length", b"%d" % len(body)), (b"connection", b"close")])
        await exchange.finish(body)

    async with securely_serving(large, tls, Deadlines(60, 60, 60, linger_seconds=0.2)) as secured:
        answer = await asyncio.to_thread(_read_slowly, context, secured.port)
        assert answer.partition(b"\r\n\r\n")[2] == body
        await secured.settled()


def _read_slowly(context: ssl.SSLContext, port: int) -> bytes:
    """An answer to its end, over three seconds."""
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    peer.settimeout(10)
    peer.connect(("127.0.0.1", port))
    with peer, context.wrap_socket(peer, server_hostname="localhost") as secured:
        secured.sendall(GET)
        pieces = []
        while piece := secured.recv(16_384):
            pieces.append(piece)
            time.sleep(0.01)
        return b"".join(pieces)


async def test_an_answer_that_is_broken_off_does_not_look_whole(tls: TlsSettings, context: ssl.SSLContext) -> None:
    async def broken(exchange: Exchange) -> None:
        await exchange.start(200, [(b"content-length", b"100")])
        await exchange.write(b"half")
        await asyncio.sleep(0.05)
        exchange.abort()

    async with securely_serving(broken, tls, PATIENT) as secured:
        reader, writer = await secured.connect(context)
        writer.write(GET)
        answer = await asyncio.wait_for(rest_of(reader), PATIENCE_SECONDS)
        assert not answer or answer.endswith(b"\r\n\r\nhalf")
        writer.close()
        await secured.settled()


async def test_what_follows_a_bad_request_is_not_read_and_the_client_sees_the_end(
    tls: TlsSettings, context: ssl.SSLContext
) -> None:
    async with securely_serving(ok, tls, PATIENT) as secured:
        answer = await secured.ask(GET + b"NONSENSE\r\n\r\n" + GET * 5, context)
        assert answer.count(b"HTTP/1.1 ") == 2
        assert answer.count(b"HTTP/1.1 400") == 1
        await secured.settled()


async def test_idle_connections_do_not_hold_up_the_end_of_the_server(tls: TlsSettings, context: ssl.SSLContext) -> None:
    # A connection would rest, and linger, for longer than the test waits.
    never = 10 * PATIENCE_SECONDS
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        securely_serving(ok, tls, Deadlines(never, never, never, linger_seconds=never), grace_seconds=60) as secured,
    ):
        peers = [socket.create_connection(("127.0.0.1", secured.port)) for _ in range(3)]
        idle = [await asyncio.to_thread(_asked_once, context, peer) for peer in peers]
    for peer in idle:
        peer.close()
    assert secured.connections.count == 0


class LostTransport(asyncio.Transport):
    """As uvloop's, between the loss of the socket and telling its protocol."""

    def get_extra_info(self, name: str, default: object = None) -> object:
        return None


def test_nothing_is_waited_for_on_a_connection_that_is_already_lost() -> None:
    assert unconfirmed_bytes(LostTransport()) == 0


def _asked_once(context: ssl.SSLContext, peer: socket.socket) -> ssl.SSLSocket:
    secured = context.wrap_socket(peer, server_hostname="localhost")
    secured.sendall(GET)
    while not secured.recv(65_536).endswith(b"ok"):
        pass
    return secured


# --- time -----------------------------------------------------------------------------------------------------------


async def test_heads_bodies_and_rests_have_their_deadlines(tls: TlsSettings, context: ssl.SSLContext) -> None:
    async with securely_serving(read_body_then_ok, tls, Deadlines(0.5, 0.5, 0.5)) as secured:
        assert b"not received in time" in await secured.ask(b"GET / HTTP/1.1\r\nHo", context)
        assert await secured.ask(b"", context) == b""
        assert (await secured.ask(GET, context)).endswith(b"ok")
        reader, writer = await secured.connect(context)
        writer.write(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc")
        assert await asyncio.wait_for(rest_of(reader), PATIENCE_SECONDS) == b""
        writer.close()
        await secured.settled()


async def test_a_client_that_does_not_read_is_cut(tls: TlsSettings, context: ssl.SSLContext) -> None:
    ended = asyncio.Event()

    async def endless(exchange: Exchange) -> None:
        try:
            await exchange.start(200, [(b"transfer-encoding", b"chunked")])
            while True:
                await exchange.write(bytes(65_536))
        finally:
            ended.set()

    async with securely_serving(endless, tls, Deadlines(60, 0.5, 60)) as secured:
        peer = await asyncio.to_thread(socket.create_connection, ("127.0.0.1", secured.port))
        unread = await asyncio.to_thread(context.wrap_socket, peer, server_hostname="localhost")
        await asyncio.to_thread(unread.sendall, GET)
        await asyncio.wait_for(ended.wait(), PATIENCE_SECONDS)
        await secured.settled()
        unread.close()


async def test_a_client_that_leaves_while_it_is_not_read_from_is_noticed(
    tls: TlsSettings, context: ssl.SSLContext
) -> None:
    ended = asyncio.Event()

    async def never(exchange: Exchange) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with securely_serving(never, tls, Deadlines(60, 60, 60)) as secured:
        _, writer = await secured.connect(context)
        writer.write(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 9000000\r\n\r\n" + bytes(400_000))
        await asyncio.sleep(0.2)
        writer.transport.abort()
        await asyncio.wait_for(ended.wait(), PATIENCE_SECONDS)
        await secured.settled()


@pytest.mark.parametrize("says_goodbye", [True, False])
@pytest.mark.parametrize("sent", [0, 1000, 300_000])
async def test_a_client_that_leaves_in_the_middle_of_its_body_is_noticed(
    tls: TlsSettings, context: ssl.SSLContext, says_goodbye: bool, sent: int
) -> None:
    ended: list[str] = []

    async def handler(exchange: Exchange) -> None:
        try:
            await read_body_then_ok(exchange)
            ended.append("whole")
        except BaseException as end:
            ended.append(type(end).__name__)
            raise

    async with securely_serving(handler, tls, Deadlines(60, 60, 60)) as secured:
        _, writer = await secured.connect(context)
        writer.write(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 9000000\r\n\r\n" + bytes(sent))
        await asyncio.sleep(0.1)
        if says_goodbye:
            writer.close()
        else:
            writer.transport.abort()
        await secured.settled()
        await until(lambda: ended)
    assert ended[0] in ("ClientGone", "CancelledError")
