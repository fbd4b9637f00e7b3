"""Responses on their way to the socket: names spelled as COS spells them, refusals outside of any request.

Source: DESIGN §3.5; threat model C24.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, MutableMapping
from functools import lru_cache
from http import HTTPStatus
from operator import itemgetter
from typing import Any

from uvicorn._types import HTTPScope
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from cos.errors import COSError
from cos.header_names import spell_head, spell_name
from cos.headers import FieldNames, field_names
from gateway.errors import error_body, error_headers
from gateway.exchange import http_date
from gateway.identifiers import new_request_id

NO_TUNNEL = (
    "The gateway does not tunnel (CONNECT): use the http scheme with it as the proxy, or make it the endpoint; "
    "see docs/tls.md"
)
"""A tunnel would carry what cannot be judged. Most clients show their user this text and nothing else."""

_NOT_IN_NAMES = re.compile(rb'[\x00-\x20\x7f()<>@,;:\\\[\]={}"]')
_NOT_IN_VALUES = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


_name_of, _value_of = itemgetter(0), itemgetter(1)
_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"connection"})

_log = logging.getLogger("uvicorn.error")


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


class GentleTransport:
    """What the responses of a connection use of its transport; to close it ends gently."""

    __slots__ = ("close", "is_closing", "write")

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close


class ResponseCycle(RequestResponseCycle):
    """uvicorn's request and response; the response is rendered here.

    Field names are spelled as COS spells them (uvicorn writes lower case), and the fields are checked all at
    once, which takes a tenth of the time.
    """

    def __init__(
        self,
        scope: HTTPScope,
        transport: GentleTransport,
        flow: Flow,
        *,
        default_headers: list[tuple[bytes, bytes]],
        expect_100_continue: bool,
        keep_alive: bool,
        on_response: Callable[[], None],
    ) -> None:
        super().__init__(
            scope=scope,
            transport=transport,  # type: ignore[arg-type]  # all a cycle uses of one
            flow=flow,
            logger=_log,
            access_logger=_log,
            access_log=False,
            default_headers=default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=expect_100_continue,
            keep_alive=keep_alive,
            on_response=on_response,
        )
        self._head = b""

    async def send(self, message: MutableMapping[str, Any]) -> None:  # type: ignore[override]  # uvicorn names each kind
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if not self.response_started:
            self._send_head(message["status"], [*self.default_headers, *message["headers"]])
        elif not self.response_complete:
            self._send_body(message.get("body", b""), last=not message.get("more_body", False))
        else:
            raise RuntimeError("expected nothing after the end of a response")

    def _send_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.response_started = True
        if self.waiting_for_100_continue and self.more_body:
            # Whoever waits to be asked for a body does not send it now: what comes next would be read as that body.
            self.keep_alive = False
        self.waiting_for_100_continue = False
        spelled, framing = _spelled(field_names(tuple(map(_name_of, headers))))
        values = list(map(_value_of, headers))
        if _NOT_IN_VALUES.search(b"".join(values)):
            raise RuntimeError("expected header values without control characters")
        says_close = False
        for place in framing:
            name, value = headers[place]
            if name == b"content-length" and self.chunked_encoding is None:
                self.expected_content_length = int(value)
                self.chunked_encoding = False
            elif name == b"transfer-encoding" and value.lower() == b"chunked":
                self.expected_content_length = 0
                self.chunked_encoding = True
            elif name == b"connection" and b"close" in value.lower():
                self.keep_alive = False
                says_close = True
        lines = [*map(b": ".join, zip(spelled, values, strict=True))]
        if not self.keep_alive and not says_close:
            lines.append(b"Connection: close")
        if self.chunked_encoding is None and self.scope["method"] != "HEAD" and status not in (204, 304):
            self.chunked_encoding = True
            lines.append(b"Transfer-Encoding: chunked")
        self._head = b"%b%b\r\n\r\n" % (STATUS_LINE[status], b"\r\n".join(lines))
        asyncio.get_running_loop().call_soon(self._write)

    def _send_body(self, body: bytes, *, last: bool) -> None:
        if self.scope["method"] == "HEAD":
            self.expected_content_length = 0
            self._write()
        elif self.chunked_encoding:
            chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            self._write(chunk + b"0\r\n\r\n" if last else chunk)
        else:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0:
                raise RuntimeError("expected a response body of at most Content-Length")
            self._write(body)
        if last:
            if self.expected_content_length:
                raise RuntimeError("expected a response body of Content-Length")
            self.response_complete = True
            self.message_event.set()
            if not self.keep_alive:
                self.transport.close()
            self.on_response()

    def _write(self, body: bytes = b"") -> None:
        """The head leaves with the first piece of the body, or when this turn of the loop brought none."""
        head, self._head = self._head, b""
        if (head or body) and not self.transport.is_closing():
            self.transport.write(head + body if head else body)


@lru_cache(maxsize=256)
def _spelled(known: FieldNames) -> tuple[tuple[bytes, ...], tuple[int, ...]]:
    """The names as COS spells them, and the places of those that decide the framing. Raises RuntimeError."""
    if _NOT_IN_NAMES.search(b"".join(known.names)):
        raise RuntimeError("expected header names of letters, digits and '-'")
    return (
        tuple(map(spell_name, known.names)),
        tuple(place for place, name in enumerate(known.names) if name in _FRAMING),
    )


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
    phrase = HTTPStatus(error.status).phrase
    if error.status == HTTPStatus.METHOD_NOT_ALLOWED:
        # A request for a tunnel: of what refuses it, programs show the reason phrase and not the body.
        phrase = error.message
        fields.append((b"allow", b"GET, HEAD, PUT, POST, DELETE, OPTIONS"))
    head = b"HTTP/1.1 %d %s\r\n" % (error.status, phrase.encode("ascii"))
    return spell_head(head + b"".join(b"%s: %s\r\n" % field for field in fields) + b"\r\n") + body
