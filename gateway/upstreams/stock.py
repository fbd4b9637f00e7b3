"""httpx's own transport, made to keep the same promises. Slower; here to compare with and to fall back on.

What the stock transport cannot promise is taken from it:
- it hands bytes that follow a response to the next request, so no connection is used twice;
- it accepts a response with two lengths, so the framing fields are read once more;
- its one read deadline starts anew with every byte, so the wait for the head has a deadline around it;
- it resolves names itself, so the guarded address is chosen here and connected to by number.

What remains: a response that comes while the request is still being sent is only looked for when the body ended
or a write failed, and may be lost; requests that wait for a connection are bounded by time alone; and the limit
on connections counts those of all origins together.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import cast

import httpx

from gateway.ports import UpstreamError
from gateway.upstreams.connector import resolve
from gateway.upstreams.framing import HeadError, read_request_length
from gateway.upstreams.settings import UpstreamSettings, tls_context
from gateway.upstreams.transport import read_timeouts


class StockTransport(httpx.AsyncBaseTransport):
    """`httpx.AsyncHTTPTransport` without reuse of connections, environment proxies or retries."""

    def __init__(self, settings: UpstreamSettings) -> None:
        self._guarded = settings.endpoint is None and not settings.allow_private
        self._timeouts = settings.timeouts
        self._inner = httpx.AsyncHTTPTransport(
            verify=tls_context(settings),
            trust_env=False,
            retries=0,
            limits=httpx.Limits(
                max_connections=settings.limits.max_connections_per_origin, max_keepalive_connections=0
            ),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        timeouts = read_timeouts(request.extensions.get("timeout"), self._timeouts)
        try:
            length = read_request_length(request.headers.raw)
        except HeadError as exc:
            raise httpx.LocalProtocolError(str(exc)) from UpstreamError(str(exc), sent=False)
        stock_timeouts: dict[str, float | None] = {
            "pool": timeouts.pool_seconds,
            "connect": timeouts.connect_seconds,
            "write": timeouts.write_seconds,
            "read": None,
        }
        extensions = {**request.extensions, "timeout": stock_timeouts}
        url = request.url
        if self._guarded:
            extensions.setdefault("sni_hostname", url.host)
            url = url.copy_with(host=await self._resolve(request, timeouts.connect_seconds))
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None) as deadline:
                body = _CheckedBody(
                    cast("httpx.AsyncByteStream", request.stream),
                    length,
                    lambda: deadline.reschedule(loop.time() + timeouts.response_seconds),
                )
                inner = httpx.Request(
                    request.method, url, headers=request.headers.raw, stream=body, extensions=extensions
                )
                response = await self._inner.handle_async_request(inner)
        except TimeoutError as exc:
            raise httpx.ReadTimeout(f"Waited {timeouts.response_seconds:g} s for a response head.") from exc
        # The stock transport looks the deadline up again when the body is read.
        stock_timeouts["read"] = timeouts.read_seconds
        try:
            read_request_length(response.headers.raw)
        except HeadError as exc:
            await response.aclose()
            raise httpx.RemoteProtocolError(str(exc)) from exc
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _resolve(self, request: httpx.Request, connect_seconds: float) -> str:
        try:
            async with asyncio.timeout(connect_seconds):
                addresses = await resolve(request.url.host, request.url.port or 443, guarded=True)
        except TimeoutError as exc:
            raise httpx.ConnectTimeout(f"Waited {connect_seconds:g} s for the address of a host.") from exc
        except (OSError, UnicodeError) as exc:
            raise httpx.ConnectError(f"No address for {request.url.host}: {exc}.") from exc
        return addresses[0]


class _CheckedBody(httpx.AsyncByteStream):
    """A request body of exactly the declared length, whose end starts the wait for the response head."""

    def __init__(self, body: httpx.AsyncByteStream, length: int | None, on_end: Callable[[], None]) -> None:
        self._body = body
        self._length = length
        self._on_end = on_end

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for piece in self._body:
            size += len(piece)
            if self._length is not None and size > self._length:
                raise self._mismatch("more")
            yield piece
        if self._length is not None and size < self._length:
            raise self._mismatch(f"{size}")
        self._on_end()

    def _mismatch(self, got: str) -> UpstreamError:
        return UpstreamError(f"Expected a request body of {self._length} bytes, got {got}.", sent=True)
