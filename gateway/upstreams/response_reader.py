"""One response, from the bytes of a connection: its head, its body, and exactly where it ends. No I/O.

Interim responses (1xx) are skipped. Bytes after the end are never kept: they are only noticed.

Source: RFC 9112 §6.3; RFC 9110 §15.2; threat model C11.
"""

from __future__ import annotations

from gateway.upstreams.chunked import ChunkedDecoder, ChunkError
from gateway.upstreams.heads import HEAD_END, MAX_HEAD_BYTES, STATUS_LINE_START, HeadError, ResponseHead, parse_head


class ResponseError(ValueError):
    """The bytes are not a well-formed response, or it was cut short."""


class ResponseReader:
    """Feed it bytes as they come. `head` is set when the final head is here, `complete` when the body ended."""

    __slots__ = ("_body_left", "_decoder", "_method", "_raw_head", "complete", "excess", "head", "started")

    def __init__(self, method: bytes) -> None:
        self._method = method
        self._raw_head = bytearray()
        self._decoder: ChunkedDecoder | None = None
        self._body_left: int | None = None
        self.head: ResponseHead | None = None
        self.started = False
        self.complete = False
        self.excess = False
        """More bytes came than belong to the response."""

    def feed(self, data: bytes) -> bytes:
        """The body bytes in `data`, possibly none. Raises ResponseError."""
        if not data:
            return b""
        self.started = True
        if self.head is None:
            data = self._feed_head(data)
            if not data:
                return b""
        if self.complete:
            self.excess = True
            return b""
        if self._decoder is not None:
            return self._feed_chunks(self._decoder, data)
        if self._body_left is None:
            return data
        if len(data) > self._body_left:
            self.excess = True
            data = data[: self._body_left]
        self._body_left -= len(data)
        self.complete = not self._body_left
        return data

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
        """Collect head bytes; returns what follows the final head, nothing as long as it is not here."""
        raw = self._raw_head
        while True:
            searched = max(0, len(raw) - len(HEAD_END) + 1)
            raw += data
            end = raw.find(HEAD_END, searched)
            if end < 0 or end + len(HEAD_END) > MAX_HEAD_BYTES:
                self._check_partial_head(raw)
                return b""
            end += len(HEAD_END)
            data = bytes(raw[end:])
            try:
                head = parse_head(bytes(raw[:end]), self._method)
            except HeadError as exc:
                raise ResponseError(str(exc)) from exc
            raw.clear()
            if head.status >= 200:
                self._begin_body(head)
                return data
            if head.status == 101:
                raise ResponseError("Expected no switch of protocols.")
            if not data:
                return b""

    def _begin_body(self, head: ResponseHead) -> None:
        self.head = head
        self._body_left = head.content_length
        self._decoder = ChunkedDecoder() if head.chunked else None
        self.complete = head.content_length == 0

    def _check_partial_head(self, raw: bytearray) -> None:
        """Refuse early what can no longer become a head, instead of waiting for a deadline."""
        if len(raw) > MAX_HEAD_BYTES:
            raise ResponseError(f"Expected a response head of at most {MAX_HEAD_BYTES} bytes.")
        if not STATUS_LINE_START.startswith(raw[: len(STATUS_LINE_START)]):
            raise ResponseError("Expected an HTTP/1.x status line.")
        if b"\n\n" in raw:
            raise ResponseError("Expected lines that end with CRLF.")

    def _feed_chunks(self, decoder: ChunkedDecoder, data: bytes) -> bytes:
        try:
            found = decoder.feed(data)
        except ChunkError as exc:
            raise ResponseError(str(exc)) from exc
        self.complete = decoder.complete
        self.excess = decoder.excess
        return found
