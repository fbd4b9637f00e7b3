"""The data port's HTTP server: uvicorn's httptools protocol with what a proxy facing strangers needs besides.

Added here, and only here: the raw request target (uvicorn keeps only its path), errors of the HTTP parser as
COS XML with a request id, cancellation of a request whose client has gone, and deadlines for clients that
drip (uvicorn has none of these). It builds on names of uvicorn's protocol class, so pyproject.toml pins its
minor version, and `tests/gateway/test_server.py` holds sockets open against every one of them.

Source: DESIGN §7; threat model C9, C14.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from cos.errors import COSError
from cos.header_names import spell_head
from gateway.errors import error_body, error_headers
from gateway.exchange import http_date
from gateway.identifiers import new_request_id

MAX_HEAD_BYTES = 32 * 1024
"""Bytes a request head may take before its end must have been seen."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long a client may take, in seconds of the monotonic clock."""

    head_seconds: float
    body_idle_seconds: float
    keepalive_seconds: float


class PortTaken(Exception):
    """Another program listens on the address."""


def data_protocol(deadlines: Deadlines) -> type[HttpToolsProtocol]:
    """A protocol class for uvicorn with these deadlines."""

    class DataProtocol(_DataProtocol):
        pass

    DataProtocol.deadlines = deadlines
    return DataProtocol


class _DataProtocol(HttpToolsProtocol):
    deadlines: Deadlines

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._requests: dict[RequestResponseCycle, asyncio.Task[Any]] = {}
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._body_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._last_body_time = 0.0
        self._receiving_body = False
        self._arm_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for timer in (self._head_timer, self._body_timer, self._write_timer):
            if timer is not None:
                timer.cancel()
        for cycle, task in self._requests.items():
            if not cycle.response_complete:
                cycle.disconnected = True
                task.cancel()

    def data_received(self, data: bytes) -> None:
        if self._head_timer is not None:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES and not self._head_ends_in(data):
                self.send_400_response("The request head is too large.")
                return
        super().data_received(data)
        if self._receiving_body and self._body_timer is None:
            self._last_body_time = self.loop.time()
            self._body_timer = self.loop.call_later(self.deadlines.body_idle_seconds, self._check_body)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._head_timer is None:
            self._arm_head_timer()

    def on_headers_complete(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        self._receiving_body = True
        self.scope["raw_target"] = self.url  # type: ignore[typeddict-unknown-key]  # ours, beside ASGI's
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._last_body_time = self.loop.time()
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._receiving_body = False
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        cycle.scope["abort"] = lambda: self._abort(cycle)  # type: ignore[typeddict-unknown-key]  # ours as well
        cycle.transport = _HeadSpelling(cycle)  # type: ignore[assignment]  # all that a cycle uses of a transport
        task = self.loop.create_task(cycle.run_asgi(app))
        self._requests[cycle] = task
        self.tasks.add(task)
        task.add_done_callback(lambda _: self._ended(cycle, task))

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_timer = self.loop.call_later(self.deadlines.body_idle_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP, or not HTTP to us, like any other refusal, and close."""
        if self._requests:
            # An answer is being written on this connection; a second one must not be mixed into it.
            self.transport.close()
            return
        request_id = new_request_id()
        error = COSError("BadRequest", msg)
        body = error_body(error, resource="/", request_id=request_id)
        fields = [
            (b"date", http_date()),
            *error_headers(error, request_id),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        ]
        head = b"HTTP/1.1 400 Bad Request\r\n" + b"".join(b"%s: %s\r\n" % field for field in fields) + b"\r\n"
        self.transport.write(spell_head(head) + body)
        self.transport.close()

    def _arm_head_timer(self) -> None:
        self._head_bytes = 0
        self._head_timer = self.loop.call_later(self.deadlines.head_seconds, self._head_too_slow)

    def _head_too_slow(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            if self._head_bytes:
                self.send_400_response("The request head was not received in time.")
            else:
                self.transport.close()

    def _head_ends_in(self, data: bytes) -> bool:
        return b"\r\n\r\n" in data

    def _check_body(self) -> None:
        """Re-armed instead of reset with every piece: one timer per body, however many pieces it has."""
        self._body_timer = None
        if not self._receiving_body or self.transport.is_closing():
            return
        if self.flow.read_paused:
            # It is we who do not read, because the upstream does not.
            self._last_body_time = self.loop.time()
        idle_seconds = self.loop.time() - self._last_body_time
        left_seconds = self.deadlines.body_idle_seconds - idle_seconds
        if left_seconds <= 0:
            self.transport.abort()
        else:
            self._body_timer = self.loop.call_later(left_seconds, self._check_body)

    def _abort(self, cycle: RequestResponseCycle) -> None:
        """End the connection without ending the response, so that the client sees it was cut."""
        cycle.disconnected = True
        self.transport.abort()

    def _ended(self, cycle: RequestResponseCycle, task: asyncio.Task[Any]) -> None:
        self.tasks.discard(task)
        self._requests.pop(cycle, None)


class _HeadSpelling:
    """Stands in for a response's transport until the head is written, whose names it spells as COS does.

    uvicorn writes every name in lower case. A `100 Continue` before the head passes as it is.
    """

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._transport = cycle.transport

    def write(self, data: bytes) -> None:
        if data.startswith(b"HTTP/1.1 100 "):
            self._transport.write(data)
            return
        self._cycle.transport = self._transport
        self._transport.write(spell_head(data))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Server(uvicorn.Server):
    """A uvicorn server that leaves the process's signals to whoever started it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises PortTaken, or OSError for an address that is not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(f"{host}:{port} is taken by another program") from error
        raise
    listener.setblocking(False)
    return listener
