"""Connections share the buffers between TLS and their sockets: none finds there what another one left."""

from __future__ import annotations

import random
import ssl

import pytest
import trustme

from gateway.upstreams.tls import Buffers
from tests.gateway.upstreams.tls_ends import VERSIONS, Ends, Open


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
