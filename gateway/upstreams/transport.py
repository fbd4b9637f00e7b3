"""Our own `httpx.AsyncBaseTransport`: the pool and its connections, spoken to in httpx's words.

Request extensions read: `target` (exact request target), `sni_hostname` (TLS name), `timeout` (httpx's four,
and `response`: the wait for the head). The request's headers are sent as they stand; none is added. They
must frame the body: `content-length` or `transfer-encoding: chunked`.

A resting connection that turns out not to be quiet before anything was sent is dropped for the next one. One retry
happens here and no other: a reused connection that was closed by the peer before the first byte of
an answer, with a body held in memory and a method other than POST (RFC 9112 §9.3.1). The resting
connections of that origin are dropped first, since they are likely as dead.

Exceptions are httpx's, each raised from the port's error that tells whether a byte was sent:

    ConnectError         no connection                      PoolTimeout    none free in time
    ReadTimeout          a deadline after connecting        RemoteProtocolError  not a whole HTTP response
    LocalProtocolError   the request contradicts itself     (what the body raised passes unchanged)
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import cast

import httpx
from msgspec import Struct

from cos.headers import AnswerFields
from gateway.ports import UpstreamBroken, UpstreamError, UpstreamTimeout, UpstreamUnreachable
from gateway.upstreams.connection import Connection
from gateway.upstreams.connector import Connector
from gateway.upstreams.departures import NotQuiet
from gateway.upstreams.framing import HeadError
from gateway.upstreams.heads import render_head
from gateway.upstreams.pool import NoFreeConnection, Origin, Pool
from gateway.upstreams.settings import Timeouts, UpstreamSettings, tls_context

DEFAULT_PORTS = {"http": 80, "https": 443}


class RequestBody(httpx.AsyncByteStream):
    """A request body that is either held in memory or read once."""

    def __init__(self, body: AsyncIterator[bytes] | bytes) -> None:
        self.body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if isinstance(self.body, bytes):
            yield self.body
        else:
            async for piece in self.body:
                yield piece


class NativeTransport(httpx.AsyncBaseTransport):
    """Keep-alive HTTP/1.1 over asyncio, with the deadlines and limits of the settings."""

    def __init__(self, settings: UpstreamSettings) -> None:
        guarded = settings.endpoint is None and not settings.allow_private
        connector = Connector(tls=tls_context(settings), guarded=guarded)
        self._pool = Pool(connector.connect, settings.limits)
        self._timeouts = settings.timeouts

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The same request and response as `send`, in httpx's words."""
        try:
            response = await self.send(
                _read_origin(request),
                request.method.encode("ascii"),
                request.extensions.get("target", request.url.raw_path),
                tuple([name for name, _ in request.headers.raw]),
                tuple([value for _, value in request.headers.raw]),
                _read_body(request),
                read_timeouts(request.extensions.get("timeout"), self._timeouts),
            )
        except UpstreamError as exc:
            raise _translate(exc) from exc
        return httpx.Response(response.status, headers=list(response.headers), stream=_ResponseBody(response))

    async def send(
        self,
        origin: Origin,
        method: bytes,
        target: bytes,
        names: tuple[bytes, ...],
        values: tuple[bytes, ...],
        body: AsyncIterator[bytes] | bytes,
        timeouts: Timeouts,
    ) -> NativeResponse:
        """Send one request with exactly these bytes; without httpx's objects, which cost more than the sending.

        Raises UpstreamError.
        """
        try:
            head, length = render_head(method, target, names, values)
        except HeadError as exc:
            raise UpstreamError(str(exc), sent=False) from exc
        del names, values  # the head is all that is needed until the answer is here
        pool = self._pool
        repeated = False
        while True:
            connection = pool.take_resting(origin) or await pool.acquire(
                origin, wait_seconds=timeouts.pool_seconds, connect_seconds=timeouts.connect_seconds
            )
            try:
                received = await connection.exchange(head, body, method, length, timeouts)
                break
            except UpstreamBroken as failure:
                if isinstance(failure, NotQuiet) and connection.used_before:
                    continue  # nothing was sent, and nothing taken of the body: with the next connection
                replayable = isinstance(body, bytes) and method != b"POST"
                if repeated or not replayable or not connection.used_before or connection.response_started:
                    raise
                pool.drop_idle(origin)
                repeated = True
        whole = connection.take_whole_body()
        if whole is not None:
            pool.release(connection)
            return NativeResponse(received.status, received.headers, whole)
        return NativeResponse(received.status, received.headers, None, pool, connection, timeouts.read_seconds)

    async def aclose(self) -> None:
        await self._pool.aclose()


class NativeResponse(Struct, eq=False):
    """A response whose head is here; implements `gateway.ports.UpstreamResponse`.

    Without a whole body, it holds the connection that the rest comes from until it is read or closed.
    """

    status: int
    headers: AnswerFields
    whole_body: bytes | None
    _pool: Pool | None = None
    _connection: Connection | None = None
    _read_seconds: float = 0.0

    async def stream(self) -> AsyncIterator[bytes]:
        if self.whole_body:
            yield self.whole_body
        while self._connection is not None:
            piece = await self._connection.read(self._read_seconds)
            if not piece:
                break
            yield piece
        await self.aclose()

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and self._pool is not None:
            self._pool.release(connection)


class _ResponseBody(httpx.AsyncByteStream):
    """The body of a response, for httpx."""

    def __init__(self, response: NativeResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._response.stream():
                yield piece
        except UpstreamError as exc:
            raise _translate(exc) from exc

    async def aclose(self) -> None:
        await self._response.aclose()


def _read_body(request: httpx.Request) -> AsyncIterator[bytes] | bytes:
    stream = request.stream
    if isinstance(stream, RequestBody):
        return stream.body
    return aiter(cast("httpx.AsyncByteStream", stream))


def _read_origin(request: httpx.Request) -> Origin:
    url = request.url
    tls = url.scheme == "https"
    port = url.port or DEFAULT_PORTS[url.scheme]
    return Origin(url.host, port, request.extensions.get("sni_hostname", url.host) if tls else None)


def read_timeouts(given: Mapping[str, float] | None, usual: Timeouts) -> Timeouts:
    """Deadlines of one request. What is not given is as in the settings."""
    if not given:
        return usual
    return Timeouts(
        pool_seconds=given.get("pool") or usual.pool_seconds,
        connect_seconds=given.get("connect") or usual.connect_seconds,
        write_seconds=given.get("write") or usual.write_seconds,
        response_seconds=given.get("response") or usual.response_seconds,
        read_seconds=given.get("read") or usual.read_seconds,
    )


def _translate(exc: UpstreamError) -> httpx.TransportError:
    match exc:
        case NoFreeConnection():
            return httpx.PoolTimeout(str(exc))
        case UpstreamUnreachable():
            return httpx.ConnectError(str(exc))
        case UpstreamTimeout():
            return httpx.ReadTimeout(str(exc))
        case UpstreamBroken():
            return httpx.RemoteProtocolError(str(exc))
        case _:
            return httpx.LocalProtocolError(str(exc))
