"""One request on its connection: its body on the way in, its answer on the way out.

The answer is rendered here, and held to what its head says of it: whatever follows a body of another length would be
read as the next answer.

Source: RFC 9110 §10.1.1; RFC 9112 §6, §9.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Protocol

from msgspec import Struct

from cos.characters import FIELD_TEXT
from cos.headers import AnswerFields
from gateway.exchange import ClientGone
from gateway.server.flow import Flow
from gateway.server.responses import opening, template_for

_BODILESS = (204, 304)


class Line(Protocol):
    """What a request uses of its connection."""

    transport: asyncio.Transport
    flow: Flow

    def answered(self, channel: RequestChannel) -> None:
        """The answer is complete, to the one request that is being answered."""
        ...

    def close_gently(self) -> None:
        """End the connection after what was written."""
        ...


class RequestChannel(Struct, eq=False):
    """What an exchange talks to: its `Channel`. `feed`, `end` and `leave` are for the connection.

    `bodiless`: no answer to it has a body, whatever its head says. `keep_alive`: whether the connection lives on after
    the answer. `disconnected`: nobody is left to answer.
    """

    _line: Line
    _bodiless: bool
    _awaits_continue: bool
    keep_alive: bool
    disconnected: bool = False
    started: bool = False
    complete: bool = False
    _more_body: bool = True
    _held: bytes | bytearray = b""
    _waiter: asyncio.Future[None] | None = None
    _head: bytes = b""
    _chunked: bool = False
    _left_bytes: int = 0

    # --- the body of the request -------------------------------------------------------------------------------

    def feed(self, piece: bytes) -> int:
        """A piece of the body has come. How many bytes of it wait to be taken."""
        if not self._held:
            self._held = piece
        else:
            if isinstance(self._held, bytes):
                self._held = bytearray(self._held)
            self._held += piece
        self._wake()
        return len(self._held)

    def end(self) -> None:
        """The body has come whole."""
        self._more_body = False
        if self._waiter is not None:
            self._wake()

    def leave(self) -> None:
        """Nobody is left to answer."""
        self.disconnected = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def receive(self) -> tuple[bytes, bool]:
        line = self._line
        if self._awaits_continue and not line.transport.is_closing():
            line.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._awaits_continue = False
        if not self.disconnected and not self.complete:
            line.flow.resume_reading()
            if self._more_body and not self._held:
                self._waiter = asyncio.get_running_loop().create_future()
                try:
                    await self._waiter
                finally:
                    self._waiter = None
        if self.disconnected or self.complete:
            raise ClientGone
        piece, self._held = bytes(self._held), b""
        return piece, self._more_body

    # --- the answer --------------------------------------------------------------------------------------------

    async def answer(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
        flow = self._line.flow
        if flow.write_paused and not self.disconnected:
            await flow.drain()
        if not self.disconnected:
            head = self._begin(status, headers)
            if self._chunked or self._bodiless:
                body = self._framed(body, last=True)
            elif len(body) != self._left_bytes:
                raise RuntimeError(f"expected a response body of {self._left_bytes} bytes, got {len(body)}")
            transport = self._line.transport
            if not transport.is_closing():
                transport.write(head + body)
            self._complete()

    async def start(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        flow = self._line.flow
        if flow.write_paused and not self.disconnected:
            await flow.drain()
        if not self.disconnected:
            self._head = self._begin(status, headers)
            # It leaves with the first piece of the body, or when this turn of the loop brings none.
            asyncio.get_running_loop().call_soon(self._write_head)

    async def send(self, piece: bytes, *, last: bool) -> None:
        flow = self._line.flow
        if flow.write_paused and not self.disconnected:
            await flow.drain()
        if not self.disconnected:
            if not self.started or self.complete:
                raise RuntimeError("expected a body after its head, and nothing after its end")
            self._write(self._take_head() + self._framed(piece, last=last))
            if last:
                self._complete()

    def abort(self) -> None:
        self.leave()
        self._line.transport.abort()

    def _begin(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """The head of the answer, which decides how its body is framed. Raises RuntimeError."""
        if self.started:
            raise RuntimeError("expected one answer to a request")
        self.started = True
        if self._awaits_continue:
            self._awaits_continue = False
            if self._more_body:
                # Whoever waits to be asked for a body does not send it now: what comes next would be read as it.
                self.keep_alive = False
        fields = headers if isinstance(headers, AnswerFields) else AnswerFields.of(headers)
        lines, length, coding, connection = template_for(fields.names)
        values = fields.values
        joined = b"".join(values)
        if joined.translate(FIELD_TEXT) != joined:
            raise RuntimeError("expected header values without control characters")
        head = opening(status, int(time.time())) + lines % values
        if connection is not None and b"close" in values[connection].lower():
            self.keep_alive = False
        elif not self.keep_alive:
            head += b"Connection: close\r\n"
        if status in _BODILESS:
            self._bodiless = True
        if coding is not None and values[coding].lower() == b"chunked":
            self._chunked = True
        elif length is not None:
            self._left_bytes = int(values[length])
        elif not self._bodiless:
            self._chunked = True
            head += b"Transfer-Encoding: chunked\r\n"
        return head + b"\r\n"

    def _framed(self, piece: bytes, *, last: bool) -> bytes:
        """The piece as it goes over the wire. Raises RuntimeError for a body of another length than its head says."""
        if self._bodiless:
            return b""
        if self._chunked:
            chunk = b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
            return chunk + b"0\r\n\r\n" if last else chunk
        self._left_bytes -= len(piece)
        if self._left_bytes < 0 or (last and self._left_bytes):
            raise RuntimeError("expected a response body of Content-Length")
        return piece

    def _take_head(self) -> bytes:
        head, self._head = self._head, b""
        return head

    def _write_head(self) -> None:
        self._write(self._take_head())

    def _write(self, written: bytes) -> None:
        transport = self._line.transport
        if written and not transport.is_closing():
            transport.write(written)

    def _complete(self) -> None:
        self.complete = True
        if self._waiter is not None:
            self._wake()
        if not self.keep_alive:
            self._line.close_gently()
        self._line.answered(self)
