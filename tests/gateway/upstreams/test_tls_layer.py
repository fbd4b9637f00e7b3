"""TLS between a socket and a connection: whole whatever the pieces, and no end is believed that TLS did not tell."""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
from collections.abc import Callable, Iterator

import pytest
import trustme

from gateway.upstreams.tls import Buffers, TlsLayer

NAME = "examplebucket-1250000000.cos.ap-guangzhou.myqcloud.com"
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


class Wire(asyncio.Transport):
    """The socket: keeps what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.closing = self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closing, "written to a closed socket"
        self.written += data

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = self.aborted = True

    def take(self) -> bytes:
        taken = bytes(self.written)
        self.written.clear()
        return taken


class Listener(asyncio.Protocol):
    """The connection: keeps what it is told."""

    def __init__(self) -> None:
        self.transport: asyncio.BaseTransport | None = None
        self.pieces: list[bytes] = []
        self.lost: list[Exception | None] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        assert data
        self.pieces.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.append(exc)


class Server:
    """The other end of the wire, in memory."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)

    def says(self, data: bytes) -> bytes:
        self.tls.write(data)
        return self.outgoing.read()

    def says_goodbye(self) -> bytes:
        with pytest.raises(ssl.SSLWantReadError):
            self.tls.unwrap()
        return self.outgoing.read()

    def hears(self, data: bytes) -> bytes:
        """What the client said; empty when that was goodbye."""
        self.incoming.write(data)
        heard = bytearray()
        while self.incoming.pending:
            try:
                piece = self.tls.read(65536)
            except ssl.SSLZeroReturnError:  # said by both
                break
            if not piece:
                break
            heard += piece
        return bytes(heard)


class Ends:
    """A layer and the server it speaks to."""

    def __init__(
        self,
        authority: trustme.CA,
        version: ssl.TLSVersion,
        *,
        certificate: str = NAME,
        buffers: Buffers | None = None,
    ) -> None:
        server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server_side.maximum_version = version
        authority.issue_cert(certificate).configure_cert(server_side)
        client_side = ssl.create_default_context()
        authority.configure_trust(client_side)
        self.server, self.wire, self.listener = Server(server_side), Wire(), Listener()
        self.buffers = Buffers.new() if buffers is None else buffers
        self.layer = TlsLayer(self.listener, client_side, NAME, self.buffers)
        self.layer.connection_made(self.wire)

    def shake_hands(self, step: int = 65536) -> None:
        """Both sides, with at most `step` bytes at a time for the client."""
        while self.listener.transport is None:
            self.server.incoming.write(self.wire.take())
            with contextlib.suppress(ssl.SSLWantReadError):
                self.server.tls.do_handshake()
            self.deliver(self.server.outgoing.read(), step)
        self.server.incoming.write(self.wire.take())
        self.server.tls.do_handshake()

    def deliver(self, data: bytes, step: int = 65536) -> None:
        for start in range(0, len(data), step):
            self.layer.data_received(data[start : start + step])
            assert self.leaves_nothing()

    def leaves_nothing(self) -> bool:
        """Whether another connection may use the buffers."""
        return not self.buffers.incoming.pending and not self.buffers.outgoing.pending


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


Open = Callable[..., Ends]
"""Gives both ends after their handshake; `step`: as many bytes at most reach the client at a time."""


@pytest.fixture(params=VERSIONS, ids=lambda version: version.name)
def ends(request: pytest.FixtureRequest, authority: trustme.CA) -> Iterator[Open]:
    opened: list[Ends] = []

    def open_both(step: int = 65536, buffers: Buffers | None = None) -> Ends:
        both = Ends(authority, request.param, buffers=buffers)
        opened.append(both)
        both.shake_hands(step)
        both.deliver(both.server.outgoing.read(), step)  # session tickets
        return both

    yield open_both
    assert all(both.leaves_nothing() for both in opened)


@pytest.mark.parametrize("step", [1, 5, 1000, 65536])
async def test_bytes_arrive_unchanged_in_pieces_of_any_size(ends: Open, step: int) -> None:
    both = ends(step)
    await both.layer.open()
    body = random.Random(step).randbytes(70_000)
    both.deliver(both.server.says(body), step)
    assert b"".join(both.listener.pieces) == body
    both.layer.write(body)
    assert both.server.hears(both.wire.take()) == body


async def test_records_that_come_together_are_given_together(ends: Open) -> None:
    both = ends()
    records = both.server.says(b"a" * 100) + both.server.says(b"b" * 20_000) + both.server.says(b"c")
    both.layer.data_received(records)
    assert both.listener.pieces == [b"a" * 100 + b"b" * 20_000 + b"c"]


async def test_part_of_a_record_is_kept_until_the_rest_comes(ends: Open) -> None:
    both = ends()
    first, second = both.server.says(b"first"), both.server.says(b"second")
    both.layer.data_received(first + second[:-1])
    assert both.listener.pieces == [b"first"]
    both.layer.data_received(second[-1:])
    assert both.listener.pieces == [b"first", b"second"]
    assert not both.wire.closing


@pytest.mark.parametrize("together", [False, True])
async def test_goodbye_ends_the_connection_cleanly_and_is_answered(ends: Open, together: bool) -> None:
    both = ends()
    if together:
        both.layer.data_received(both.server.says(b"last") + both.server.says_goodbye())
    else:
        both.layer.data_received(both.server.says(b"last"))
        both.layer.data_received(both.server.says_goodbye())
    assert both.listener.pieces == [b"last"]
    assert both.wire.closing
    assert not both.wire.aborted
    assert both.server.hears(both.wire.take()) == b""
    both.layer.connection_lost(None)
    assert both.listener.lost == [None]


async def test_end_without_goodbye_is_an_error(ends: Open) -> None:
    both = ends()
    both.layer.data_received(both.server.says(b"last"))
    assert not both.layer.eof_received()
    both.layer.connection_lost(None)
    assert [type(error) for error in both.listener.lost] == [ConnectionResetError]


@pytest.mark.parametrize("before", [b"", b"answer"])
async def test_bytes_that_are_no_tls_end_the_connection_after_what_was_good(ends: Open, before: bytes) -> None:
    both = ends()
    good = both.server.says(before) if before else b""
    forged = bytearray(both.server.says(b"forged"))
    forged[-1] ^= 1
    both.layer.data_received(good + bytes(forged))
    assert both.listener.pieces == [before] * bool(before)
    assert both.wire.aborted
    both.layer.connection_lost(None)
    assert [type(error) for error in both.listener.lost] == [ssl.SSLError]


async def test_closing_says_goodbye_and_sends_what_was_written(ends: Open) -> None:
    both = ends()
    both.layer.write(b"request")
    both.layer.close()
    both.layer.close()
    assert both.wire.closing
    assert not both.wire.aborted
    said = both.wire.take()
    assert both.server.hears(said) == b"request"
    assert both.server.tls.read(1) == b""  # raises unless the goodbye was among it


async def test_nothing_is_written_once_goodbye_was_said(ends: Open) -> None:
    both = ends()
    both.layer.close()
    both.wire.closing = False
    both.wire.take()
    both.layer.write(b"too late")
    assert not both.wire.written
    assert both.wire.aborted


async def test_server_of_another_name_is_told_why_and_gets_nothing(authority: trustme.CA) -> None:
    both = Ends(authority, VERSIONS[1], certificate="otherbucket-1250000000.cos.ap-guangzhou.myqcloud.com")
    both.server.incoming.write(both.wire.take())
    with pytest.raises(ssl.SSLWantReadError):
        both.server.tls.do_handshake()
    both.deliver(both.server.outgoing.read())
    assert both.wire.closing
    with pytest.raises(ssl.SSLCertVerificationError):
        await both.layer.open()
    both.server.incoming.write(both.wire.take())
    with pytest.raises(ssl.SSLError, match=r"(?i)alert"):
        both.server.tls.do_handshake()
    both.layer.connection_lost(None)
    assert both.listener.transport is None
    assert both.listener.lost == []


@pytest.mark.parametrize("exc", [None, ConnectionResetError("reset")])
async def test_connection_lost_during_the_handshake_is_told_to_who_opens_it(
    authority: trustme.CA, exc: Exception | None
) -> None:
    both = Ends(authority, VERSIONS[1])
    both.layer.connection_lost(exc)
    with pytest.raises(ConnectionResetError):
        await both.layer.open()
    assert both.listener.lost == []


async def test_giving_up_during_the_handshake_leaves_no_socket(authority: trustme.CA) -> None:
    both = Ends(authority, VERSIONS[1])
    opening = asyncio.ensure_future(both.layer.open())
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert both.wire.aborted
    both.layer.connection_lost(None)
    assert both.listener.lost == []


async def test_answer_that_comes_with_the_end_of_the_handshake_is_given_after_the_beginning(
    authority: trustme.CA,
) -> None:
    both = Ends(authority, VERSIONS[0])
    server = both.server
    for _ in range(2):
        both.deliver(server.outgoing.read())
        server.incoming.write(both.wire.take())
        try:
            server.tls.do_handshake()
        except ssl.SSLWantReadError:
            continue
    server.tls.write(b"early")
    both.deliver(server.outgoing.read())
    assert both.listener.transport is both.layer
    assert both.listener.pieces == [b"early"]


async def test_connections_share_their_buffers_and_nothing_else(ends: Open) -> None:
    chosen, buffers = random.Random(7), Buffers.new()
    several = [ends(buffers=buffers) for _ in range(5)]
    coming = [bytearray() for _ in several]
    said, heard = [bytearray() for _ in several], [bytearray() for _ in several]
    asked = [bytearray() for _ in several]
    for _ in range(400):
        number = chosen.randrange(len(several))
        both, words = several[number], chosen.randbytes(chosen.randrange(1, 3000))
        match chosen.randrange(3):
            case 0:
                coming[number] += both.server.says(words)
                said[number] += words
            case 1:
                # Records in pieces, several of them, and what has come of the next one.
                count = chosen.randrange(1, 6000)
                both.deliver(bytes(coming[number][:count]))
                del coming[number][:count]
            case _:
                both.layer.write(words)
                asked[number] += words
                heard[number] += both.server.hears(both.wire.take())
        assert both.leaves_nothing()
    for number, both in enumerate(several):
        both.deliver(bytes(coming[number]))
        assert b"".join(both.listener.pieces) == said[number]
        assert heard[number] == asked[number]


def forge(record: bytes) -> bytes:
    return record[:-1] + bytes([record[-1] ^ 1])


@pytest.mark.parametrize("closing", [False, True])
@pytest.mark.parametrize("how", ["forged", "goodbye and more", "written after goodbye"])
async def test_whatever_ends_a_connection_leaves_nothing_for_the_next(ends: Open, how: str, closing: bool) -> None:
    buffers = Buffers.new()
    first, second = ends(buffers=buffers), ends(buffers=buffers)
    answer = second.server.says(b"answer")
    first.wire.closing = closing
    match how:
        case "forged":
            first.layer.data_received(forge(first.server.says(b"forged")) + first.server.says(b"more"))
        case "goodbye and more":
            first.layer.data_received(first.server.says_goodbye() + answer)
        case _:
            first.wire.closing = False
            first.layer.close()
            first.wire.closing = closing
            first.layer.write(b"too late")
    assert first.wire.closing
    assert first.leaves_nothing()
    second.layer.data_received(answer)
    assert second.listener.pieces == [b"answer"]


@pytest.mark.parametrize("closing", [False, True])
async def test_handshake_that_fails_leaves_nothing_for_the_next(authority: trustme.CA, closing: bool) -> None:
    both = Ends(authority, VERSIONS[1])
    both.wire.closing = closing
    both.deliver(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 3)
    assert both.wire.closing
    assert both.leaves_nothing()


async def test_writing_that_fails_halfway_leaves_nothing_for_the_next(ends: Open) -> None:
    class Broken:
        def write(self, data: bytes) -> int:
            both.buffers.outgoing.write(data[:1])
            if len(data) == 1:
                raise ssl.SSLError("broken")
            return len(data) - 1

    both = ends()
    both.layer._tls = Broken()  # type: ignore[assignment]
    both.layer.write(b"request")
    assert both.wire.aborted
    assert not both.wire.written


async def test_what_is_said_while_bytes_are_given_is_sent_by_who_said_it(ends: Open) -> None:
    buffers = Buffers.new()
    first, second = ends(buffers=buffers), ends(buffers=buffers)

    def answering(_: bytes) -> None:
        assert first.leaves_nothing()
        second.layer.write(b"request")

    first.listener.data_received = answering  # type: ignore[method-assign]
    # What comes after the answer is answered with an alert, and followed by more.
    first.layer.data_received(
        first.server.says(b"answer") + forge(first.server.says(b"forged")) + first.server.says(b"more")
    )
    assert second.server.hears(second.wire.take()) == b"request"
    assert first.wire.aborted
