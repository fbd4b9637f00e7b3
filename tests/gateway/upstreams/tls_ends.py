"""A TLS layer and the server it speaks to, in memory."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable

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


Open = Callable[..., Ends]
"""Gives both ends after their handshake; `step`: as many bytes at most reach the client at a time."""
