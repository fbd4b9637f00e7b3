"""TLS at the data port, on real sockets and the event loop that the gateway runs on.

What holds of plain connections (limits, deadlines, gentle ends) holds of encrypted ones, from the moment they are
accepted and not from the end of their handshake.
"""

from __future__ import annotations

import asyncio
import logging
import random
import socket
import ssl
from contextlib import nullcontext

import pytest

from gateway.configuration.tls import TlsSettings, TlsVersion
from gateway.server.connections import Connections
from gateway.server.deadlines import Deadlines
from gateway.tls.active import Greeting
from tests.gateway.server.secure_server import rest_of, securely_serving
from tests.gateway.server.test_server import ok, read_body_then_ok
from tests.support.waiting import PATIENCE_SECONDS, until

PATIENT = Deadlines(60, 60, 60)
GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
CLOSE = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}


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
        await secured.settled()
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
        await secured.settled()


HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200)


@pytest.mark.parametrize("said", [b"", b"\x16", HELLO], ids=["nothing", "a byte", "half a hello"])
async def test_a_handshake_that_is_not_finished_is_counted_and_ends(tls: TlsSettings, said: bytes) -> None:
    async with securely_serving(ok, tls, Deadlines(2, 60, 60)) as secured:
        peers = [await secured.connect() for _ in range(5)]
        for _, writer in peers:
            writer.write(said)
        await secured.settled(5)
        for reader, writer in peers:
            assert await asyncio.wait_for(rest_of(reader), PATIENCE_SECONDS) == b""
            writer.close()
        await secured.settled()
    assert secured.greetings == {Greeting.TIMEOUT: 5}


async def test_a_handshake_that_drips_has_one_deadline(tls: TlsSettings) -> None:
    async with securely_serving(ok, tls, Deadlines(0.5, 60, 60)) as secured:
        reader, writer = await secured.connect()
        ended = asyncio.create_task(rest_of(reader))
        for byte in HELLO:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.05)
            if ended.done():
                break
        assert ended.done(), "ten seconds of dripping"
        assert await ended == b""
        writer.close()
        await secured.settled()


async def test_connections_in_their_handshake_take_places_and_one_too_many_is_told_to_slow_down(
    tls: TlsSettings, context: ssl.SSLContext
) -> None:
    connections = Connections(max_connections=2, max_per_address=9)
    async with securely_serving(ok, tls, PATIENT, connections) as secured:
        silent = [await secured.connect() for _ in range(2)]
        await secured.settled(2)
        refused = await secured.ask(GET, context)
        assert refused.startswith(b"HTTP/1.1 503")
        assert b"SlowDown" in refused
        for _, writer in silent:
            writer.close()
        await secured.settled()
        assert (await secured.ask(CLOSE, context)).startswith(b"HTTP/1.1 200")
        await secured.settled()
        assert connections.turned_away == 0


@pytest.mark.parametrize("speaks_tls", [False, True], ids=["silent", "after its handshake"])
async def test_a_connection_turned_away_that_says_nothing_is_closed_soon(
    tls: TlsSettings, context: ssl.SSLContext, speaks_tls: bool
) -> None:
    connections = Connections(max_connections=1, max_per_address=1)
    async with securely_serving(ok, tls, Deadlines(60, 60, 60), connections) as secured:
        _, first = await secured.connect()
        await secured.settled(1)
        reader, writer = await secured.connect(context if speaks_tls else None)
        assert await asyncio.wait_for(rest_of(reader), PATIENCE_SECONDS) == b""
        writer.close()
        await until(lambda: not connections.turned_away)
        first.close()


async def test_beyond_those_turned_away_connections_are_dropped(tls: TlsSettings) -> None:
    connections = Connections(max_connections=1, max_per_address=1)
    async with securely_serving(ok, tls, Deadlines(60, 60, 60), connections) as secured:
        peers = [await secured.connect() for _ in range(17)]
        reader, last = await secured.connect()
        assert await asyncio.wait_for(rest_of(reader), PATIENCE_SECONDS) == b""
        assert connections.turned_away <= 16
        for _, writer in (*peers, (reader, last)):
            writer.close()
        await secured.settled()


# --- what is not a handshake --------------------------------------------------------------------------------------


async def test_plain_http_is_told_what_is_expected(tls: TlsSettings, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with securely_serving(ok, tls, PATIENT) as secured:
        answer = await secured.ask(GET)
        await secured.settled()
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
        await secured.settled()


@pytest.mark.parametrize(
    "said",
    [b"\x16" + b"\xff" * 600, b"\x16\x03\x01\x00\x05hello", HELLO[:5] + b"\x00" * 600],
    ids=["garbage", "no hello", "zeros"],
)
async def test_a_handshake_that_is_none_ends_without_a_word_in_the_log(
    tls: TlsSettings, context: ssl.SSLContext, caplog: pytest.LogCaptureFixture, said: bytes
) -> None:
    caplog.set_level(logging.DEBUG)
    async with securely_serving(ok, tls, Deadlines(3, 60, 60)) as secured:
        reader, writer = await secured.connect()
        writer.write(said)
        await asyncio.wait_for(rest_of(reader), PATIENCE_SECONDS)
        writer.close()
        assert (await secured.ask(CLOSE, context)).endswith(b"ok")
        await secured.settled()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_whoever_leaves_before_or_in_the_handshake_gives_the_place_back(tls: TlsSettings) -> None:
    async with securely_serving(ok, tls, PATIENT) as secured:
        for said in (b"", HELLO):
            for reset in (False, True):
                peer = socket.create_connection(("127.0.0.1", secured.port))
                if said:
                    peer.sendall(said)
                await secured.settled(1)
                if reset:
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
                peer.close()
                await secured.settled()
    assert Greeting.DONE not in secured.greetings
    assert sum(secured.greetings.values()) == 4


async def test_bent_handshakes_end_and_give_their_places_back(tls: TlsSettings, context: ssl.SSLContext) -> None:
    """A real ClientHello with bytes replaced, cut, repeated; the server stays as it was."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    hello, draw = outgoing.read(), random.Random(7)
    async with securely_serving(ok, tls, Deadlines(2, 60, 60)) as secured:

        async def bent() -> None:
            raw = bytearray(hello)
            for _ in range(draw.randint(1, 4)):
                place = draw.randrange(len(raw))
                raw[place : place + draw.choice([0, 1, 1, 3])] = draw.randbytes(draw.choice([0, 1, 1, 40]))
            reader, writer = await secured.connect()
            writer.write(
                bytes(raw[: draw.choice([len(raw), len(raw), draw.randrange(len(raw))])]) * draw.choice([1, 1, 5])
            )
            writer.write(draw.randbytes(draw.choice([0, 0, 2000])))
            if draw.random() < 0.3:
                writer.write_eof()
            await asyncio.wait_for(rest_of(reader), PATIENCE_SECONDS)
            writer.close()

        for _ in range(10):
            await asyncio.gather(*(bent() for _ in range(30)))
        await secured.settled()
        assert (await secured.ask(CLOSE, context)).endswith(b"ok")
        await secured.settled()
    assert sum(secured.greetings.values()) == 301
    assert secured.greetings[Greeting.DONE] == 1
