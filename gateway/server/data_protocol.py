"""The data port's HTTP: uvicorn's httptools protocol with what a proxy facing strangers needs besides.

Added here, and only here: the raw request target (uvicorn keeps only its path), errors of the HTTP parser as
COS XML with a request id, limits on heads, trailers, pipelines and connections, cancellation of a request whose
client has gone, and deadlines for clients that drip or do not read (uvicorn has none of these). It builds on
names of uvicorn's protocol class, so pyproject.toml pins its minor version, and `tests/gateway/server/test_server.py`
holds sockets open against every one of them.

A connection is refused, cut or left alone as a whole: what follows a request that could not be read is never
read as another one.

Source: DESIGN §7; threat model C8, C9, C14, C15.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from cos.errors import COSError
from cos.request import MAX_HEADER_BYTES, MAX_HEADERS
from cos.target import MAX_TARGET_BYTES
from gateway.client_certificates import ClientCertificate
from gateway.server.connections import Admission, Connections
from gateway.server.deadlines import Deadlines
from gateway.server.request_scope import check_framing, fill_scope
from gateway.server.responses import NO_TUNNEL, Flow, GentleTransport, ResponseCycle, render_refusal

MAX_HEAD_BYTES = 32 * 1024
"""Bytes a request head may take before its end must have been seen."""
MAX_PIPELINED = 8
"""Requests that may wait on one connection for the answer before theirs."""
TURN_AWAY_SECONDS = 1.0
"""How long a connection too many may take to say anything, to be told SlowDown."""
WATCH_SECONDS = 1.0
"""How often a client that is not read from is looked at: has it gone?"""


def data_protocol(deadlines: Deadlines, connections: Connections | None = None) -> type[HttpToolsProtocol]:
    """A protocol class for uvicorn with these deadlines, counting into `connections` when given."""

    counted = {} if connections is None else {"all_connections": connections}
    return type("DataProtocol", (DataProtocol,), {"deadlines": deadlines, **counted})


class DataProtocol(HttpToolsProtocol):
    """One connection. Used through `data_protocol`, and over TLS through `secure_protocol`."""

    deadlines: Deadlines
    flow: Flow
    all_connections = Connections(max_connections=1_000_000, max_per_address=1_000_000)
    certificate: ClientCertificate | None = None

    # --- the connection ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.flow = Flow(transport, self._on_reading_paused)
        self._requests: dict[RequestResponseCycle, asyncio.Task[Any]] = {}
        self._head_bytes = self._header_bytes = self._trailer_bytes = 0
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._responses = GentleTransport(transport, self.close_gently)
        # Between requests, or within the head of one; and since when nothing at all came after an answer.
        self._in_head = True
        self._resting_since: float | None = None
        self._receiving_body = False
        # The body's last byte; the period in which its rate is measured, and its bytes in that period.
        self._last_body_time = self._period_start = 0.0
        self._period_bytes = 0
        self._refusal: COSError | None = None
        # Deaf: what still arrives is thrown away. Ending: nothing more is written either.
        self._deaf = self._ending = False
        self._address = self.client[0] if self.client else ""
        self._admission = self._enter()
        match self._admission:
            case Admission.WELCOME:
                self._set_timer("head", self.deadlines.head_seconds, self._head_too_slow)
            case Admission.TURNED_AWAY:
                self._set_timer("head", TURN_AWAY_SECONDS, self.close_gently)
            case Admission.DROPPED:
                self._deaf = True
                transport.abort()

    def _enter(self) -> Admission:
        return self.all_connections.enter(self._address)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
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
        self._resting_since = None
        if self._in_head:
            self._head_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # Nobody is switched to another protocol; the request itself is being answered.
            self._deaf = True
        except httptools.HttpParserError:
            self._refuse(self._refusal or COSError("BadRequest", "Expected a well-formed HTTP request."))
            return
        if self._in_head and self._head_bytes:
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(COSError("BadRequest", "The request head is too large."))
                return
            if "head" not in self._timers:
                # Also for what the parser passes over before a request line: empty lines hold no connection open.
                # A head that came whole needs no timer.
                self._set_timer("head", self.deadlines.head_seconds, self._head_too_slow)
        if self._receiving_body and "body" not in self._timers:
            self._last_body_time = self.loop.time()
            self._begin_period()
            self._set_timer("body", self.deadlines.body_idle_seconds, self._judge_body)

    # --- what the parser finds -----------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._header_bytes = self._trailer_bytes = 0
        if not self._head_bytes:
            # It begins in the bytes that ended the message before it.
            self._head_bytes = 1

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > MAX_TARGET_BYTES:
            self._stop(COSError("InvalidURI", f"Expected a target of at most {MAX_TARGET_BYTES} bytes."))

    def on_header(self, name: bytes, value: bytes) -> None:
        """uvicorn's, within bounds."""
        if self._receiving_body:
            # A trailer. Nothing that comes after the body was judged with it, so none is kept.
            self._trailer_bytes += len(name) + len(value)
            if self._trailer_bytes > MAX_HEADER_BYTES:
                self._stop(COSError("InvalidRequest", f"Expected at most {MAX_HEADER_BYTES} bytes of trailers."))
            return
        self._header_bytes += len(name) + len(value)
        headers = self.headers
        if self._header_bytes > MAX_HEADER_BYTES:
            self._stop(COSError("InvalidRequest", f"Expected at most {MAX_HEADER_BYTES} bytes of headers."))
        if len(headers) >= MAX_HEADERS:
            self._stop(COSError("InvalidRequest", f"Expected at most {MAX_HEADERS} header fields."))
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._clear_timer("head")
        self._in_head = False
        self._head_bytes = 0
        version = self.parser.get_http_version()
        if self.parser.get_method() == b"CONNECT":
            self._stop(COSError("MethodNotAllowed", NO_TUNNEL))
        try:
            check_framing(self.headers, version=version)
        except COSError as error:
            self._stop(error)
        if len(self.pipeline) >= MAX_PIPELINED:
            self._stop(COSError("InvalidRequest", f"Expected at most {MAX_PIPELINED} requests ahead of their answers."))
        self._receiving_body = True
        self._begin_request(version)

    def on_body(self, body: bytes) -> None:
        self._last_body_time = self.loop.time()
        self._period_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._receiving_body = False
        self._in_head = True
        self._clear_timer("body")
        super().on_message_complete()

    def _stop(self, error: COSError) -> None:
        """Leave the parser with the reason; `data_received` answers with it."""
        self._refusal = error
        raise error

    # --- requests and their answers ------------------------------------------------------------------------------

    def _begin_request(self, version: str) -> None:
        """uvicorn's `on_headers_complete` for a request that is answered by `ResponseCycle`."""
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]  # ASGI's keys and two of our own
        fill_scope(scope, method=self.parser.get_method(), target=self.url, version=version)
        before: RequestResponseCycle | None = self.cycle
        self.cycle = cycle = ResponseCycle(
            self.scope,
            self._responses,
            self.flow,
            default_headers=self.server_state.default_headers,
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        scope["certificate"] = self.certificate
        scope["abort"] = lambda: self._abort(cycle)
        if before is not None and not before.response_complete:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))
        else:
            self._start_asgi_task(cycle, self.app)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        task = self.loop.create_task(cycle.run_asgi(app))
        self._requests[cycle] = task
        self.tasks.add(task)
        task.add_done_callback(lambda _: self._ended(cycle, task))

    def on_response_complete(self) -> None:
        """uvicorn's, with one timer per connection and not one per answer."""
        self.server_state.total_requests += 1
        if self._deaf:
            self._finish_deaf()
            return
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._resting_since = self.loop.time()
        if "rest" not in self._timers:
            self._set_timer("rest", self.deadlines.keepalive_seconds, self._rested)
        if self._receiving_body:
            self._set_timer("linger", self.deadlines.linger_seconds, self._stop_lingering)

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
            self._set_timer("linger", self.deadlines.linger_seconds, self.transport.abort)
        else:
            self.transport.close()
            self._set_timer("linger", self.deadlines.body_idle_seconds, self.transport.abort)

    def _rested(self) -> None:
        """Nothing may have come since the last answer, or since an earlier one."""
        self._clear_timer("rest")
        if self._resting_since is None or self.transport.is_closing():
            return
        left = self._resting_since + self.deadlines.keepalive_seconds - self.loop.time()
        if left <= 0:
            self.close_gently()
        else:
            self._set_timer("rest", left, self._rested)

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
        elif self._has_unanswered():
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

    def _has_unanswered(self) -> bool:
        """Whether an answer is still to come. A request may live on a little after its answer: it does not count."""
        return bool(self.pipeline) or any(not cycle.response_complete for cycle in self._requests)

    def _abort(self, cycle: RequestResponseCycle) -> None:
        """End the connection without ending the response, so that the client sees it was cut."""
        cycle.disconnected = True
        self.transport.abort()

    def _ended(self, cycle: RequestResponseCycle, task: asyncio.Task[Any]) -> None:
        self.tasks.discard(task)
        self._requests.pop(cycle, None)
        # It knows the cycle that knows it: without this, every request would wait for the garbage collector.
        cycle.scope.pop("abort", None)  # type: ignore[typeddict-item]

    # --- deadlines ---------------------------------------------------------------------------------------------

    def _set_timer(self, name: str, seconds: float, action: Callable[[], None]) -> None:
        self._clear_timer(name)
        self._timers[name] = self.loop.call_later(seconds, action)

    def _clear_timer(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _head_too_slow(self) -> None:
        self._clear_timer("head")
        if self.transport.is_closing():
            return
        if self._has_unanswered() or self.flow.read_paused:
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
        if self._receiving_body and not self._has_unanswered():
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
