"""The data port's HTTP on one connection: what a proxy facing strangers needs, on httptools' parser.

The raw request target, errors of the HTTP parser as COS XML with a request id, limits on heads, trailers, pipelines
and connections, cancellation of a request whose client has gone, and deadlines for clients that drip or do not read.
uvicorn makes the connections and ends them: `connections`, `tasks` and `shutdown` are what it knows of them.

A connection is refused, cut or left alone as a whole: what follows a request that could not be read is never
read as another one.

Source: DESIGN §7; threat model C8, C9, C14, C15. Decisions: docs/adr/0007-uvicorn-with-deadlines.md,
docs/adr/0022-requests-without-asgi.md.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, NoReturn

import httptools
import uvicorn
from uvicorn.server import ServerState

from cos.errors import COSError
from cos.headers import Headers
from cos.request import MAX_HEADER_BYTES
from cos.target import MAX_TARGET_BYTES
from gateway.client_certificates import ClientCertificate
from gateway.exchange import ClientGone, Exchange, Handler
from gateway.identifiers import new_request_id
from gateway.server.channel import RequestChannel
from gateway.server.connections import Admission, Connections
from gateway.server.deadlines import Deadlines
from gateway.server.framing import read_fields
from gateway.server.responses import NO_TUNNEL, render_refusal
from gateway.server.starts import Starts
from gateway.server.timed_protocol import TimedProtocol
from gateway.server.usual_requests import remember, take_usual

MAX_HEAD_BYTES = 32 * 1024
"""Bytes a request head may take before its end must have been seen."""
MAX_PIPELINED = 8
"""Requests that may wait on one connection for the answer before theirs."""
TURN_AWAY_SECONDS = 1.0
"""How long a connection too many may take to say anything, to be told SlowDown."""
MAX_WAITING_BYTES = 64 * 1024
"""Bytes of a request body that may wait to be taken before the client is not read from any more."""


def data_protocol(deadlines: Deadlines, connections: Connections | None = None) -> type[DataProtocol]:
    """A protocol class for uvicorn with these deadlines, counting into `connections` when given.

    The configuration's app is a `gateway.exchange.Handler`.
    """
    counted = {} if connections is None else {"all_connections": connections}
    shared = {"__slots__": (), "deadlines": deadlines, "starts": Starts(), **counted}
    return type("DataProtocol", (DataProtocol,), shared)


class DataProtocol(TimedProtocol):
    """One connection. Used through `data_protocol`, and over TLS through `secure_protocol`."""

    __slots__ = (
        "_address", "_admission", "_connections", "_handle", "_head_bytes", "_in_head", "_latest", "_names", "_next",
        "_parser", "_pipeline", "_refusal", "_running", "_target", "_task", "_tasks", "_trailer_bytes", "_values",
        "certificate",
    )  # fmt: skip

    all_connections = Connections(max_connections=1_000_000, max_per_address=1_000_000)
    starts: Starts[tuple[RequestChannel, Exchange]]

    # --- the connection ----------------------------------------------------------------------------------------

    def __init__(self, config: uvicorn.Config, server_state: ServerState, **_: Any) -> None:
        """As uvicorn calls it; what else it gives is of no use here."""
        super().__init__()
        # As given: uvicorn wraps what it takes for an ASGI application.
        self._handle: Handler = config.app  # type: ignore[assignment]
        self._connections = server_state.connections
        self._tasks = server_state.tasks
        self.certificate: ClientCertificate | None = None
        self._parser = httptools.HttpRequestParser(self)
        # What follows a request that ends its connection is no reason not to answer that.
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)
        # The request that is being received or was received last, until its answer is complete; those before it that
        # wait for their turn; the one that is being answered; the task that answers one after the other, and what it
        # gets the next one from while it has none.
        self._latest: RequestChannel | None = None
        self._pipeline: list[tuple[RequestChannel, Exchange]] = []
        self._running: RequestChannel | None = None
        self._task: asyncio.Task[None] | None = None
        self._next: asyncio.Future[tuple[RequestChannel, Exchange]] | None = None
        self._target = b""
        self._names: list[bytes] = []
        self._values: list[bytes] = []
        self._head_bytes = self._trailer_bytes = 0
        # Between requests, or within the head of one.
        self._in_head = True
        self._refusal: COSError | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # it has both ways
        self._connections.add(self)  # type: ignore[arg-type]  # uvicorn lists its own protocols, and asks them to end
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self._address: str = peer[0] if peer else ""
        self._admission = self._enter()
        match self._admission:
            case Admission.WELCOME:
                self._set_timer("head", self.deadlines.head_seconds, self._head_too_slow)
            case Admission.TURNED_AWAY:
                self._refusal = COSError("SlowDown")
                self._set_timer("head", TURN_AWAY_SECONDS, self.close_gently)
            case Admission.DROPPED:
                self._deaf = True
                transport.abort()

    def _enter(self) -> Admission:
        return self.all_connections.enter(self._address)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self.all_connections.leave(self._address, self._admission)
        super().connection_lost(exc)
        self._pipeline.clear()
        self._give_up()
        self._task = None
        if self._next is not None:
            self._next.cancel()
        # It knows us: without this, every connection would wait for the garbage collector.
        del self._parser

    def shutdown(self) -> None:
        """The server's wish to end: at once between requests, or after the answer."""
        if self._latest is None:
            self.transport.close()
        else:
            self._latest.keep_alive = False

    def data_received(self, data: bytes) -> None:
        if self._deaf or self.transport.is_closing():
            return
        if self._refusal is not None:
            # The connection is turned away.
            self._refuse(self._refusal)
            return
        self._resting_since = None
        if self._in_head:
            if not self._head_bytes and self._latest is None:
                # The parser is between requests, and stays there when it is not needed.
                usual = take_usual(data)
                if usual is not None:
                    method, target, headers, body = usual
                    channel = RequestChannel(self, method == "HEAD", False, True, _more_body=False, _held=body)
                    self._take_up(channel, method, target, headers)
                    return
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # Nobody is switched to another protocol; the request itself is being answered.
            self._deaf = True
        except httptools.HttpParserError:
            self._refuse_unreadable()
            return
        if self._head_bytes:
            self._expect_rest_of_head()
        if self._receiving_body and "body" not in self._timers:
            self._time_body()

    def _refuse_unreadable(self) -> None:
        self._refuse(self._refusal or COSError("BadRequest", "Expected a well-formed HTTP request."))

    def _expect_rest_of_head(self) -> None:
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(COSError("BadRequest", "The request head is too large."))
        elif "head" not in self._timers:
            # Also for what the parser passes over before a request line: empty lines hold no connection open.
            # A head that came whole needs no timer.
            self._set_timer("head", self.deadlines.head_seconds, self._head_too_slow)

    # --- what the parser finds -----------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._target = b""
        if not self._head_bytes:
            # It begins in the bytes that ended the message before it.
            self._head_bytes = 1

    def on_url(self, url: bytes) -> None:
        self._target += url
        if len(self._target) > MAX_TARGET_BYTES:
            self._stop(COSError("InvalidURI", f"Expected a target of at most {MAX_TARGET_BYTES} bytes."))

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field. How many there may be, and how large, is judged when they are complete: a read brings 256 KiB."""
        if self._receiving_body:
            self._drop_trailer(name, value)
        else:
            self._names.append(name)
            self._values.append(value)

    def _drop_trailer(self, name: bytes, value: bytes) -> None:
        """Nothing that comes after the body was judged with it, so none is kept."""
        self._trailer_bytes += len(name) + len(value)
        if self._trailer_bytes > MAX_HEADER_BYTES:
            self._stop(COSError("InvalidRequest", f"Expected at most {MAX_HEADER_BYTES} bytes of trailers."))

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_bytes = self._trailer_bytes = 0
        parser = self._parser
        method = parser.get_method()
        version = parser.get_http_version()
        if method == b"CONNECT":
            self._stop(COSError("MethodNotAllowed", NO_TUNNEL))
        try:
            headers, awaits_continue = read_fields(self._names, self._values, version)
        except COSError as error:
            self._stop(error)
        remember(tuple(self._names))
        self._names.clear()
        self._values.clear()
        keep_alive = version != "1.0" and parser.should_keep_alive()
        channel = RequestChannel(self, method == b"HEAD", awaits_continue, keep_alive)
        self._take_up(channel, method.decode("ascii"), self._target, headers)
        self._receiving_body = True

    def on_body(self, body: bytes) -> None:
        self._last_body_time = self._loop.time()
        self._period_bytes += len(body)
        if self._latest is not None and self._latest.feed(body) > MAX_WAITING_BYTES:
            self._pause_reading()

    def on_message_complete(self) -> None:
        self._receiving_body = False
        self._in_head = True
        if "body" in self._timers:
            self._clear_timer("body")
        if self._latest is not None:
            self._latest.end()

    def _stop(self, error: COSError) -> NoReturn:
        """Leave the parser with the reason; `data_received` answers with it."""
        self._refusal = error
        raise error

    # --- requests and their answers ------------------------------------------------------------------------------

    def _take_up(self, channel: RequestChannel, method: str, target: bytes, headers: Headers) -> None:
        if "head" in self._timers:
            self._clear_timer("head")
        exchange = Exchange(
            channel,
            method=method,
            raw_target=target,
            headers=headers,
            client_address=self._address,
            certificate=self.certificate,
            request_id=new_request_id(),
            started=time.monotonic(),
        )
        if self._latest is None:
            self._begin(channel, exchange)
        else:
            self._line_up(channel, exchange)
        self._latest = channel

    def _begin(self, channel: RequestChannel, exchange: Exchange) -> None:
        self._running = channel
        following, self._next = self._next, None
        if following is not None and not following.done():
            self.starts.begin(self._loop, following, (channel, exchange))
            return
        # The first request, or the task is not done with the one that was answered last: it ends after that.
        self._task = task = self._loop.create_task(self._serve(channel, exchange))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _line_up(self, channel: RequestChannel, exchange: Exchange) -> None:
        """Requests wait here for the answer to the one before them; the client is not read from meanwhile."""
        if len(self._pipeline) >= MAX_PIPELINED:
            self._stop(COSError("InvalidRequest", f"Expected at most {MAX_PIPELINED} requests ahead of their answers."))
        self._pause_reading()
        self._pipeline.append((channel, exchange))

    def _begin_next(self) -> None:
        channel, exchange = self._pipeline.pop(0)
        exchange.started = time.monotonic()
        self._begin(channel, exchange)

    async def _serve(self, channel: RequestChannel, exchange: Exchange) -> None:
        """Answer a request, and then those that follow it on the connection: a task for each would cost more."""
        this = asyncio.current_task()
        while True:
            try:
                await self._handle(exchange)
            except ClientGone:
                pass  # nobody is left to answer
            except asyncio.CancelledError:
                return  # the same, or the server ends
            finally:
                if not channel.complete and not channel.disconnected:
                    self._left_unanswered(channel)
            if this is not self._task:
                return
            del channel, exchange  # while it waits, nothing is kept of what was answered
            self._next = following = self._loop.create_future()
            channel, exchange = await following

    def _left_unanswered(self, channel: RequestChannel) -> None:
        """A request has ended without its answer, whatever the reason. What the client got must not look whole."""
        if channel.started or self.transport.is_closing():
            self.transport.abort()
        else:
            self.transport.write(render_refusal(COSError("InternalError")))
            self.close_gently()
        self._forget_running()

    def answered(self, channel: RequestChannel) -> None:
        """The next one's turn, if there is one; `rest` is one timer per connection and not one per answer."""
        self._running = None
        if self._latest is channel:
            self._latest = None
        if self._deaf:
            self._finish_deaf()
            return
        if self.transport.is_closing():
            return
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self._pipeline:
            self._begin_next()
            return
        self._resting_since = self._loop.time()
        if "rest" not in self._timers:
            self._set_timer("rest", self.deadlines.keepalive_seconds, self._rested)
        if self._receiving_body:
            self._set_timer("linger", self.deadlines.linger_seconds, self._stop_lingering)

    def _forget_running(self) -> None:
        if self._latest is self._running:
            self._latest = None
        self._running = self._task = None

    def _give_up(self) -> None:
        """Cancel the request that is being answered."""
        if self._running is not None and self._task is not None:
            self._running.leave()
            self._task.cancel()
            self._forget_running()

    def _refuse(self, error: COSError) -> None:
        """Answer what is not HTTP, or not HTTP to us, like any other refusal, and close.

        Requests before it on the connection are answered first. A request that is itself the cause (its body is
        not framed as it said) is cancelled; if its answer has begun, the connection is cut.
        """
        self._refusal = error
        self._deaf = True
        self._clear_timer("head")
        broken = self._latest if self._receiving_body else None
        if broken is not None and broken is self._running:
            self._give_up()
            if broken.started:
                self.transport.abort()
                return
        elif self._latest is not None:
            return
        self._finish_deaf()

    def _finish_deaf(self) -> None:
        """On a connection that is not listened to any more: the next answer, then the refusal, then the end."""
        if self._ending or self.transport.is_closing():
            return
        if self._pipeline and self._refusal is not None and not self._receiving_body:
            self._begin_next()
            return
        if self._refusal is not None:
            self.transport.write(render_refusal(self._refusal))
        self.close_gently()

    # --- deadlines ---------------------------------------------------------------------------------------------

    def _head_too_slow(self) -> None:
        self._clear_timer("head")
        if self.transport.is_closing():
            return
        if self._latest is not None or self.flow.read_paused:
            # The answers before it take their time, or it is we who do not read.
            self._set_timer("head", self.deadlines.head_seconds, self._head_too_slow)
        elif self._head_bytes:
            self._refuse(COSError("BadRequest", "The request head was not received in time."))
        else:
            self.close_gently()

    def _stop_lingering(self) -> None:
        self._clear_timer("linger")
        if self._receiving_body and self._latest is None:
            self.transport.abort()
