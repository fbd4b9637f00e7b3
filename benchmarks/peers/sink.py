"""A COS that takes its time: swallows request bodies, answers part copies after 5 to 25 seconds.

    python3 -m benchmarks.peers.sink PORT

A part copy is answered after 5 s + (part number mod 2001) × 10 ms, told in `x-cos-meta-delay` (milliseconds);
everything else when its body has come.
"""

from __future__ import annotations

import asyncio
import re
import sys
from typing import cast

import uvloop

from benchmarks.copies import RESULT

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_PART = re.compile(rb"partNumber=([0-9]+)")


class Sink(asyncio.Protocol):
    """One connection, one request at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._head = bytearray()
        self._left: int | None = None
        self._delay = 0

    def data_received(self, data: bytes) -> None:
        if self._left is None:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._head[:end])
            length, part = _LENGTH.search(head), _PART.search(head)
            copies = b"copy-source:" in head
            self._delay = 5000 + int(part[1]) % 2001 * 10 if part is not None and copies else 0
            self._left = (int(length[1]) if length is not None else 0) - (len(self._head) - end - 4)
            self._head.clear()
        else:
            self._left -= len(data)
        if self._left <= 0:
            self._left = None
            if self._delay:
                asyncio.get_running_loop().call_later(self._delay / 1000, self._answer, self._delay)
            else:
                self._answer(0)

    def _answer(self, delay: int) -> None:
        body = RESULT.encode() if delay else b""
        head = f'HTTP/1.1 200 OK\r\nETag: "0"\r\nContent-Length: {len(body)}\r\nx-cos-meta-delay: {delay}\r\n\r\n'
        self._transport.write(head.encode() + body)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", int(sys.argv[1]), backlog=8192)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
