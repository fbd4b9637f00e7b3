"""One small question to another service, answered whole: a token service, instance metadata, a listing of buckets.

Both the answer's size and the time until all of it is here are bounded. Nothing is repeated: whoever asks decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from cos.rewrite import UpstreamRequest
from cos.target import Parameter, render_path, render_query
from gateway.ports import Upstream, UpstreamBroken, UpstreamTimeout

TIMEOUT_SECONDS = 10.0
MAX_ANSWER_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it came. The body may hold a secret and is never shown."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes = field(repr=False)

    def header(self, name: bytes) -> bytes | None:
        """The first field of that lower-case name."""
        return next((value for known, value in self.headers if known == name), None)


def question(
    method: str,
    host: str,
    path: str,
    *,
    query: Iterable[tuple[str, str]] = (),
    headers: Iterable[tuple[str, str]] = (),
) -> UpstreamRequest:
    """A request from decoded text. `host` may hold a port; `headers` have lower-case names and frame the body."""
    raw_path = path.encode("utf-8")
    parameters = tuple(Parameter(name, value) for name, value in query)
    target = render_path(raw_path) + (b"?" + render_query(parameters) if parameters else b"")
    fields = tuple((name.encode("ascii"), value.encode("utf-8")) for name, value in headers)
    return UpstreamRequest.of(method, host, raw_path, parameters, target, fields)


async def ask(
    upstream: Upstream,
    request: UpstreamRequest,
    body: bytes = b"",
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
    max_bytes: int = MAX_ANSWER_BYTES,
) -> Answer:
    """Send a request and read its whole answer, whatever its status. Raises UpstreamError."""
    try:
        async with asyncio.timeout(timeout_seconds):
            response = await upstream.send(request, body)
            received = bytearray()
            try:
                async for piece in response.stream():
                    received += piece
                    if len(received) > max_bytes:
                        raise UpstreamBroken(f"{request.host} answered with more than {max_bytes} bytes.", sent=True)
            finally:
                await response.aclose()
    except TimeoutError:
        raise UpstreamTimeout(f"Waited {timeout_seconds:g} s for the answer of {request.host}.", sent=True) from None
    return Answer(response.status, tuple(response.headers), bytes(received))
