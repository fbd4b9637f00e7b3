"""A raw HTTP/1.1 client: the caller's bytes go out as they are, the answer comes back as it is.

No library sits in between that would normalise a target, fold a header or retry. One connection per
exchange. Framing of the answer follows RFC 9112 §6.3.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

EXCHANGE_TIMEOUT_SECONDS = 30.0
MAX_HEAD_BYTES = 256 * 1024


class MalformedAnswer(Exception):
    """The peer closed early or sent something that is not an HTTP/1.1 response."""


@dataclass(frozen=True, slots=True)
class Response:
    """One answer. `headers` keep order and repeats, names lower-case, values decoded as latin-1.

    `spelled_names` are the field names as they were on the wire.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    spelled_names: frozenset[str] = frozenset()

    def header(self, name: str) -> str | None:
        """The only value of a field, None when absent. Raises AssertionError when it is repeated."""
        values = [value for key, value in self.headers if key == name.lower()]
        assert len(values) <= 1, f"{name} is repeated: {values}"
        return values[0] if values else None

    def xml(self) -> ElementTree.Element:
        """The body as an XML document, name spaces removed from every tag."""
        root = ElementTree.fromstring(self.body)
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
        return root

    def text(self, path: str) -> str:
        """Text of one element of the XML body, `""` when it is empty. Raises AssertionError when absent."""
        element = self.xml().find(path)
        assert element is not None, f"no <{path}> in {self.body[:400]!r}"
        return element.text or ""


def render_request(
    method: str, target: str | bytes, headers: Iterable[tuple[str | bytes, str | bytes]], body: bytes = b""
) -> bytes:
    """The bytes of one request; nothing is added, not even Content-Length."""
    lines = [b"%s %s HTTP/1.1" % (method.encode("ascii"), _raw(target))]
    lines += [b"%s: %s" % (_raw(name), _raw(value)) for name, value in headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


async def exchange(
    port: int, raw: bytes, *, pieces: Sequence[bytes] = (), head: bool = False, tls: ssl.SSLContext | None = None
) -> Response:
    """Send bytes to 127.0.0.1 on a fresh connection, over TLS to localhost if wanted, and read one final response.

    `pieces` are written after `raw`, one write each. `head` says that the request was a HEAD. Informational
    responses (1xx) are skipped. Raises MalformedAnswer; asyncio's errors when the connection fails.
    """
    async with asyncio.timeout(EXCHANGE_TIMEOUT_SECONDS):
        name = "localhost" if tls is not None else None
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, limit=MAX_HEAD_BYTES, ssl=tls, server_hostname=name
        )
        try:
            await _write(writer, (raw, *pieces))
            return await _read_response(reader, head=head)
        finally:
            if tls is not None:
                # A goodbye would be waited for, and the loop may end now.
                writer.transport.abort()
            writer.close()


async def _write(writer: asyncio.StreamWriter, pieces: Iterable[bytes]) -> None:
    # A server may answer and close before it has read everything; its answer is what matters.
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
    except ConnectionError:
        pass


async def _read_response(reader: asyncio.StreamReader, *, head: bool) -> Response:
    while True:
        status, headers = await _read_head(reader)
        if status >= 200:
            break
    lowered = tuple((name.lower(), value) for name, value in headers)
    body = await _read_body(reader, status, dict(lowered), head=head)
    return Response(status, lowered, body, frozenset(name for name, _ in headers))


async def _read_head(reader: asyncio.StreamReader) -> tuple[int, tuple[tuple[str, str], ...]]:
    try:
        block = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as exc:
        raise MalformedAnswer(f"closed after {exc.partial[:200]!r}") from exc
    status_line, *lines = block[:-4].decode("latin-1").split("\r\n")
    version, _, rest = status_line.partition(" ")
    if version != "HTTP/1.1" or not rest[:3].isdigit():
        raise MalformedAnswer(f"status line {status_line!r}")
    headers = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise MalformedAnswer(f"header line {line!r}")
        headers.append((name, value.strip(" \t")))
    return int(rest[:3]), tuple(headers)


async def _read_body(reader: asyncio.StreamReader, status: int, headers: dict[str, str], *, head: bool) -> bytes:
    if head or status in (204, 304):
        return b""
    try:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return await _read_chunks(reader)
        if "content-length" in headers:
            return await reader.readexactly(int(headers["content-length"]))
        return await reader.read()
    except asyncio.IncompleteReadError as exc:
        raise MalformedAnswer(f"the body ended after {len(exc.partial)} bytes") from exc


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while True:
        size = int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16)
        if size == 0:
            while await reader.readuntil(b"\r\n") != b"\r\n":
                pass
            return bytes(body)
        body += await reader.readexactly(size)
        if await reader.readexactly(2) != b"\r\n":
            raise MalformedAnswer("a chunk does not end with CRLF")


def _raw(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8")
