"""Bodies stream: what passes through the gateway does not stay in it, however slow the other side is.

The upstream is a raw server in the same process that can send or swallow any number of bytes without holding
them, so that the process's memory is the gateway's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.app import running
from tests.support.client import Client, target
from tests.support.gateway_server import gateway_settings
from tests.support.names import CALLER_KEY, EXAMPLE

MIB = 1024**2
LARGE_BYTES = 192 * MIB
ALLOWED_GROWTH_BYTES = 48 * MIB
PIECE = bytes(256 * 1024)


class CountingUpstream:
    """Answers GET with LARGE_BYTES of zeros and swallows uploads; counts what it could hand over."""

    def __init__(self) -> None:
        self.sent_bytes = 0
        self.received_bytes = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"PUT"):
                await self._swallow(reader)
                writer.write(b'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 0\r\n\r\n')
            else:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE_BYTES)
                while self.sent_bytes < LARGE_BYTES:
                    writer.write(PIECE)
                    self.sent_bytes += len(PIECE)
                    await writer.drain()
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    async def _swallow(self, reader: asyncio.StreamReader) -> None:
        while self.received_bytes < LARGE_BYTES:
            piece = await reader.read(len(PIECE))
            if not piece:
                return
            self.received_bytes += len(piece)


@asynccontextmanager
async def gateway_before(upstream: CountingUpstream, folder: Path) -> AsyncIterator[Client]:
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with running(gateway_settings(f"http://127.0.0.1:{port}", folder)) as gateway:
        yield Client(gateway.data_port, CALLER_KEY)
    server.close()


async def opened(client: Client, method: str, length: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection on which a signed request's head has been sent."""
    headers = [("content-length", str(length))] if length else []
    raw = client.render(method, EXAMPLE.host, target("large"), headers=headers)
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port, limit=64 * 1024)
    writer.write(raw)
    return reader, writer


async def test_a_large_download_does_not_stay_in_memory(tmp_path: Path) -> None:
    async with gateway_before(CountingUpstream(), tmp_path) as client:
        reader, writer = await opened(client, "GET", 0)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        before, peak, left = resident_bytes(), 0, LARGE_BYTES
        while left:
            left -= len(await reader.read(MIB))
            peak = max(peak, resident_bytes())
        writer.close()
    assert peak - before < ALLOWED_GROWTH_BYTES


async def test_a_large_upload_does_not_stay_in_memory(tmp_path: Path) -> None:
    upstream = CountingUpstream()
    async with gateway_before(upstream, tmp_path) as client:
        reader, writer = await opened(client, "PUT", LARGE_BYTES)
        before, peak = resident_bytes(), 0
        for _ in range(LARGE_BYTES // len(PIECE)):
            writer.write(PIECE)
            await writer.drain()
            peak = max(peak, resident_bytes())
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        writer.close()
    assert upstream.received_bytes == LARGE_BYTES
    assert peak - before < ALLOWED_GROWTH_BYTES


async def test_a_client_that_does_not_read_stops_the_upstream(tmp_path: Path) -> None:
    upstream = CountingUpstream()
    async with gateway_before(upstream, tmp_path) as client:
        reader, writer = await opened(client, "GET", 0)
        await reader.readuntil(b"\r\n\r\n")
        await settled(lambda: upstream.sent_bytes)
        # Socket buffers of four ends hold some megabytes; the rest must still be with the upstream.
        assert upstream.sent_bytes < LARGE_BYTES // 3
        writer.close()


def resident_bytes() -> int:
    """Memory this process holds now."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * 4096


async def settled(read: Callable[[], int]) -> None:
    """Wait until a number has not changed for a third of a second (10 seconds at most)."""
    last = -1
    for _ in range(30):
        now = read()
        if now == last:
            return
        last = now
        await asyncio.sleep(0.33)
    raise AssertionError("it never stopped growing")
