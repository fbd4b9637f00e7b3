"""A server on a loopback port for the services beside COS: one request per connection, answered by a function."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as received; header names are lower-case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Told:
    """An answer. `date` None sends no Date field."""

    body: bytes
    status: int = 200
    date: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class SmallServer:
    """`answer` may be exchanged while it runs; `asked` are the requests so far."""

    port: int
    answer: Callable[[Asked], Told]
    asked: list[Asked] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def small_server(answer: Callable[[Asked], Told]) -> AsyncIterator[SmallServer]:
    """Serve until the block ends."""
    running = SmallServer(0, answer)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, target, _ = head[0].split(" ")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            asked = Asked(method, target, headers, body)
            running.asked.append(asked)
            told = running.answer(asked)
            fields = {"content-length": str(len(told.body)), "connection": "close", **told.headers}
            if told.date is not None:
                fields["date"] = formatdate(told.date, usegmt=True)
            lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
            status = HTTPStatus(told.status)
            writer.write(f"HTTP/1.1 {status.value} {status.phrase}\r\n{lines}\r\n".encode("latin-1") + told.body)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    running.port = server.sockets[0].getsockname()[1]
    async with server:
        yield running
