"""TLS at the data port, on real sockets and the event loop that the gateway runs on.

What holds of plain connections (limits, deadlines, gentle ends) holds of encrypted ones, from the moment they are
accepted and not from the end of their handshake.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from contextlib import nullcontext

import pytest

from gateway.configuration.tls import TlsSettings, TlsVersion
from gateway.exchange import Exchange
from gateway.server.connections import Connections
from gateway.server.deadlines import Deadlines
from gateway.tls.active import Greeting
from tests.gateway.server.secure_server import Secured, securely_serving
from tests.gateway.server.test_server import ok, read_body_then_ok
from tests.support.certificates import Authority, client_context

PATIENT = Deadlines(10, 10, 10)
GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
CLOSE = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def tls(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> TlsSettings:
    folder = tmp_path_factory.mktemp("tls")
    settings = TlsSettings(certificate=folder / "tls.pem", key=folder / "tls.key")
    authority.server().write(folder / "tls.pem", folder / "tls.key")
    return settings


@pytest.fixture
def context(authority: Authority) -> ssl.SSLContext:
    return client_context(authority)


async def settled(secured: Secured, count: int = 0) -> None:
    """Wait until that many connections are counted."""
    async with asyncio.timeout(10):
        while secured.connections.count != count:
            await asyncio.sleep(0.01)


# --- the handshake ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("least", "spoken", "agreed"),
    [
        (TlsVersion.TLS_1_2, ssl.TLSVersion.TLSv1_1, False),
        (TlsVersion.TLS_1_2, ssl.TLSVersion.TLSv1_2, True),
        (TlsVersion.TLS_1_2, ssl.TLSVersion.TLSv1_3, True),
        (TlsVersion.TLS_1_3, ssl.TLSVersion.TLSv1_2, False),
        (TlsVersion.TLS_1_3, ssl.TLSVersion.TLSv1_3, True),
    ],
)
async def test_versions_older_than_the_setting_are_not_spoken(
    tls: TlsSettings, context: ssl.SSLContext, least: TlsVersion, spoken: ssl.TLSVersion, agreed: bool
) -> None:
    context.set_ciphers("ALL:@SECLEVEL=0")
    old = spoken is ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated") if old else nullcontext():
        context.minimum_version = context.maximum_version = spoken
    async with securely_serving(ok, tls.model_copy(update={"min_version": least}), PATIENT) as secured:
        if agreed:
            assert (await secured.ask(CLOSE, context)).endswith(b"ok")
        else:
            with pytest.raises(OSError):
                await secured.connect(context)
        await settled(secured)
    assert secured.greetings == {Greeting.DONE if agreed else Greeting.FAILED: 1}


async def test_http_1_1_is_agreed_on_and_requests_share_the_connection(
    tls: TlsSettings, context: ssl.SSLContext
) -> None:
    context.set_alpn_protocols(["h2", "http/1.1"])
    async with securely_serving(read_body_then_ok, tls, PATIENT) as secured:
        reader, writer = await secured.connect(context)
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
        for _ in range(3):
            writer.write(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")
            assert await reader.readuntil(b"\r\n\r\nok")
        writer.write(GET * 3)
        for _ in range(3):
            assert await reader.readuntil(b"\r\n\r\nok")
        assert secured.connections.count == 1
        writer.close()
        await settled(secured)


HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200)


@pytest.mark.parametrize("said", [b"", b"\x16", HELLO], ids=["nothing", "a byte", "half a hello"])
async def test_a_handshake_that_is_not_finished_is_counted_and_ends(tls: TlsSettings, said: bytes) -> None:
    async with securely_serving(ok, tls, Deadlines(0.6, 10, 10)) as secured:
        peers = [await secured.connect() for _ in range(5)]
        for _, writer in peers:
            writer.write(said)
        await settled(secured, 5)
        for reader, writer in peers:
            assert await asyncio.wait_for(_rest(reader), 10) == b""
            writer.close()
        await settled(secured)
    assert secured.greetings == {Greeting.TIMEOUT: 5}


async def test_a_handshake_that_drips_has_one_deadline(tls: TlsSettings) -> None:
    async with securely_serving(ok, tls, Deadlines(0.5, 10, 10)) as secured:
        reader, writer = await secured.connect()
        ended = asyncio.create_task(_rest(reader))
        for byte in HELLO:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.05)
            if ended.done():
                break
        assert ended.done(), "ten seconds of dripping"
        assert await ended == b""
        writer.close()
        await settled(secured)


async def test_connections_in_their_handshake_take_places_and_one_too_many_is_told_to_slow_down(
    tls: TlsSettings, context: ssl.SSLContext
) -> None:
    connections = Connections(max_connections=2, max_per_address=9)
    async with securely_serving(ok, tls, PATIENT, connections) as secured:
        silent = [await secured.connect() for _ in range(2)]
        await settled(secured, 2)
        refused = await secured.ask(GET, context)
        assert refused.startswith(b"HTTP/1.1 503")
        assert b"SlowDown" in refused
        for _, writer in silent:
            writer.close()
        await settled(secured)
        assert (await secured.ask(CLOSE, context)).startswith(b"HTTP/1.1 200")
        await settled(secured)
        assert connections.turned_away == 0


@pytest.mark.parametrize("speaks_tls", [False, True], ids=["silent", "after its handshake"])
async def test_a_connection_turned_away_that_says_nothing_is_closed_soon(
    tls: TlsSettings, context: ssl.SSLContext, speaks_tls: bool
) -> None:
    connections = Connections(max_connections=1, max_per_address=1)
    async with securely_serving(ok, tls, Deadlines(60, 60, 60), connections) as secured:
        _, first = await secured.connect()
        await settled(secured, 1)
        reader, writer = await secured.connect(context if speaks_tls else None)
        assert await asyncio.wait_for(_rest(reader), 10) == b""
        writer.close()
        async with asyncio.timeout(10):
            while connections.turned_away:
                await asyncio.sleep(0.01)
        first.close()


async def test_beyond_those_turned_away_connections_are_dropped(tls: TlsSettings) -> None:
    connections = Connections(max_connections=1, max_per_address=1)
    async with securely_serving(ok, tls, Deadlines(60, 60, 60), connections) as secured:
        peers = [await secured.connect() for _ in range(17)]
        reader, last = await secured.connect()
        assert await asyncio.wait_for(_rest(reader), 10) == b""
        assert connections.turned_away <= 16
        for _, writer in (*peers, (reader, last)):
            writer.close()
        await settled(secured)


# --- what is not a handshake --------------------------------------------------------------------------------------


async def test_plain_http_is_told_what_is_expected(tls: TlsSettings, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with securely_serving(ok, tls, PATIENT) as secured:
        answer = await secured.ask(GET)
        await settled(secured)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert b"connection: close" in head.lower()
    assert b"Expected https on this port." in body
    assert secured.greetings == {Greeting.PLAIN: 1}
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_large_plain_upload_is_told_as_well(tls: TlsSettings) -> None:
    async with securely_serving(ok, tls, PATIENT) as secured:
        answer = await secured.ask(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2000000\r\n\r\n" + bytes(2_000_000))
        assert b"Expected https on this port." in answer
        await settled(secured)


@pytest.mark.parametrize(
    "said",
    [b"\x16" + b"\xff" * 600, b"\x16\x03\x01\x00\x05hello", HELLO[:5] + b"\x00" * 600],
    ids=["garbage", "no hello", "zeros"],
)
async def test_a_handshake_that_is_none_ends_without_a_word_in_the_log(
    tls: TlsSettings, context: ssl.SSLContext, caplog: pytest.LogCaptureFixture, said: bytes
) -> None:
    caplog.set_level(logging.DEBUG)
    async with securely_serving(ok, tls, Deadlines(1, 10, 10)) as secured:
        reader, writer = await secured.connect()
        writer.write(said)
        await asyncio.wait_for(_rest(reader), 10)
        writer.close()
        assert (await secured.ask(CLOSE, context)).endswith(b"ok")
        await settled(secured)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_whoever_leaves_before_or_in_the_handshake_gives_the_place_back(tls: TlsSettings) -> None:
    async with securely_serving(ok, tls, PATIENT) as secured:
        for said in (b"", HELLO):
            for reset in (False, True):
                peer = socket.create_connection(("127.0.0.1", secured.port))
                if said:
                    peer.sendall(said)
                await settled(secured, 1)
                if reset:
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
                peer.close()
                await settled(secured)
    assert Greeting.DONE not in secured.greetings
    assert sum(secured.greetings.values()) == 4


# --- the ends of connections --------------------------------------------------------------------------------------


async def refuse(exchange: Exchange) -> None:
    """A refusal that does not read the body."""
    await exchange.start(403, [(b"content-length", b"2"), (b"connection", b"close")])
    await exchange.finish(b"no")


async def test_a_large_upload_that_is_refused_early_learns_why(tls: TlsSettings, context: ssl.SSLContext) -> None:
    async with securely_serving(refuse, tls, PATIENT) as secured:
        answer = await asyncio.to_thread(_uploaded, context, secured.port, 4_000_000)
        assert answer.startswith(b"HTTP/1.1 403")
        assert answer.endswith(b"no")
        await settled(secured)


def _uploaded(context: ssl.SSLContext, port: int, size: int) -> bytes:
    """The answer to an upload, read as most clients do: after all of it was sent."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as peer,
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
    async with securely_serving(refuse, tls, Deadlines(10, 10, 10, linger_seconds=0.5)) as secured:
        _, writer = await secured.connect(context)
        writer.write(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n")
        async with asyncio.timeout(10):
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

    async with securely_serving(large, tls, Deadlines(10, 10, 10, linger_seconds=0.2)) as secured:
        answer = await asyncio.to_thread(_read_slowly, context, secured.port)
        assert answer.partition(b"\r\n\r\n")[2] == body
        await settled(secured)


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
        answer = await asyncio.wait_for(_rest(reader), 10)
        assert not answer or answer.endswith(b"\r\n\r\nhalf")
        writer.close()
        await settled(secured)


async def test_what_follows_a_bad_request_is_not_read_and_the_client_sees_the_end(
    tls: TlsSettings, context: ssl.SSLContext
) -> None:
    async with securely_serving(ok, tls, PATIENT) as secured:
        answer = await secured.ask(GET + b"NONSENSE\r\n\r\n" + GET * 5, context)
        assert answer.count(b"HTTP/1.1 ") == 2
        assert answer.count(b"HTTP/1.1 400") == 1
        await settled(secured)


async def test_idle_connections_do_not_hold_up_the_end_of_the_server(tls: TlsSettings, context: ssl.SSLContext) -> None:
    async with securely_serving(ok, tls, Deadlines(60, 60, 60, linger_seconds=60)) as secured:
        peers = [socket.create_connection(("127.0.0.1", secured.port)) for _ in range(3)]
        idle = [await asyncio.to_thread(_asked_once, context, peer) for peer in peers]
        ending = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - ending < 10
    for peer in idle:
        peer.close()
    assert secured.connections.count == 0


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
        assert await asyncio.wait_for(_rest(reader), 10) == b""
        writer.close()
        await settled(secured)


async def test_a_client_that_does_not_read_is_cut(tls: TlsSettings, context: ssl.SSLContext) -> None:
    ended = asyncio.Event()

    async def endless(exchange: Exchange) -> None:
        try:
            await exchange.start(200, [(b"transfer-encoding", b"chunked")])
            while True:
                await exchange.write(bytes(65_536))
        finally:
            ended.set()

    async with securely_serving(endless, tls, Deadlines(10, 0.5, 10)) as secured:
        peer = await asyncio.to_thread(socket.create_connection, ("127.0.0.1", secured.port))
        unread = await asyncio.to_thread(context.wrap_socket, peer, server_hostname="localhost")
        await asyncio.to_thread(unread.sendall, GET)
        await asyncio.wait_for(ended.wait(), 15)
        await settled(secured)
        unread.close()


async def test_a_client_that_leaves_while_it_is_not_read_from_is_noticed(
    tls: TlsSettings, context: ssl.SSLContext
) -> None:
    ended = asyncio.Event()

    async def never(exchange: Exchange) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    async with securely_serving(never, tls, Deadlines(60, 60, 60)) as secured:
        _, writer = await secured.connect(context)
        writer.write(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 9000000\r\n\r\n" + bytes(400_000))
        await asyncio.sleep(0.2)
        writer.transport.abort()
        await asyncio.wait_for(ended.wait(), 10)
        await settled(secured)


async def _rest(reader: asyncio.StreamReader) -> bytes:
    """What comes until the end, however the connection ends."""
    received = b""
    try:
        while piece := await reader.read(65_536):
            received += piece
    except OSError:
        pass
    return received
