"""An ASGI application behind the data port's server: what it is told, and what becomes of its messages."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from gateway.server.asgi import handler_for
from gateway.server.deadlines import Deadlines
from tests.gateway.server.test_server import ask, serving
from tests.support.waiting import PATIENCE_SECONDS

PATIENT = Deadlines(60, 60, 60)


class Recorder:
    """An application that notes what it is told and answers with the messages it was made with."""

    def __init__(self, *messages: Message) -> None:
        self._messages = messages
        self.scope: dict[str, Any] = {}
        self.received: list[Message] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = dict(scope)
        while not self.received or self.received[-1].get("more_body"):
            self.received.append(await receive())
        for message in self._messages:
            await send(message)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.received)


START: Message = {"type": "http.response.start", "status": 201, "headers": [(b"x-a", b"1")]}


def piece(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


async def asked(app: Recorder, raw: bytes) -> bytes:
    async with serving(handler_for(app, scheme="https"), PATIENT) as port:
        return await ask(port, raw)


@pytest.mark.parametrize(
    ("target", "path", "raw_path", "query"),
    [
        (b"/a%20b/%C3%A4?x=%20&y", "/a b/ä", b"/a%20b/%C3%A4", b"x=%20&y"),
        (b"/", "/", b"/", b""),
        (b"http://h/a?b", "/a", b"/a", b"b"),
        (b"http://h", "/", b"/", b""),
    ],
)
async def test_the_target_is_told_as_asgi_tells_it(target: bytes, path: str, raw_path: bytes, query: bytes) -> None:
    app = Recorder(START, piece(b""))
    await asked(app, b"POST %b HTTP/1.1\r\nHost: h\r\nX-Y: z\r\nConnection: close\r\n\r\n" % target)
    told = {name: app.scope[name] for name in ("type", "method", "path", "raw_path", "query_string", "scheme")}
    assert told == {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": raw_path,
        "query_string": query,
        "scheme": "https",
    }
    assert app.scope["headers"][:2] == [(b"host", b"h"), (b"x-y", b"z")]
    assert app.scope["client"][0] == "127.0.0.1"


async def test_a_body_arrives_whole() -> None:
    app = Recorder(START, piece(b""))
    body = b"x" * 300_000
    await asked(app, b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 300000\r\n\r\n" + body)
    assert app.body == body


@pytest.mark.parametrize(
    ("messages", "body"),
    [
        ([START, piece(b"ok")], b"2\r\nok\r\n0\r\n\r\n"),
        ([START, piece(b"o", more=True), piece(b"k")], b"1\r\no\r\n1\r\nk\r\n0\r\n\r\n"),
        ([START, piece(b"ok", more=True), piece(b"")], b"2\r\nok\r\n0\r\n\r\n"),
        ([{**START, "headers": [(b"content-length", b"2")]}, piece(b"ok")], b"ok"),
    ],
    ids=["whole", "two pieces", "an empty end", "with its length"],
)
async def test_an_answer_is_sent_as_it_comes(messages: list[Message], body: bytes) -> None:
    answer = await asked(Recorder(*messages), b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    head, _, got = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 201 Created\r\nDate: ")
    assert got == body


async def test_a_client_that_leaves_in_its_body_is_a_disconnect_or_a_cancellation() -> None:
    ended = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            ended.set()

    async with serving(handler_for(app, scheme="http"), PATIENT) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx")
        await asyncio.sleep(0.05)
        writer.close()
        await asyncio.wait_for(ended.wait(), PATIENCE_SECONDS)
