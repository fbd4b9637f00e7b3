"""The ASGI face of an emulator: a request's raw bytes in, a response streamed out, faults on the way.

Bodies stream both ways with the server's back-pressure. A fault that breaks the connection needs the transport,
which `server` puts into the scope's extensions.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from typing import Any

from emulator.emulator import Emulator
from emulator.exchange import Response
from emulator.faults import Action, ExtraBytes, Reset, Truncate

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

TRANSPORT_EXTENSION = "emulator.transport"
"""Where the scope's extensions hold the connection's transport."""

_WITHOUT_BODY = frozenset({204, 304})


def create_app(emulator: Emulator) -> App:
    """The emulator as an ASGI application for HTTP scopes."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"expected an HTTP scope, got {scope['type']!r}")
        query = scope["query_string"]
        raw_target = scope["raw_path"] + (b"?" + query if query else b"")
        answer = await emulator.answer(scope["method"], raw_target, scope["headers"], receive)
        response = answer.response
        try:
            await _send(response, scope, send, answer.fault)
        finally:
            if response.release is not None:
                response.release()

    return app


async def _send(response: Response, scope: Scope, send: Send, fault: Action | None) -> None:
    transport: asyncio.Transport | None = scope.get("extensions", {}).get(TRANSPORT_EXTENSION)
    if isinstance(fault, Reset) and fault.after_bytes is None:
        await _reset(transport)
        return
    if isinstance(fault, ExtraBytes):
        # Held back so that they leave with the response's last bytes: sent later, they could arrive behind the
        # next request, where no client can tell them from its answer.
        _cork(transport, held=True)
    await send({"type": "http.response.start", "status": response.status, "headers": _raw_headers(response)})
    without_body = scope["method"] == "HEAD" or response.status in _WITHOUT_BODY
    limit = fault.after_bytes if isinstance(fault, Reset | Truncate) else None
    sent = 0
    async with contextlib.aclosing(_chunks(b"" if without_body else response.body)) as chunks:
        async for chunk in chunks:
            if transport is not None and transport.is_closing():
                return
            piece = chunk if limit is None else chunk[: limit - sent]
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            sent += len(piece)
            if limit is not None and sent >= limit:
                break
    if isinstance(fault, Reset):
        await _reset(transport)
        return
    if isinstance(fault, Truncate):
        await _close(transport)
        return
    await send({"type": "http.response.body", "body": b"", "more_body": False})
    if isinstance(fault, ExtraBytes) and transport is not None:
        transport.write(fault.data)
        _cork(transport, held=False)


def _cork(transport: asyncio.Transport | None, *, held: bool) -> None:
    """Hold written bytes back, or let them go together, where the system can (Linux)."""
    cork = getattr(socket, "TCP_CORK", None)
    if cork is not None and transport is not None and not transport.is_closing():
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, cork, held)


async def _chunks(body: bytes | AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    if isinstance(body, bytes):
        yield body
        return
    async with contextlib.aclosing(body) as chunks:
        async for chunk in chunks:
            yield chunk


def _raw_headers(response: Response) -> list[tuple[bytes, bytes]]:
    headers: list[tuple[bytes, bytes]] = [
        (name.encode("ascii"), value.encode("latin-1")) for name, value in response.headers
    ]
    if response.length_bytes is not None:
        headers.append((b"content-length", str(response.length_bytes).encode()))
    elif isinstance(response.body, bytes) and response.status not in _WITHOUT_BODY:
        headers.append((b"content-length", str(len(response.body)).encode()))
    return headers


async def _reset(transport: asyncio.Transport | None) -> None:
    """Close at once with RST: linger on, for zero seconds."""
    found = _require(transport)
    found.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    found.abort()
    await _settle()


async def _close(transport: asyncio.Transport | None) -> None:
    """Close in order: what was written is still sent."""
    _require(transport).close()
    await _settle()


async def _settle() -> None:
    # uvicorn complains of a response left unfinished unless it has heard that the connection is lost, and it
    # hears so in a later turn of the loop.
    for _ in range(3):
        await asyncio.sleep(0)


def _require(transport: asyncio.Transport | None) -> asyncio.Transport:
    if transport is None:
        raise ValueError("expected a server that gives its transport, for a fault that breaks the connection")
    return transport
