"""One response, from the bytes of a connection: its head, its body, and exactly where it ends. No I/O.

Interim responses (1xx) are skipped. Bytes after the end are never kept: they are only noticed.

Source: RFC 9112 §6.3; RFC 9110 §15.2; threat model C11.
"""

from __future__ import annotations

from msgspec import Struct

from gateway.upstreams.chunked import ChunkedDecoder, ChunkError
from gateway.upstreams.framing import HeadError
from gateway.upstreams.heads import HEAD_END, MAX_HEAD_BYTES, STATUS_LINE_START, ResponseHead, take_head

_END_BYTES = len(HEAD_END)


class ResponseError(ValueError):
    """The bytes are not a well-formed response, or it was cut short."""


class ResponseReader(Struct, eq=False):
    """Feed it bytes as they come. `head` is set when the final head is here, `complete` when the body ended."""

    method: bytes
    head: ResponseHead | None = None
    started: bool = False
    complete: bool = False
    excess: bool = False
    """More bytes came than belong to the response."""
    whole_body: bytes | None = None
    """The body, when all of it came with the end of the head; it is not told by `feed` as well."""
    _partial_head: bytearray | None = None
    """What came of a head that is not whole yet."""
    _decoder: ChunkedDecoder | None = None
    _body_left: int | None = None

    def feed(self, data: bytes) -> bytes:
        """The body bytes in `data`, possibly none, unless they are the whole body. Raises ResponseError."""
        if self.head is None:
            data = self._feed_head(data)
        if not data:
            return b""
        if self.complete:
            self.excess = True
            return b""
        left = self._body_left
        if left is None:
            return data if self._decoder is None else self._feed_chunks(self._decoder, data)
        if len(data) < left:
            self._body_left = left - len(data)
            return data
        self.complete = True
        if len(data) == left:
            return data
        self.excess = True
        return data[:left]

    def end(self) -> None:
        """The peer closed. Raises ResponseError unless that is where the response ends."""
        if self.complete:
            return
        if self.head is None:
            raise ResponseError("Expected a response, got the end of the connection.")
        if self._decoder is not None or self._body_left is not None:
            raise ResponseError("Expected the rest of the response body, got the end of the connection.")
        self.complete = True

    def _feed_head(self, data: bytes) -> bytes:
        """Find the final head; returns what follows it, nothing as long as it is not here."""
        while data:
            self.started = True
            if self._partial_head is not None:
                data = self._join_head(self._partial_head, data)
                if not data:
                    return b""
            try:
                taken = take_head(data, self.method)
            except HeadError as exc:
                raise ResponseError(str(exc)) from exc
            if taken is None:
                self._partial_head = bytearray(data)
                _check_partial_head(self._partial_head)
                return b""
            head, data = taken
            if head.status >= 200:
                self.head = head
                self._body_left = length = head.content_length
                if length == len(data):
                    self.complete = True
                    self.whole_body = data
                    return b""
                if length == 0:
                    self.complete = True
                elif length is None and head.chunked:
                    self._decoder = ChunkedDecoder()
                return data
            if head.status == 101:
                raise ResponseError("Expected no switch of protocols.")
        return b""

    def _join_head(self, partial: bytearray, data: bytes) -> bytes:
        """What came until now when it holds a whole head, nothing otherwise."""
        searched = max(0, len(partial) - _END_BYTES + 1)
        partial += data
        if partial.find(HEAD_END, searched) < 0:
            _check_partial_head(partial)
            return b""
        self._partial_head = None
        return bytes(partial)

    def _feed_chunks(self, decoder: ChunkedDecoder, data: bytes) -> bytes:
        try:
            found = decoder.feed(data)
        except ChunkError as exc:
            raise ResponseError(str(exc)) from exc
        self.complete = decoder.complete
        self.excess = decoder.excess
        return found


def _check_partial_head(raw: bytearray) -> None:
    """Refuse early what can no longer become a head, instead of waiting for a deadline. Raises ResponseError."""
    if len(raw) > MAX_HEAD_BYTES:
        raise ResponseError(f"Expected a response head of at most {MAX_HEAD_BYTES} bytes.")
    if not STATUS_LINE_START.startswith(raw[: len(STATUS_LINE_START)]):
        raise ResponseError("Expected an HTTP/1.x status line.")
    if b"\n\n" in raw:
        raise ResponseError("Expected lines that end with CRLF.")
