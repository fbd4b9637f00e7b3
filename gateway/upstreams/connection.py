"""One connection to an upstream, one exchange at a time.

A connection may be used again only when its request was sent completely, its response was read completely,
the peer agreed, and not one byte too many arrived: that byte would answer the next caller (invariant 8).

Facts the code rests on:
- the response is read while the request is still being sent, so an early refusal is delivered, not lost;
- one task waits for the response, and at most one more sends the body;
- a request that is whole leaves with others (see `departures`), right after a last look at what the socket holds;
- one timer serves all deadlines and is moved lazily: a request that meets its deadlines starts no timer;
- `abort` is the answer to everything unexpected; `connection_lost` always follows it.
"""

from __future__ import annotations

import asyncio
import select
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import cast

from gateway.ports import UpstreamBroken, UpstreamError, UpstreamTimeout
from gateway.upstreams.chunked import LAST_CHUNK, render_chunk
from gateway.upstreams.deadline import Deadline
from gateway.upstreams.departures import Departures, NotQuiet
from gateway.upstreams.gone import GONE
from gateway.upstreams.heads import ResponseHead
from gateway.upstreams.last_words import identity, last_words
from gateway.upstreams.response_reader import ResponseError, ResponseReader
from gateway.upstreams.settings import Timeouts
from gateway.upstreams.tls import TlsLayer

PAUSE_READING_BYTES = 256 * 1024
"""Unread response bytes at which the socket is no longer read. One read may come on top."""
RESUME_READING_BYTES = 64 * 1024
PAUSE_WRITING_BYTES = 256 * 1024
"""Unsent request bytes at which the body is not asked for more. One piece of it may come on top."""
RESUME_WRITING_BYTES = 64 * 1024
INLINE_BODY_BYTES = 64 * 1024
"""A body of bytes up to this size leaves together with the head; a longer one in pieces of this size."""


class Connection(asyncio.Protocol):
    """A socket that speaks HTTP/1.1 as a client. Made by `Connector`, owned by `Pool`."""

    __slots__ = (
        "_deadline", "_departures", "_drainer", "_error", "_loop", "_on_lost", "_pieces", "_pieces_bytes", "_poll",
        "_reading_paused", "_request", "_response", "_send_complete", "_send_error", "_sent", "_socket_id",
        "_transport", "_unsent_bytes", "_waiter", "used_before",
    )  # fmt: skip

    def __init__(self, on_lost: Callable[[Connection], None], departures: Departures) -> None:
        self._on_lost = on_lost
        self._departures = departures
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport = GONE
        self._poll = select.poll()
        self._socket_id = (-1, 0)
        """Its descriptor, and what tells it from a later one of that number."""
        self._deadline = Deadline(self._loop, self._on_deadline)
        self._waiter: asyncio.Future[None] | None = None
        self._drainer: asyncio.Future[None] | None = None
        self._unsent_bytes = 0
        self.used_before = False
        """Whether an exchange before this one left the connection clean."""
        # These begin anew with every exchange. Between exchanges the response is complete.
        self._response = ResponseReader(b"", complete=True)
        self._sent = self._send_complete = False
        self._request = b""
        """A whole one that has yet to leave."""
        # An exchange that leaves the connection clean leaves these as it found them.
        self._error: UpstreamError | None = None
        self._send_error: BaseException | None = None
        self._pieces: deque[bytes] | None = None
        self._pieces_bytes = 0
        self._reading_paused = False

    # --- what the pool and the transport ask -------------------------------------------------------------------

    @property
    def lost(self) -> bool:
        return self._transport.is_closing()

    @property
    def response_started(self) -> bool:
        """Whether any byte of the current response arrived."""
        return self._response.started

    def rest(self, max_idle_seconds: float) -> bool:
        """Wait for the next exchange at most this long, then close; False unless the last one left all clean."""
        response, transport = self._response, self._transport
        head = response.head
        if (
            head is None
            or not response.complete
            or response.excess
            or not head.keep_alive
            or not self._send_complete
            or self._pieces
            or transport.is_closing()
            or transport.get_write_buffer_size()
        ):
            return False
        self.used_before = True
        self._deadline.set(max_idle_seconds, "idle")
        return True

    def abort(self) -> None:
        self._transport.abort()

    # --- the exchange ----------------------------------------------------------------------------------------

    async def exchange(
        self, head: bytes, body: AsyncIterator[bytes] | bytes, method: bytes, length: int | None, timeouts: Timeouts
    ) -> ResponseHead:
        """Send a request and wait until the head of its response is here.

        `length` is the number of body bytes the head declares, None when it declares chunks; exactly that many
        are sent or the connection is dropped. Whatever `body` raises comes out unchanged. Raises UpstreamError;
        NotQuiet before `body` is asked for anything.
        On any failure, cancellation included, the connection is gone.
        """
        self._response = response = ResponseReader(method)
        self._sent = self._send_complete = False
        transport = self._transport
        try:
            if not isinstance(body, bytes) or len(body) > INLINE_BODY_BYTES:
                self._deadline.clear()
                return await self._exchange_stream(head, body, length, timeouts)
            if body or length != 0:
                head += _frame_whole(body, length)
            self._request = head
            self._departures.add(self._loop, self._send_whole)
            self._deadline.set(timeouts.response_seconds, "a response head")
            while (received := response.head) is None:
                if self._error is not None:
                    raise self._error
                self._waiter = waiter = self._loop.create_future()
                await waiter
        except BaseException:
            transport.abort()
            raise
        if not response.complete:
            self._deadline.clear()
        return received

    async def read(self, read_seconds: float) -> bytes:
        """The next bytes of a body that `take_whole_body` did not give; empty at its end. Raises UpstreamError."""
        while not self._pieces:
            if self._response.complete:
                return b""
            if self._error is not None:
                raise self._error
            self._deadline.set(read_seconds, "more of the response body")
            self._waiter = self._loop.create_future()
            await self._waiter
        self._deadline.clear()
        piece = self._pieces.popleft()
        self._pieces_bytes -= len(piece)
        if self._reading_paused and self._pieces_bytes <= RESUME_READING_BYTES:
            self._resume_reading()
        return piece

    def take_whole_body(self) -> bytes | None:
        """The response body when all of it is here already; None when it is still on its way."""
        response = self._response
        if not response.complete:
            return None
        if response.whole_body is not None:
            whole, response.whole_body = response.whole_body, None
            return whole
        pieces = self._pieces
        if not pieces:
            return b""
        self._pieces = None
        self._pieces_bytes = 0
        if self._reading_paused:
            self._resume_reading()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _exchange_stream(
        self, head: bytes, body: AsyncIterator[bytes] | bytes, length: int | None, timeouts: Timeouts
    ) -> ResponseHead:
        stream = _slices(body) if isinstance(body, bytes) else body
        try:
            if not self._is_quiet():
                raise NotQuiet
            self._write(head)
            sender = self._loop.create_task(self._send_stream(stream, length, timeouts))
            sender.add_done_callback(self._on_sender_done)
            try:
                response = self._response
                while response.head is None:
                    # A body that fails is the cause, a connection lost with it the consequence.
                    if self._send_error is not None:
                        raise self._send_error
                    if self._error is not None:
                        raise self._error
                    self._waiter = self._loop.create_future()
                    await self._waiter
                if sender.done():
                    sender.result()  # a body that failed outweighs whatever the upstream made of it
                return response.head
            finally:
                # The body belongs to the caller again when this returns, so nobody may still be reading it.
                if not sender.done():
                    sender.cancel()
                    await asyncio.wait((sender,))
                self._deadline.clear()
        except BaseException:
            self.abort()
            raise

    def _resume_reading(self) -> None:
        if self._reading_paused and not self.lost:
            self._transport.resume_reading()
        self._reading_paused = False

    def _wake(self) -> None:
        waiter, drainer = self._waiter, self._drainer
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        if drainer is not None and not drainer.done():
            drainer.set_result(None)

    # --- sending ---------------------------------------------------------------------------------------------

    def _is_quiet(self) -> bool:
        """No byte and no end waits in the socket: the loop may not have seen yet what the kernel already holds.

        A new connection is not asked: its bytes may be TLS's own.
        """
        return not self._transport.is_closing() and not (self.used_before and self._poll.poll(0))

    def _send_whole(self) -> None:
        head, self._request = self._request, b""
        if self._is_quiet():
            self._sent = True
            self._transport.write(head)
            self._send_complete = not self._transport.is_closing()
        else:
            self._fail(NotQuiet())

    async def _send_stream(self, stream: AsyncIterator[bytes], length: int | None, timeouts: Timeouts) -> None:
        left = length
        async for piece in stream:
            if not piece:
                continue
            if self._is_over():
                return
            if left is None:
                self._write(render_chunk(piece))
            else:
                left -= len(piece)
                if left < 0:
                    raise UpstreamError(f"Expected a request body of {length} bytes, got more.", sent=True)
                self._write(piece)
            await self._drain(timeouts.write_seconds)
            if left == 0:
                self._finish_sending(timeouts)
        if self._is_over():
            return
        if left:
            raise UpstreamError(f"Expected a request body of {length} bytes, got {left} less.", sent=True)
        if not self._send_complete:
            if left is None:
                self._write(LAST_CHUNK)
                await self._drain(timeouts.write_seconds)
            self._finish_sending(timeouts)

    def _on_sender_done(self, sender: asyncio.Task[None]) -> None:
        if not sender.cancelled() and (error := sender.exception()) is not None:
            self._send_error = error
            self._wake()

    def _is_over(self) -> bool:
        """Nothing more need be sent: the response is here before the request was complete, or never will be."""
        return self.lost or (self._response.head is not None and not self._send_complete)

    def _write(self, data: bytes) -> None:
        # On a lost connection nothing happens here: `connection_lost` says why, after a look for last words.
        if not self._transport.is_closing():
            self._sent = True
            self._transport.write(data)

    def _finish_sending(self, timeouts: Timeouts) -> None:
        self._send_complete = not self._transport.is_closing()
        if self._response.head is None:
            self._deadline.set(timeouts.response_seconds, "a response head")

    async def _drain(self, write_seconds: float) -> None:
        """Wait until the socket took most of what was written. Each byte it takes moves the deadline."""
        while self._drainer is not None and not self._is_over():
            self._unsent_bytes = self._transport.get_write_buffer_size()
            self._deadline.set(write_seconds, "the upstream to take the request")
            await self._drainer
            self._deadline.clear()

    # --- failing ---------------------------------------------------------------------------------------------

    def _on_deadline(self, waited_for: str, seconds: float) -> None:
        if self._response.complete:
            self._transport.close()
            return
        unsent_bytes = self._transport.get_write_buffer_size()
        if self._drainer is not None and unsent_bytes != self._unsent_bytes:
            # Some bytes were taken, only not enough to go on.
            self._unsent_bytes = unsent_bytes
            self._deadline.set(seconds, waited_for)
            return
        self._fail(UpstreamTimeout(f"Waited {seconds:g} s for {waited_for}.", sent=self._sent))

    def _fail(self, error: UpstreamError) -> None:
        if self._error is None and not self._response.complete:
            self._error = error
        self._deadline.clear()
        self.abort()
        self._wake()

    # --- asyncio.Protocol ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=PAUSE_WRITING_BYTES, low=RESUME_WRITING_BYTES)
        descriptor = transport.get_extra_info("socket").fileno()
        self._poll.register(descriptor, select.POLLIN)
        self._socket_id = (descriptor, identity(descriptor))

    def data_received(self, data: bytes) -> None:
        response = self._response
        if response.complete or not self._sent:
            # Nobody asked for these bytes: whoever asks next must not get them.
            response.excess = True
            self._fail(NotQuiet())
            return
        try:
            body = response.feed(data)
        except ResponseError as exc:
            self._fail(UpstreamBroken(str(exc), sent=self._sent))
            return
        if body:
            if self._pieces is None:
                self._pieces = deque((body,))
            else:
                self._pieces.append(body)
            self._pieces_bytes += len(body)
            if self._pieces_bytes >= PAUSE_READING_BYTES and not self._reading_paused and not self.lost:
                self._reading_paused = True
                self._transport.pause_reading()
        if response.excess:
            self.abort()
        if response.head is not None:
            self._wake()

    def _read_last_words(self, transport: asyncio.Transport) -> None:
        receive = transport.data_received if isinstance(transport, TlsLayer) else self.data_received
        for data in last_words(*self._socket_id, PAUSE_READING_BYTES):
            receive(data)
            if self._error is not None or self._response.complete:
                return

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        transport, self._transport = self._transport, GONE
        if exc is not None and self._error is None and not self._response.complete:
            self._read_last_words(transport)
        if self._error is None and not self._response.complete:
            try:
                if exc is not None:
                    raise ResponseError(f"Expected a response, got a broken connection: {exc}.")
                self._response.end()
            except ResponseError as error:
                self._error = UpstreamBroken(str(error), sent=True) if self._sent else NotQuiet()
        self._deadline.close()
        self._wake()
        self._on_lost(self)

    def pause_writing(self) -> None:
        self._drainer = self._loop.create_future()

    def resume_writing(self) -> None:
        drainer, self._drainer = self._drainer, None
        if drainer is not None and not drainer.done():
            drainer.set_result(None)


def _frame_whole(body: bytes, length: int | None) -> bytes:
    if len(body) == length:
        return body
    if length is not None:
        raise UpstreamError(f"Expected a request body of {length} bytes, got {len(body)}.", sent=False)
    return render_chunk(body) + LAST_CHUNK if body else LAST_CHUNK


async def _slices(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), INLINE_BODY_BYTES):
        yield body[start : start + INLINE_BODY_BYTES]
