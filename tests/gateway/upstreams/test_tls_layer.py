"""TLS between a socket and a connection: whole whatever the pieces, and no end is believed that TLS did not tell."""

from __future__ import annotations

import asyncio
import random
import ssl

import pytest
import trustme

from tests.gateway.upstreams.tls_ends import VERSIONS, Ends, Open


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
