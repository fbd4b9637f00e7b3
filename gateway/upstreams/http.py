"""The port to COS over any httpx transport: a signed request becomes an `httpx.Request` and goes as it is.

Our own transport takes the bytes as they are (`NativeTransport.send`); any other is given an `httpx.Request`.
The transport is called directly, without `httpx.AsyncClient`: a client adds headers, normalises paths, follows
redirects, keeps cookies and reads proxies from the environment, and none of that may happen to a signed
request. httpx is imported in this folder and nowhere else.

Source: threat model C10, C11.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from dataclasses import replace
from functools import lru_cache, partial
from typing import assert_never, cast

import httpx

from cos.headers import AnswerFields
from cos.rewrite import UpstreamRequest
from gateway.ports import UpstreamBroken, UpstreamError, UpstreamResponse, UpstreamTimeout, UpstreamUnreachable
from gateway.upstreams.pool import Origin
from gateway.upstreams.settings import Timeouts, TransportKind, UpstreamSettings
from gateway.upstreams.stock import StockTransport
from gateway.upstreams.transport import DEFAULT_PORTS, NativeTransport, RequestBody


class HttpUpstream:
    """COS over HTTP; implements `gateway.ports.Upstream`."""

    def __init__(self, settings: UpstreamSettings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """`transport` is the one the settings name unless given. Raises ValueError for an unusable endpoint."""
        self._transport = build_transport(settings) if transport is None else transport
        self._native = self._transport if isinstance(self._transport, NativeTransport) else None
        self._find_timeouts = lru_cache(maxsize=16)(partial(_with_response_timeout, settings.timeouts))
        self._endpoint = None if settings.endpoint is None else _read_endpoint(settings.endpoint)
        self._find_route = lru_cache(maxsize=1024)(partial(_find_route, self._endpoint))

    def send(
        self,
        request: UpstreamRequest,
        body: AsyncIterator[bytes] | bytes,
        *,
        response_timeout_seconds: float | None = None,
    ) -> Coroutine[None, None, UpstreamResponse]:
        if self._native is None:
            return self._send_by_httpx(request, body, response_timeout_seconds)
        origin, host = self._find_route(request.host)
        return self._native.send(
            origin,
            request.method.encode("ascii"),
            request.target,
            (b"host", *request.names),
            (host, *request.values),
            body,
            self._find_timeouts(response_timeout_seconds),
        )

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def _send_by_httpx(
        self,
        request: UpstreamRequest,
        body: AsyncIterator[bytes] | bytes,
        response_timeout_seconds: float | None,
    ) -> UpstreamResponse:
        extensions: dict[str, object] = {"target": request.target, "sni_hostname": _read_name(request.host)}
        if response_timeout_seconds is not None:
            extensions["timeout"] = {"response": response_timeout_seconds}
        try:
            outgoing = httpx.Request(
                request.method,
                self._endpoint or httpx.URL(f"https://{request.host}"),
                headers=[(b"host", request.host.encode("ascii")), *request.headers],
                stream=RequestBody(body),
                extensions=extensions,
            )
            return HttpUpstreamResponse(await self._transport.handle_async_request(outgoing))
        except httpx.TransportError as exc:
            raise _translate(exc) from exc


class HttpUpstreamResponse:
    """A response whose head is here; implements `gateway.ports.UpstreamResponse`."""

    __slots__ = ("_response", "headers", "status", "whole_body")

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self.whole_body: bytes | None = None
        self.status = response.status_code
        self.headers = AnswerFields.of((name.lower(), value) for name, value in response.headers.raw)

    async def stream(self) -> AsyncIterator[bytes]:
        # The transport's own stream: httpx.Response would decompress, count and decode.
        try:
            async for piece in cast("httpx.AsyncByteStream", self._response.stream):
                if piece:
                    yield piece
        except httpx.TransportError as exc:
            raise _translate(exc) from exc

    async def aclose(self) -> None:
        await cast("httpx.AsyncByteStream", self._response.stream).aclose()


def build_transport(settings: UpstreamSettings) -> httpx.AsyncBaseTransport:
    """The transport the settings name. Raises OSError when the certificate file is unusable."""
    match settings.transport:
        case TransportKind.NATIVE:
            return NativeTransport(settings)
        case TransportKind.STOCK:
            return StockTransport(settings)
        case _:
            assert_never(settings.transport)


def _read_endpoint(endpoint: str) -> httpx.URL:
    try:
        url = httpx.URL(endpoint)
    except httpx.InvalidURL as exc:
        raise ValueError(f"Expected an upstream endpoint like 'http://127.0.0.1:9000': {exc}") from exc
    bare = not url.userinfo and not url.query and not url.fragment and url.raw_path == b"/"
    if url.scheme not in ("http", "https") or not url.host or not bare or not 0 < (url.port or 80) < 65536:
        raise ValueError("Expected an upstream endpoint of scheme, host and port alone, like 'http://127.0.0.1:9000'.")
    return url


def _find_route(endpoint: httpx.URL | None, host: str) -> tuple[Origin, bytes]:
    """Where a request to this host connects to, with the TLS name it asks for, and the value of its Host field."""
    url = endpoint or httpx.URL(f"https://{host}")
    origin = Origin(
        url.host, url.port or DEFAULT_PORTS[url.scheme], _read_name(host) if url.scheme == "https" else None
    )
    return origin, host.encode("ascii")


def _with_response_timeout(timeouts: Timeouts, seconds: float | None) -> Timeouts:
    return timeouts if seconds is None else replace(timeouts, response_seconds=seconds)


def _read_name(host: str) -> str:
    """The host name of an authority, without its port."""
    return host.partition(":")[0]


def _translate(exc: httpx.TransportError) -> UpstreamError:
    """The port's error: the one our transport started from, or what the type of another transport's says."""
    if isinstance(exc.__cause__, UpstreamError):
        return exc.__cause__
    text = str(exc) or type(exc).__name__
    match exc:
        case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.PoolTimeout():
            return UpstreamUnreachable(text, sent=False)
        case httpx.TimeoutException():
            return UpstreamTimeout(text, sent=True)
        case httpx.LocalProtocolError():
            return UpstreamError(text, sent=True)
        case _:
            return UpstreamBroken(text, sent=True)
