"""TLS as a client, between a socket and a `Connection`: a protocol to the one, a transport to the other.

Event loops bring their own, made for every use: each read of it asks OpenSSL once more than there is to read, which
ends in an exception, and for 256 KiB each time. This one asks for what has come.

The end of a connection is only believed when the peer said so in TLS: without its close_notify anybody on the way may
have cut the answer.

Source: RFC 8446 §6.1 (whoever sends close_notify need not wait for the peer's); RFC 9112 §9.8; threat model C21.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Any, NamedTuple, cast

from gateway.upstreams.gone import GONE


class Buffers(NamedTuple):
    """What OpenSSL reads from and writes to, for all connections of an event loop.

    Empty whenever no layer is at work: of what is incomplete OpenSSL keeps the beginning itself. With buffers of its
    own each connection would find them cold.
    """

    incoming: ssl.MemoryBIO
    outgoing: ssl.MemoryBIO

    @classmethod
    def new(cls) -> Buffers:
        return cls(ssl.MemoryBIO(), ssl.MemoryBIO())


class TlsLayer(asyncio.Transport, asyncio.Protocol):
    """Encrypts what `inner` writes and gives it what the peer sent. `inner` begins when the peer is verified."""

    __slots__ = (
        "_error", "_farewell", "_handshake_over", "_incoming", "_inner", "_outgoing", "_socket", "_tls", "_verified",
    )  # fmt: skip

    def __init__(self, inner: asyncio.Protocol, context: ssl.SSLContext, server_name: str, buffers: Buffers) -> None:
        super().__init__()
        self._inner = inner
        self._socket: asyncio.Transport = GONE
        self._incoming, self._outgoing = buffers
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._verified = False
        self._handshake_over = asyncio.get_running_loop().create_future()
        self._error: Exception | None = None
        """What ended the connection."""
        self._farewell = False
        """The peer said that nothing more follows."""

    async def open(self) -> None:
        """Wait until the peer is verified. Raises ssl.SSLError and other OSErrors; the connection is gone then."""
        try:
            await self._handshake_over
        except BaseException:
            self.abort()
            raise
        if not self._verified:
            raise self._error or ConnectionResetError("the connection was closed during the TLS handshake")

    # --- asyncio.Protocol: what the socket tells ---------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._socket = cast("asyncio.Transport", transport)
        self._shake_hands()

    def data_received(self, data: bytes) -> None:
        incoming, tls = self._incoming, self._tls
        incoming.write(data)
        if not self._verified and not (self._shake_hands() and incoming.pending):
            return
        asked = incoming.pending
        try:
            plain = tls.read(asked)
        except ssl.SSLError as exc:
            plain = b""
            self._not_read(exc)
        else:
            if not plain:
                self._farewell = True
            elif incoming.pending or len(plain) == asked:
                # Another record; or the rest of this one, whose beginning had come before.
                plain = self._read_on(plain)
        # Before anybody else may come to work with the buffers.
        if self._outgoing.pending:
            self._send()
        if self._error is not None or self._farewell:
            incoming.read()  # nothing follows the end
        if plain:
            self._inner.data_received(plain)
        if self._error is not None:
            self.abort()
        elif self._farewell:
            self.close()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._socket = GONE
        error = self._error or exc
        if error is None and not self._farewell:
            error = ConnectionResetError("the peer closed without a TLS close_notify")
        if self._verified:
            self._inner.connection_lost(error)
        else:
            self._error = error
            self._end_handshake()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    # --- asyncio.Transport: what the connection asks -----------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        try:
            sent = self._tls.write(data)
            while sent < len(data):
                sent += self._tls.write(data[sent:])
        except ssl.SSLError as exc:
            self._error = self._error or exc
            self._outgoing.read()
            self.abort()
            return
        self._socket.write(self._outgoing.read())

    def close(self) -> None:
        """Say goodbye and close once all is sent, without waiting for the peer's goodbye."""
        if not self._socket.is_closing():
            with contextlib.suppress(ssl.SSLError):  # the peer's goodbye is not here
                self._tls.unwrap()
            self._send()
            self._socket.close()

    def abort(self) -> None:
        self._socket.abort()

    def is_closing(self) -> bool:
        return self._socket.is_closing()

    def get_write_buffer_size(self) -> int:
        return self._socket.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._socket.set_write_buffer_limits(high, low)

    def pause_reading(self) -> None:
        self._socket.pause_reading()

    def resume_reading(self) -> None:
        self._socket.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._socket.get_extra_info(name, default)

    # --- TLS ---------------------------------------------------------------------------------------------------

    def _shake_hands(self) -> bool:
        """Go on with the handshake; whether it is over and the peer verified."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._send()
        except ssl.SSLError as exc:
            self._error = exc
            self._incoming.read()
            self._send()  # the alert that says why
            self._socket.close()
            self._end_handshake()
        else:
            self._send()
            self._verified = True
            self._inner.connection_made(self)
            self._end_handshake()
        return self._verified

    def _end_handshake(self) -> None:
        if not self._handshake_over.done():
            self._handshake_over.set_result(None)

    def _read_on(self, plain: bytes) -> bytes:
        """Join what the other records hold that came with the first."""
        pieces = [plain]
        try:
            while left := self._incoming.pending + self._tls.pending():
                piece = self._tls.read(left)
                if not piece:
                    self._farewell = True
                    break
                pieces.append(piece)
        except ssl.SSLError as exc:
            self._not_read(exc)
        return b"".join(pieces)

    def _not_read(self, exc: ssl.SSLError) -> None:
        match exc:
            case ssl.SSLWantReadError():
                pass  # part of a record, or one that is not for the application, such as a session ticket
            case ssl.SSLZeroReturnError():
                self._farewell = True
            case _:
                self._error = exc

    def _send(self) -> None:
        said = self._outgoing.read()
        if said and not self._socket.is_closing():
            self._socket.write(said)
