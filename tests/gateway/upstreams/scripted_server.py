"""A server that plays a script: exactly the bytes a test writes, on a real socket."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from cos.rewrite import UpstreamRequest
from gateway.upstreams import HttpUpstream, PoolLimits, Timeouts, TransportKind, UpstreamSettings
from tests.support.waiting import PATIENCE_SECONDS

HOST = "examplebucket-1250000000.cos.ap-guangzhou.myqcloud.com"
LONG_SECONDS = 2 * PATIENCE_SECONDS
PATIENT = Timeouts(
    pool_seconds=LONG_SECONDS,
    connect_seconds=LONG_SECONDS,
    write_seconds=LONG_SECONDS,
    response_seconds=LONG_SECONDS,
    read_seconds=LONG_SECONDS,
)
"""Beyond what a test waits: whatever ends in time ended for another reason."""
SHORT_SECONDS = 0.1
SHORT = replace(PATIENT, write_seconds=SHORT_SECONDS, response_seconds=SHORT_SECONDS, read_seconds=SHORT_SECONDS)
"""For what a test waits to expire: once a connection is there."""


class Peer:
    """One accepted connection, seen from the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heads: list[bytes]) -> None:
        self.reader = reader
        self.writer = writer
        self._heads = heads
        self.request_count = 0

    async def read_head(self) -> bytes:
        """The next request head; raises asyncio.IncompleteReadError when the client closed."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        self._heads.append(head)
        self.request_count += 1
        return head

    async def read_exactly(self, size: int) -> bytes:
        return await self.reader.readexactly(size)

    async def send(self, data: bytes) -> None:
        if self.writer.is_closing() or self.reader.at_eof():
            # uvloop answers a write to a lost connection with RuntimeError, asyncio with nothing at all.
            raise ConnectionResetError("The client left.")
        self.writer.write(data)
        await self.writer.drain()

    async def wait_closed_by_client(self) -> None:
        """Return when the client ended or reset the connection; fail when it does neither."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            try:
                while await self.reader.read(65536):
                    pass
            except ConnectionError:
                pass

    def reset(self) -> None:
        """End the connection with RST instead of FIN."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Peer], Awaitable[None]]


@dataclass
class Server:
    port: int
    heads: list[bytes] = field(default_factory=list)
    connections: int = 0
    open_connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def serve(script: Script, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Run `script` once for every accepted connection; what it raises fails the test at the end."""
    server = Server(port=0)
    tasks: set[asyncio.Task[None]] = set()
    failures: list[BaseException] = []

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        server.open_connections += 1
        try:
            await script(Peer(reader, writer, server.heads))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client left, as clients do
        except (AssertionError, ValueError, TypeError, TimeoutError) as exc:
            failures.append(exc)
        finally:
            server.open_connections -= 1
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(play(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listener = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.01)
    assert not failures, failures


@asynccontextmanager
async def open_upstream(
    kind: TransportKind,
    url: str | None,
    *,
    timeouts: Timeouts = PATIENT,
    limits: PoolLimits | None = None,
    **settings: object,
) -> AsyncIterator[HttpUpstream]:
    upstream = HttpUpstream(
        UpstreamSettings(endpoint=url, transport=kind, timeouts=timeouts, limits=limits or PoolLimits(), **settings)
    )
    try:
        yield upstream
    finally:
        await upstream.aclose()


def build_request(
    method: str = "GET",
    target: bytes = b"/key",
    headers: tuple[tuple[bytes, bytes], ...] = (),
    host: str = HOST,
) -> UpstreamRequest:
    return UpstreamRequest.of(method=method, host=host, path=target, query=(), target=target, headers=headers)


async def fetch(
    upstream: HttpUpstream, request: UpstreamRequest | None = None, body: AsyncIterator[bytes] | bytes = b""
) -> tuple[int, bytes]:
    """Status and whole body of one exchange."""
    response = await upstream.send(request or build_request(), body)
    try:
        return response.status, b"".join([piece async for piece in response.stream()])
    finally:
        await response.aclose()


def build_answer(body: bytes = b"fine", *, status: bytes = b"200 OK", extra: bytes = b"") -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n%b\r\n%b" % (status, len(body), extra, body)


def answering(*answers: bytes) -> Script:
    """A script that gives these answers, one to each request on the same connection, then closes."""

    async def script(peer: Peer) -> None:
        for answer in answers:
            await peer.read_head()
            await peer.send(answer)

    return script


def answering_always(answer: bytes) -> Script:
    """A script that gives the same answer to each request of a connection, for ever."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.read_head()
            await peer.send(answer)

    return script


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
