"""The chunked transfer coding, both ways, without I/O.

Strict on purpose: the decoder must know to the byte where a response ends, because a byte too many would
answer the next caller. Trailers are read and dropped.

Source: RFC 9112 §7.1.
"""

from __future__ import annotations

import re
from enum import Enum, auto

MAX_LINE_BYTES = 4096
"""Longest chunk-size line (extensions included) or trailer field."""
MAX_TRAILER_BYTES = 16 * 1024

LAST_CHUNK = b"0\r\n\r\n"

# Fifteen digits stay under 2**60. The extension is skipped, but may not hide a line end.
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[^\r\n\x00]*)?")


class ChunkError(ValueError):
    """The bytes are not a chunked body."""


class _Expect(Enum):
    SIZE = auto()
    DATA_END = auto()
    TRAILER = auto()


def render_chunk(data: bytes) -> bytes:
    """One chunk. `data` is not empty: an empty chunk would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class ChunkedDecoder:
    """Feed it bytes as they come; `complete` when the last chunk was seen, `excess` when more bytes followed."""

    __slots__ = ("_data_left", "_expect", "_line", "_trailer_bytes", "complete", "excess")

    def __init__(self) -> None:
        self.complete = False
        self.excess = False
        self._expect = _Expect.SIZE
        self._data_left = 0
        self._line = bytearray()
        self._trailer_bytes = 0

    def feed(self, data: bytes) -> bytes:
        """The body bytes in `data`, possibly none. Raises ChunkError."""
        found: list[bytes] = []
        position, end = 0, len(data)
        while position < end:
            if self.complete:
                self.excess = True
                break
            if self._data_left:
                piece = data[position : position + self._data_left]
                found.append(piece)
                position += len(piece)
                self._data_left -= len(piece)
                continue
            newline = data.find(b"\n", position)
            self._line += data[position : end if newline < 0 else newline + 1]
            if len(self._line) > MAX_LINE_BYTES:
                raise ChunkError(f"Expected lines of at most {MAX_LINE_BYTES} bytes between chunks.")
            if newline < 0:
                break
            position = newline + 1
            line = bytes(self._line)
            self._line.clear()
            self._take_line(line)
        return found[0] if len(found) == 1 else b"".join(found)

    def _take_line(self, line: bytes) -> None:
        if not line.endswith(b"\r\n"):
            raise ChunkError("Expected CRLF after a chunk line.")
        line = line[:-2]
        match self._expect:
            case _Expect.SIZE:
                matched = _SIZE_LINE.fullmatch(line)
                if matched is None:
                    raise ChunkError(f"Expected a chunk size, got {line[:20]!r}.")
                self._data_left = int(matched[1], 16)
                self._expect = _Expect.DATA_END if self._data_left else _Expect.TRAILER
            case _Expect.DATA_END:
                if line:
                    raise ChunkError("Expected CRLF after the data of a chunk.")
                self._expect = _Expect.SIZE
            case _Expect.TRAILER:
                self._trailer_bytes += len(line)
                if self._trailer_bytes > MAX_TRAILER_BYTES:
                    raise ChunkError(f"Expected at most {MAX_TRAILER_BYTES} bytes of trailers.")
                self.complete = not line
