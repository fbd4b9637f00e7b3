"""An upstream that can fail in every way there is, one mode at a time, on real sockets.

A mode is what is sent in answer to a request, byte for byte, and how the connection ends. What the modes do to
which operation is told in `test_fault_matrix.py`.
"""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum, auto

OK = b"HTTP/1.1 200 OK\r\nx-cos-request-id: dXBzdHJlYW0=\r\n"
XML = b'<?xml version="1.0" encoding="UTF-8"?>'
COPIED = XML + b'<CopyPartResult><ETag>"0cc175b9c0f1b6a831c399e269772661"</ETag></CopyPartResult>'
GOOD = b"good content"
POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
BOMB = gzip.compress(b"\x00" * 64 * 1024 * 1024)
HUGE_ERROR_BYTES = 16 * 1024 * 1024


def error(code: bytes) -> bytes:
    return XML + b"<Error><Code>%s</Code><Message>m</Message><Resource>r</Resource></Error>" % code


def sized(body: bytes, *, status: bytes = b"200 OK", extra: bytes = b"") -> bytes:
    return b"HTTP/1.1 %s\r\nx-cos-request-id: dXBz\r\n%sContent-Length: %d\r\n\r\n%s" % (status, extra, len(body), body)


def chunked(body: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return OK + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n%s" % (len(body), body, end)


class Ending(Enum):
    """What happens after the bytes of a mode were sent."""

    CLOSE = auto()
    RESET = auto()
    STALL = auto()
    KEEP = auto()
    DRIP = auto()


@dataclass(frozen=True, slots=True)
class Mode:
    """`reads` says how much of the request is read first: nothing, its head, or all of it."""

    answer: bytes = b""
    ending: Ending = Ending.CLOSE
    reads: str = "all"


MODES = {
    "reset-on-accept": Mode(b"", Ending.RESET, "nothing"),
    "close-on-accept": Mode(b"", Ending.CLOSE, "nothing"),
    "reset-after-head": Mode(b"", Ending.RESET, "head"),
    "close-after-head": Mode(b"", Ending.CLOSE, "head"),
    "reset-after-request": Mode(b"", Ending.RESET),
    "close-after-request": Mode(b"", Ending.CLOSE),
    "close-mid-status": Mode(b"HTTP/1.1 20", Ending.CLOSE),
    "close-mid-headers": Mode(OK + b"Content-Le", Ending.CLOSE),
    "reset-mid-headers": Mode(OK + b"Content-Le", Ending.RESET),
    "garbage-status": Mode(b"HTTP/1.1 abc Odd\r\n\r\n", Ending.KEEP),
    "not-http": Mode(b"220 mail.example ESMTP\r\n", Ending.KEEP),
    "http-2": Mode(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + b"\x00" * 18, Ending.KEEP),
    "status-999": Mode(b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n", Ending.KEEP),
    "header-1-mib": Mode(OK + b"X: " + b"a" * 1_048_576 + b"\r\n\r\n", Ending.KEEP),
    "endless-headers": Mode(OK + b"X: y\r\n" * 100_000, Ending.STALL),
    "bad-header-name": Mode(OK + b"X Y: z\r\nContent-Length: 0\r\n\r\n", Ending.KEEP),
    "folded-header": Mode(OK + b"X: y\r\n z\r\nContent-Length: 0\r\n\r\n", Ending.KEEP),
    "bare-line-feeds": Mode(b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", Ending.KEEP),
    "switch-protocols": Mode(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", Ending.KEEP),
    "endless-interim": Mode(b"HTTP/1.1 102 Processing\r\n\r\n", Ending.DRIP),
    "length-truncated": Mode(OK + b"Content-Length: 500\r\n\r\n" + GOOD, Ending.CLOSE),
    "length-reset": Mode(OK + b"Content-Length: 500\r\n\r\n" + GOOD, Ending.RESET),
    "chunks-without-end": Mode(chunked(COPIED, b""), Ending.CLOSE),
    "chunk-cut": Mode(OK + b"Transfer-Encoding: chunked\r\n\r\n50\r\nabc", Ending.CLOSE),
    "chunk-size-bad": Mode(OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n", Ending.KEEP),
    "length-and-chunks": Mode(
        OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", Ending.KEEP
    ),
    "two-lengths": Mode(OK + b"Content-Length: 3\r\nContent-Length: 9\r\n\r\nabcdefghi", Ending.KEEP),
    "length-negative": Mode(OK + b"Content-Length: -1\r\n\r\n", Ending.KEEP),
    "coding-gzip": Mode(OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", Ending.KEEP),
    "extra-bytes": Mode(sized(COPIED) + b"extra", Ending.KEEP),
    "extra-response": Mode(sized(COPIED) + POISON, Ending.KEEP),
    "stall-before-head": Mode(b"", Ending.STALL),
    "stall-mid-head": Mode(OK + b"Content", Ending.STALL),
    "stall-mid-body": Mode(OK + b"Content-Length: 500\r\n\r\nabc", Ending.STALL),
    "drip-head": Mode(OK + b"X: ", Ending.DRIP),
    "503-slow-down": Mode(sized(error(b"SlowDown"), status=b"503 Slow Down"), Ending.KEEP),
    "429": Mode(sized(error(b"TooManyRequests"), status=b"429 Too Many"), Ending.KEEP),
    "500-xml": Mode(sized(error(b"InternalError"), status=b"500 Error"), Ending.KEEP),
    "500-html": Mode(sized(b"<html>oops</html>", status=b"500 Error"), Ending.KEEP),
    "403-our-signature": Mode(sized(error(b"SignatureDoesNotMatch"), status=b"403 Forbidden"), Ending.KEEP),
    "302": Mode(sized(b"", status=b"302 Found", extra=b"Location: http://evil.test/\r\n"), Ending.KEEP),
    "200-error": Mode(sized(error(b"InternalError")), Ending.KEEP),
    "200-error-after-space": Mode(chunked(b"  \n  " + error(b"InternalError")), Ending.KEEP),
    "200-empty": Mode(sized(b""), Ending.KEEP),
    "200-html": Mode(sized(b"<html></html>"), Ending.KEEP),
    "200-broken-xml": Mode(sized(COPIED[:-5]), Ending.KEEP),
    "early-403": Mode(sized(error(b"AccessDenied"), status=b"403 Forbidden"), Ending.CLOSE, "head"),
    "early-503-reset": Mode(sized(error(b"SlowDown"), status=b"503 Slow Down"), Ending.RESET, "head"),
    "gzip-bomb": Mode(sized(BOMB, extra=b"Content-Encoding: gzip\r\n"), Ending.KEEP),
    "error-16-mib": Mode(sized(b"<Error>" + b"x" * HUGE_ERROR_BYTES, status=b"500 Error"), Ending.KEEP),
}  # fmt: skip


@dataclass(slots=True)
class FaultyUpstream:
    """`mode` None: everything is fine. `attempts` counts the requests that arrived, `opened` the connections."""

    port: int = 0
    mode: Mode | None = None
    attempts: int = 0
    opened: int = 0
    open_now: int = 0
    uploads_completed: int = 0

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        self.open_now += 1
        try:
            if self.mode is not None and self.mode.reads == "nothing":
                self.attempts += 1
                await self._end(self.mode, reader, writer)
                return
            while await self._one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open_now -= 1
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        self.attempts += 1
        mode = self.mode
        if mode is None or mode.reads == "all":
            await _read_body(head, reader)
            self.uploads_completed += head.startswith(b"PUT /up/upload")
        if mode is None:
            writer.write(_good(head))
            await writer.drain()
            return True
        writer.write(mode.answer)
        await writer.drain()
        return await self._end(mode, reader, writer)

    async def _end(self, mode: Mode, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        match mode.ending:
            case Ending.KEEP:
                return True
            case Ending.STALL:
                while await reader.read(65_536):
                    pass
            case Ending.DRIP:
                while not reader.at_eof():
                    writer.write(mode.answer if mode.answer.startswith(b"HTTP/1.1 102") else b"x")
                    await writer.drain()
                    await asyncio.sleep(0.02)
            case Ending.RESET:
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.transport.abort()
            case Ending.CLOSE:
                pass
        return False


async def _read_body(head: bytes, reader: asyncio.StreamReader) -> None:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            await reader.readexactly(int(line.partition(b":")[2]))


def _good(head: bytes) -> bytes:
    if b"x-cos-copy-source:" in head:
        return sized(COPIED)
    return sized(GOOD) if head.startswith(b"GET") else sized(b"", extra=b'ETag: "e"\r\n')


@asynccontextmanager
async def faulty_upstream(tls: ssl.SSLContext | None = None) -> AsyncIterator[FaultyUpstream]:
    """One on a free loopback port."""
    upstream = FaultyUpstream()
    connections: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(upstream.play(reader, writer))
        connections.add(task)
        task.add_done_callback(connections.discard)

    listener = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    upstream.port = listener.sockets[0].getsockname()[1]
    try:
        yield upstream
    finally:
        listener.close()
        for task in tuple(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
