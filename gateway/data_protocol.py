"""The data port's HTTP: uvicorn's httptools protocol with what a proxy facing strangers needs besides.

Added here, and only here: the raw request target (uvicorn keeps only its path), errors of the HTTP parser as
COS XML with a request id, limits on heads, trailers, pipelines and connections, cancellation of a request whose
client has gone, and deadlines for clients that drip or do not read (uvicorn has none of these). It builds on
names of uvicorn's protocol class, so pyproject.toml pins its minor version, and `tests/gateway/test_server.py`
holds sockets open against every one of them.

A connection is refused, cut or left alone as a whole: what follows a request that could not be read is never
read as another one.

Source: DESIGN §7; threat model C8, C9, C14, C15.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from cos.errors import COSError
from cos.framing import read_body_length
from cos.headers import Headers
from cos.request import MAX_HEADER_BYTES, MAX_HEADERS
from cos.target import MAX_TARGET_BYTES
from gateway.connections import Admission, Connections
from gateway.responses import Flow, ResponseTransport, render_refusal

MAX_HEAD_BYTES = 32 * 1024
"""Bytes a request head may take before its end must have been seen."""
MAX_PIPELINED = 8
"""Requests that may wait on one connection for the answer before theirs."""
TURN_AWAY_SECONDS = 1.0
"""How long a connection too many may take to say anything, to be told SlowDown."""
WATCH_SECONDS = 1.0
"""How often a client that is not read from is looked at: has it gone?"""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long a client may take, in seconds of the monotonic clock.

    `linger_seconds` is how long a request body is still read, and thrown away, after its answer was given: a
    connection closed with unread bytes would be reset, and the answer lost. `min_upload_bytes_per_second` is
    asked of a body over each `body_idle_seconds` in which the gateway itself did not stop reading; 0 asks nothing.
    """

    head_seconds: float
    body_idle_seconds: float
    keepalive_seconds: float
    linger_seconds: float = 5.0
    min_upload_bytes_per_second: float = 0.0


def data_protocol(deadlines: Deadlines, connections: Connections | None = None) -> type[HttpToolsProtocol]:
    """A protocol class for uvicorn with these deadlines, counting into `connections` when given."""

    class DataProtocol(_DataProtocol):
        pass

    DataProtocol.deadlines = deadlines
    if connections is not None:
        DataProtocol.all_connections = connections
    return DataProtocol


class _DataProtocol(HttpToolsProtocol):
    deadlines: Deadlines
    flow: Flow
    all_connections = Connections(max_connections=1_000_000, max_per_address=1_000_000)

    # --- the connection ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.flow = Flow(transport, self._on_reading_paused)
        self.timeout_keep_alive = self.deadlines.keepalive_seconds  # type: ignore[assignment]  # any number of seconds
        self._requests: dict[RequestResponseCycle, asyncio.Task[Any]] = {}
        self._head_bytes = self._header_bytes = self._trailer_bytes = 0
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._between_messages = True
        self._receiving_body = False
        # The body's last byte; the period in which its rate is measured, and its bytes in that period.
        self._last_body_time = self._period_start = 0.0
        self._period_bytes = 0
        self._refusal: COSError | None = None
        # Deaf: what still arrives is thrown away. Ending: nothing more is written either.
        self._deaf = self._ending = False
        self._address = self.client[0] if self.client else ""
        self._admission = self.all_connections.enter(self._address)
        match self._admission:
            case Admission.WELCOME:
                self._arm_head_timer()
            case Admission.TURNED_AWAY:
                self._set_timer("head", TURN_AWAY_SECONDS, transport.close)
            case Admission.DROPPED:
                self._deaf = True
                transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self.all_connections.leave(self._address, self._admission)
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for cycle, task in self._requests.items():
            if not cycle.response_complete:
                cycle.disconnected = True
                task.cancel()

    def data_received(self, data: bytes) -> None:
        if self._deaf or self.transport.is_closing():
            return
        if self._admission is Admission.TURNED_AWAY:
            self._refuse(COSError("SlowDown"))
            return
        self._unset_keepalive_if_required()
        if self._between_messages and "head" not in self._timers:
            # Also for what the parser passes over before a request line: empty lines hold no connection open.
            self._arm_head_timer()
        if "head" in self._timers:
            self._head_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # Nobody is switched to another protocol; the request itself is being answered.
            self._deaf = True
        except httptools.HttpParserError:
            self._refuse(self._refusal or COSError("BadRequest", "Expected a well-formed HTTP request."))
            return
        if "head" in self._timers and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(COSError("BadRequest", "The request head is too large."))
            return
        if self._receiving_body and "body" not in self._timers:
            self._last_body_time = self.loop.time()
            self._begin_period()
            self._set_timer("body", self.deadlines.body_idle_seconds, self._judge_body)

    # --- what the parser finds -----------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._between_messages = False
        self._header_bytes = self._trailer_bytes = 0
        if "head" not in self._timers:
            self._arm_head_timer()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > MAX_TARGET_BYTES:
            self._stop(COSError("InvalidURI", f"Expected a target of at most {MAX_TARGET_BYTES} bytes."))

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._receiving_body:
            # A trailer. Nothing that comes after the body was judged with it, so none is kept.
            self._trailer_bytes += len(name) + len(value)
            if self._trailer_bytes > MAX_HEADER_BYTES:
                self._stop(COSError("InvalidRequest", f"Expected at most {MAX_HEADER_BYTES} bytes of trailers."))
            return
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > MAX_HEADER_BYTES:
            self._stop(COSError("InvalidRequest", f"Expected at most {MAX_HEADER_BYTES} bytes of headers."))
        if len(self.headers) >= MAX_HEADERS:
            self._stop(COSError("InvalidRequest", f"Expected at most {MAX_HEADERS} header fields."))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._clear_timer("head")
        self._check_framing()
        if len(self.pipeline) >= MAX_PIPELINED:
            self._stop(COSError("InvalidRequest", f"Expected at most {MAX_PIPELINED} requests ahead of their answers."))
        self._receiving_body = True
        self.scope["raw_target"] = self.url  # type: ignore[typeddict-unknown-key]  # ours, beside ASGI's
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._last_body_time = self.loop.time()
        self._period_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._receiving_body = False
        self._between_messages = True
        self._clear_timer("body")
        super().on_message_complete()

    def _check_framing(self) -> None:
        """One way to tell where the body ends, or none of it is read. The parser accepts more than one."""
        framing = [field for field in self.headers if field[0] in (b"content-length", b"transfer-encoding")]
        if not framing:
            return
        try:
            if read_body_length(Headers(framing)) is None and self.parser.get_http_version() != "1.1":
                raise COSError("InvalidRequest", "Expected no Transfer-Encoding before HTTP/1.1.")
        except COSError as error:
            self._stop(error)

    def _stop(self, error: COSError) -> None:
        """Leave the parser with the reason; `data_received` answers with it."""
        self._refusal = error
        raise error

    # --- requests and their answers ------------------------------------------------------------------------------

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        cycle.scope["abort"] = lambda: self._abort(cycle)  # type: ignore[typeddict-unknown-key]  # ours as well
        cycle.transport = ResponseTransport(self.transport, self.close_gently)  # type: ignore[assignment]  # all a cycle uses of one
        task = self.loop.create_task(cycle.run_asgi(app))
        self._requests[cycle] = task
        self.tasks.add(task)
        task.add_done_callback(lambda _: self._ended(cycle, task))

    def on_response_complete(self) -> None:
        if self._deaf:
            self.server_state.total_requests += 1
            self._finish_deaf()
            return
        super().on_response_complete()
        if self._receiving_body and not self.transport.is_closing() and not self.pipeline:
            self._set_timer("linger", self.deadlines.linger_seconds, self._stop_lingering)

    def send_400_response(self, msg: str) -> None:
        """uvicorn's own way to refuse; ours is `_refuse`."""
        self._refuse(COSError("BadRequest", msg))

    def close_gently(self) -> None:
        """Close after what was written has left, reading on for a while so that it is not lost to a reset."""
        if self._ending or self.transport.is_closing():
            return
        self._ending = True
        if self._deaf or self._receiving_body:
            self._deaf = True
            if self.transport.can_write_eof():
                self.transport.write_eof()
            self.flow.resume_reading()
        else:
            self.transport.close()
        self._set_timer("linger", self.deadlines.linger_seconds, self.transport.abort)

    def timeout_keep_alive_handler(self) -> None:
        """uvicorn's: nothing came after an answer."""
        self.close_gently()

    def _refuse(self, error: COSError) -> None:
        """Answer what is not HTTP, or not HTTP to us, like any other refusal, and close.

        Requests before it on the connection are answered first. A request that is itself the cause (its body is
        not framed as it said) is cancelled; if its answer has begun, the connection is cut.
        """
        self._refusal = error
        self._deaf = True
        self._clear_timer("head")
        broken = self.cycle if self._receiving_body else None
        if broken in self._requests and not broken.response_complete:
            broken.disconnected = True
            self._requests[broken].cancel()
            if broken.response_started:
                self.transport.abort()
                return
        elif self._requests or self.pipeline:
            return
        self._finish_deaf()

    def _finish_deaf(self) -> None:
        """On a connection that is not listened to any more: the next answer, then the refusal, then the end."""
        if self._ending or self.transport.is_closing():
            return
        if self.pipeline and self._refusal is not None and not self._receiving_body:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
            return
        if self._refusal is not None:
            self.transport.write(render_refusal(self._refusal))
        self.close_gently()

    def _abort(self, cycle: RequestResponseCycle) -> None:
        """End the connection without ending the response, so that the client sees it was cut."""
        cycle.disconnected = True
        self.transport.abort()

    def _ended(self, cycle: RequestResponseCycle, task: asyncio.Task[Any]) -> None:
        self.tasks.discard(task)
        self._requests.pop(cycle, None)

    # --- deadlines ---------------------------------------------------------------------------------------------

    def _set_timer(self, name: str, seconds: float, action: Callable[[], None]) -> None:
        self._clear_timer(name)
        self._timers[name] = self.loop.call_later(seconds, action)

    def _clear_timer(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _arm_head_timer(self) -> None:
        self._head_bytes = 0
        self._set_timer("head", self.deadlines.head_seconds, self._head_too_slow)

    def _head_too_slow(self) -> None:
        self._clear_timer("head")
        if self.transport.is_closing():
            return
        if self._requests or self.flow.read_paused:
            # The answers before it take their time, or it is we who do not read.
            self._set_timer("head", self.deadlines.head_seconds, self._head_too_slow)
        elif self._head_bytes:
            self._refuse(COSError("BadRequest", "The request head was not received in time."))
        else:
            self.close_gently()

    def _begin_period(self) -> None:
        self._period_start = self.loop.time()
        self._period_bytes = 0
        self.flow.paused_meanwhile = self.flow.read_paused

    def _judge_body(self) -> None:
        """Looked at again after each period without offence: one timer per body, however many pieces it has."""
        self._clear_timer("body")
        if not self._receiving_body or self._deaf or self.transport.is_closing():
            return
        now, period = self.loop.time(), self.deadlines.body_idle_seconds
        if self.flow.paused_meanwhile:
            # It was we who did not read, because the upstream did not.
            self._last_body_time = now if self.flow.read_paused else max(self._last_body_time, self._period_start)
            self._begin_period()
        slow = False
        if now - self._period_start >= period:
            slow = self._period_bytes < self.deadlines.min_upload_bytes_per_second * (now - self._period_start)
            self._begin_period()
        idle_seconds = now - self._last_body_time
        if slow or idle_seconds >= period:
            self.transport.abort()
        else:
            self._set_timer("body", period - idle_seconds, self._judge_body)

    def _stop_lingering(self) -> None:
        self._clear_timer("linger")
        if self._receiving_body and not self._requests:
            self.transport.abort()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._set_timer("write", self.deadlines.body_idle_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._clear_timer("write")

    def _on_reading_paused(self) -> None:
        if "watch" not in self._timers:
            self._set_timer("watch", WATCH_SECONDS, self._watch_client)

    def _watch_client(self) -> None:
        """A socket that is not read from does not tell that its peer has gone: ask it."""
        self._clear_timer("watch")
        if self.transport.is_closing() or not self.flow.read_paused:
            return
        poll = select.poll()
        poll.register(self.transport.get_extra_info("socket").fileno(), select.POLLRDHUP)
        if poll.poll(0):
            self.transport.abort()
        else:
            self._set_timer("watch", WATCH_SECONDS, self._watch_client)
