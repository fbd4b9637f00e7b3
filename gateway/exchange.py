"""One HTTP exchange at the data port's edge: what was received, and the way to answer.

The pipeline knows this class and nothing of the server. Bodies pass in pieces both ways; the server underneath
stops reading when a piece is not taken and `write` waits when the client does not read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Protocol

from msgspec import Struct

from cos.errors import COSError
from cos.headers import Headers
from gateway.client_certificates import ClientCertificate


class ClientGone(Exception):
    """The client closed the connection before the exchange was over."""


class Channel(Protocol):
    """The server's side of one exchange. Sending waits while the client does not read, and is nothing once it left."""

    async def receive(self) -> tuple[bytes, bool]:
        """The next piece of the request body, and whether more may follow. Raises ClientGone."""
        ...

    async def answer(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
        """Head and whole body at once. `Date` is added; framing follows from the headers (lower-case names)."""
        ...

    async def start(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """The head alone, as in `answer`."""
        ...

    async def send(self, piece: bytes, *, last: bool) -> None:
        """A piece of the body."""
        ...

    def abort(self) -> None:
        """Cut the connection."""
        ...


class BodyReader(Protocol):
    """Takes a body off its encoding and holds it to its promises: a `PayloadReader`, or the file of a form."""

    def feed(self, piece: bytes, /) -> bytes:
        """The content in the next piece. Raises COSError."""
        ...

    def finish(self) -> None:
        """The body has ended: raises COSError when a promise was not kept."""
        ...


class Exchange(Struct, eq=False):
    """A request as received and the one response to it.

    `client_address` is empty when there is none. `started` is of the monotonic clock. `payload` is what the body
    promised, once the signature is proved. `bytes_in` and `bytes_out` count body bytes. `status` is None until a
    response head was sent.
    """

    _channel: Channel
    method: str
    raw_target: bytes
    headers: Headers
    client_address: str
    certificate: ClientCertificate | None
    request_id: str
    started: float
    payload: BodyReader | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    status: int | None = None
    _pushed_back: bytes = b""
    _ended: bool = False

    def __repr__(self) -> str:
        # Targets and fields may hold credentials.
        return f"Exchange({self.request_id!r}, {self.method!r})"

    async def body(self) -> AsyncIterator[bytes]:
        """The content of the request body as it arrives.

        Its last piece comes only when every promise of the body was kept: an upstream request that is still
        without it can be broken off, and nothing is stored. Raises ClientGone when the client leaves in the
        middle, and COSError when a promise is broken.
        """
        payload = self.payload
        if payload is None:
            async for piece in self._received():
                yield piece
            return
        held = b""
        async for piece in self._received():
            content = payload.feed(piece)
            if content:
                if held:
                    yield held
                held = content
        payload.finish()
        if held:
            yield held

    def push_back(self, piece: bytes) -> None:
        """Make `piece`, which was read too far, the next of the body."""
        self._pushed_back = piece

    async def _received(self) -> AsyncIterator[bytes]:
        piece, self._pushed_back = self._pushed_back, b""
        if piece:
            yield piece
        while not self._ended:
            piece, more = await self._channel.receive()
            self._ended = not more
            if piece:
                self.bytes_in += len(piece)
                yield piece

    async def read_body(self, max_bytes: int, *, declared_bytes: int | None = None) -> bytes:
        """A small body whole. One that declares to be too large is not read at all.

        Raises COSError(XMLSizeLimit) beyond `max_bytes`, ClientGone.
        """
        pieces = bytearray()
        if declared_bytes is not None and declared_bytes > max_bytes:
            raise COSError("XMLSizeLimit", f"Expected a body of at most {max_bytes} bytes, got {declared_bytes}.")
        async for piece in self.body():
            pieces += piece
            if len(pieces) > max_bytes:
                raise COSError("XMLSizeLimit", f"Expected a body of at most {max_bytes} bytes.")
        return bytes(pieces)

    async def start(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Send the response head. `Date` is added; framing follows from the headers given."""
        self.status = status
        await self._channel.start(status, headers)

    async def write(self, piece: bytes) -> None:
        """Send a piece of the response body; waits while the client does not read."""
        if piece:
            self.bytes_out += len(piece)
            await self._channel.send(piece, last=False)

    async def finish(self, piece: bytes = b"") -> None:
        """Send the last piece and end the response cleanly."""
        self.bytes_out += len(piece)
        await self._channel.send(piece, last=True)

    def answer(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes = b"") -> Awaitable[None]:
        """Send a whole response at once. `headers` say its length; to HEAD no body is sent, whatever they say."""
        self.status = status
        if self.method == "HEAD":
            body = b""
        self.bytes_out += len(body)
        return self._channel.answer(status, headers, body)

    def abort(self) -> None:
        """Cut the connection in the middle of a response: the client must not take it for a whole one."""
        self._channel.abort()


Handler = Callable[[Exchange], Awaitable[None]]
"""Answers an exchange. Raises ClientGone, and CancelledError when it is not to go on."""
