"""Responses on their way to the socket: names spelled as COS spells them, refusals outside of any request.

Source: DESIGN §3.5; threat model C24.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus

from uvicorn.protocols.http.flow_control import FlowControl

from cos.errors import COSError
from cos.header_names import spell_head
from gateway.errors import error_body, error_headers
from gateway.exchange import http_date
from gateway.identifiers import new_request_id


class Flow(FlowControl):
    """uvicorn's flow control that remembers whether reading was ever paused."""

    def __init__(self, transport: asyncio.Transport, on_paused: Callable[[], None]) -> None:
        super().__init__(transport)
        self._on_paused = on_paused
        self.paused_meanwhile = False

    def pause_reading(self) -> None:
        super().pause_reading()
        self.paused_meanwhile = True
        self._on_paused()


class ResponseTransport:
    """A response's transport: spells the names of its head as COS does (uvicorn writes lower case), ends gently.

    A `100 Continue` before the head passes as it is.
    """

    __slots__ = ("_head_written", "_transport", "close")

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self._transport = transport
        self._head_written = False
        self.close = close

    def write(self, data: bytes) -> None:
        if not self._head_written and not data.startswith(b"HTTP/1.1 100 "):
            self._head_written = True
            data = spell_head(data)
        self._transport.write(data)

    def is_closing(self) -> bool:
        return self._transport.is_closing()


def render_refusal(error: COSError) -> bytes:
    """A refusal with nothing known of the request, ending the connection."""
    request_id = new_request_id()
    body = error_body(error, resource="/", request_id=request_id)
    fields = [
        (b"date", http_date()),
        *error_headers(error, request_id),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    status = HTTPStatus(error.status)
    head = b"HTTP/1.1 %d %s\r\n" % (status, status.phrase.encode())
    return spell_head(head + b"".join(b"%s: %s\r\n" % field for field in fields) + b"\r\n") + body
