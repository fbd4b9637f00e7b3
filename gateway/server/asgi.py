"""An ASGI application on the data port's server: for a port whose requests are not bodies of gigabytes.

Source: the ASGI specification, "HTTP & WebSocket ASGI Message Format".
"""

from __future__ import annotations

from urllib.parse import unquote

import httptools
from starlette.types import ASGIApp, Message, Scope

from gateway.exchange import ClientGone, Exchange, Handler


def handler_for(app: ASGIApp, *, scheme: str) -> Handler:
    """What makes an application answer exchanges. `scheme`: http or https, as the port is reached."""

    async def handle(exchange: Exchange) -> None:
        body = exchange.body()
        head: Message = {}

        async def receive() -> Message:
            try:
                return {"type": "http.request", "body": await anext(body), "more_body": True}
            except StopAsyncIteration:
                return {"type": "http.request", "body": b"", "more_body": False}
            except ClientGone:
                return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                head.update(message)
                return
            piece, more = message.get("body", b""), message.get("more_body", False)
            if exchange.status is not None:
                await (exchange.write(piece) if more else exchange.finish(piece))
            elif more:
                await exchange.start(head["status"], head["headers"])
                await exchange.write(piece)
            else:
                await exchange.answer(head["status"], head["headers"], piece)

        await app(_scope_of(exchange, scheme), receive, send)

    return handle


def _scope_of(exchange: Exchange, scheme: str) -> Scope:
    """ASGI's keys, and one of our own: `certificate`."""
    target = exchange.raw_target
    if target.startswith(b"/"):
        raw_path, _, query = target.partition(b"?")
    else:
        url = httptools.parse_url(target)
        raw_path, query = url.path or b"/", url.query or b""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": scheme,
        "method": exchange.method,
        "root_path": "",
        "path": unquote(raw_path.decode("latin-1")),
        "raw_path": raw_path,
        "query_string": query,
        "headers": list(exchange.headers),
        "client": (exchange.client_address, 0),
        "server": None,
        "certificate": exchange.certificate,
    }
