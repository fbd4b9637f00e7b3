"""Our own `httpx.AsyncBaseTransport`: the pool and its connections, spoken to in httpx's words.

Request extensions read: `target` (exact request target), `sni_hostname` (TLS name), `timeout` (httpx's four,
and `response`: the wait for the head). The request's headers are sent as they stand; none is added. They
must frame the body: `content-length` or `transfer-encoding: chunked`.

One retry happens here and no other: a reused connection that was closed by the peer before the first byte of
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

from gateway.ports import UpstreamBroken, UpstreamError, UpstreamTimeout, UpstreamUnreachable
from gateway.upstreams.connection import Connection
from gateway.upstreams.connector import Connector
from gateway.upstreams.heads import HeadError, ResponseHead, read_request_length, render_head
from gateway.upstreams.pool import NoFreeConnection, Origin, Pool
from gateway.upstreams.settings import Timeouts, UpstreamSettings, tls_context

_DEFAULT_PORTS = {"http": 80, "https": 443}


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
        timeouts = read_timeouts(request.extensions.get("timeout"), self._timeouts)
        try:
            connection, head = await self._send(request, timeouts)
        except UpstreamError as exc:
            raise _translate(exc) from exc
        except HeadError as exc:
            refusal = UpstreamError(str(exc), sent=False)
            raise _translate(refusal) from refusal
        whole = connection.take_whole_body()
        if whole is None:
            stream: httpx.AsyncByteStream = _ResponseBody(self._pool, connection, timeouts.read_seconds)
        else:
            self._pool.release(connection)
            stream = RequestBody(whole)
        return httpx.Response(head.status, headers=head.headers, stream=stream)

    async def aclose(self) -> None:
        await self._pool.aclose()

    async def _send(self, request: httpx.Request, timeouts: Timeouts) -> tuple[Connection, ResponseHead]:
        origin = _read_origin(request)
        method = request.method.encode("ascii")
        fields = request.headers.raw
        head = render_head(method, request.extensions.get("target", request.url.raw_path), fields)
        length = read_request_length((name.lower(), value) for name, value in fields)
        body = _read_body(request)
        replayable = isinstance(body, bytes) and method != b"POST"
        while True:
            connection = await self._pool.acquire(
                origin, wait_seconds=timeouts.pool_seconds, connect_seconds=timeouts.connect_seconds
            )
            reused = connection.exchanges > 0
            try:
                return connection, await connection.exchange(
                    head, body, method=method, length=length, timeouts=timeouts
                )
            except UpstreamBroken:
                if not (replayable and reused) or connection.response_started:
                    raise
                self._pool.drop_idle(origin)
                replayable = False


class _ResponseBody(httpx.AsyncByteStream):
    """A response body still on its way. The connection goes back when it is read or closed."""

    def __init__(self, pool: Pool, connection: Connection, read_seconds: float) -> None:
        self._pool = pool
        self._connection: Connection | None = connection
        self._read_seconds = read_seconds

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._connection is not None:
            try:
                piece = await self._connection.read(self._read_seconds)
            except UpstreamError as exc:
                raise _translate(exc) from exc
            if not piece:
                break
            yield piece
        await self.aclose()

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.release(connection)


def _read_body(request: httpx.Request) -> AsyncIterator[bytes] | bytes:
    stream = request.stream
    if isinstance(stream, RequestBody):
        return stream.body
    return aiter(cast("httpx.AsyncByteStream", stream))


def _read_origin(request: httpx.Request) -> Origin:
    url = request.url
    tls = url.scheme == "https"
    port = url.port or _DEFAULT_PORTS[url.scheme]
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
