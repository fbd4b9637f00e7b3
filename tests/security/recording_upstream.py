"""An upstream that answers plausibly for every bucket and keeps every request's bytes.

It is the proof of what the gateway sent, and of what it did not send.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.security.attack_signing import Pair, Signable, split_query

SOURCE_BYTES = 16 * 1024 * 1024 * 1024
"""What a HEAD says any object's size is."""
XML = b'<?xml version="1.0" encoding="UTF-8"?>'


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request as it arrived. Header names are lower-case. `complete` is False when its body was cut short."""

    head: bytes
    method: str
    target: bytes
    headers: list[Pair]
    body: bytes
    complete: bool

    @property
    def raw_path(self) -> bytes:
        return self.target.partition(b"?")[0]

    @property
    def query(self) -> list[Pair]:
        return split_query(self.target.partition(b"?")[2])

    def header(self, name: bytes) -> bytes | None:
        return dict(self.headers).get(name)

    def signable(self) -> Signable:
        return Signable(self.method, self.raw_path, self.query, self.headers)


@dataclass(slots=True)
class RecordingUpstream:
    port: int = 0
    requests: list[Recorded] = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                request = await self._read(head, reader)
                self.requests.append(request)
                if not request.complete:
                    return
                writer.write(_answer(request))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _read(self, head: bytes, reader: asyncio.StreamReader) -> Recorded:
        line, *lines = head[:-4].split(b"\r\n")
        method, target, _ = line.split(b" ")
        headers = [(name.lower(), value.strip()) for name, _, value in (field.partition(b":") for field in lines)]
        body, complete = b"", True
        try:
            fields = dict(headers)
            if fields.get(b"transfer-encoding") == b"chunked":
                while size := int(await reader.readuntil(b"\r\n"), 16):
                    body += await reader.readexactly(size)
                    await reader.readexactly(2)
                await reader.readexactly(2)
            else:
                body = await reader.readexactly(int(fields.get(b"content-length", b"0")))
        except asyncio.IncompleteReadError as cut:
            body, complete = body + cut.partial, False
        return Recorded(head, method.decode(), target, headers, body, complete)


@asynccontextmanager
async def recording_upstream() -> AsyncIterator[RecordingUpstream]:
    """A recorder on a free loopback port."""
    upstream = RecordingUpstream()
    connections: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(upstream.serve(reader, writer))
        connections.add(task)
        task.add_done_callback(connections.discard)

    listener = await asyncio.start_server(accept, "127.0.0.1", 0, backlog=2048)
    upstream.port = listener.sockets[0].getsockname()[1]
    try:
        yield upstream
    finally:
        listener.close()
        for task in tuple(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


def _answer(request: Recorded) -> bytes:
    etag = b'"%s"' % hashlib.md5(request.body).hexdigest().encode()
    names = {name for name, _ in request.query}
    copies = request.header(b"x-cos-copy-source") or request.header(b"x-amz-copy-source")
    fields, body = [(b"ETag", etag)], b""
    match request.method:
        case "HEAD":
            fields += [(b"Content-Length", b"%d" % SOURCE_BYTES)]
            return _rendered(200, fields)
        case "DELETE":
            return _rendered(204, [])
        case "PUT" if copies:
            root = b"CopyPartResult" if b"partNumber" in names else b"CopyObjectResult"
            body = b"%s<%s><ETag>%s</ETag><LastModified>2026-01-01T00:00:00Z</LastModified></%s>" % (
                XML, root, etag, root,
            )  # fmt: skip
        case "POST" if b"uploads" in names:
            body = XML + b"<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>"
        case "POST" if b"uploadId" in names:
            body = XML + b"<CompleteMultipartUploadResult><ETag>%s</ETag></CompleteMultipartUploadResult>" % etag
        case "POST" if b"delete" in names:
            body = XML + b"<DeleteResult></DeleteResult>"
        case "GET":
            body = b"recorded: " + request.target
    return _rendered(200, [*fields, (b"Content-Length", b"%d" % len(body))], body)


def _rendered(status: int, fields: list[Pair], body: bytes = b"") -> bytes:
    fields = [*fields, (b"x-cos-request-id", b"NjBhMTIzNDU2Nzg5")]
    return b"HTTP/1.1 %d OK\r\n%s\r\n%s" % (status, b"".join(b"%s: %s\r\n" % pair for pair in fields), body)
