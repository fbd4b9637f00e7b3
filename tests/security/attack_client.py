"""Sends the bytes of a case over a socket and reports what came back, however rude the ending."""

from __future__ import annotations

import asyncio
import re

from tests.security.attack_recipe import Recipe
from tests.security.attack_verdict import Observed
from tests.security.recording_upstream import RecordingUpstream

LIMIT_SECONDS = 20.0
"""Within this an answer must be there or the connection closed."""
SETTLE_SECONDS = 0.04


async def attack(
    port: int, upstream: RecordingUpstream, recipe: Recipe, *, settle_seconds: float = SETTLE_SECONDS
) -> Observed:
    """Send one case on a connection of its own.

    `settle_seconds` is how long is waited after the answer for anything that should not have been sent upstream.
    """
    before = len(upstream.requests)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sender = asyncio.create_task(_send(writer, recipe))
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            raw, pending = await _read_answer(reader, head=recipe.method == "HEAD"), False
    except TimeoutError:
        raw, pending = b"", True
    sender.cancel()
    await asyncio.gather(sender, return_exceptions=True)
    await asyncio.sleep(settle_seconds)
    writer.close()
    status = int(raw[9:12]) if re.match(rb"HTTP/1\.1 \d{3} ", raw) else None
    return Observed(status, raw, pending, tuple(upstream.requests[before:]))


async def _send(writer: asyncio.StreamWriter, recipe: Recipe) -> None:
    wire = recipe.wire
    pieces, pause = [recipe.raw], 0.0
    if "drip" in wire:
        size, pause = wire["drip"]
        pieces = [recipe.raw[start : start + size] for start in range(0, len(recipe.raw), size)]
    elif wire.get("wait_continue"):
        head, _, body = recipe.raw.partition(b"\r\n\r\n")
        pieces, pause = [head + b"\r\n\r\n", body], 0.2
    try:
        for number, piece in enumerate(pieces):
            if number and pause:
                await asyncio.sleep(pause)
            writer.write(piece)
            await writer.drain()
        await asyncio.sleep(wire.get("hold", 0))
    except ConnectionError:
        # The server closed before it had read everything; its answer, if any, is what counts.
        pass


async def _read_answer(reader: asyncio.StreamReader, *, head: bool) -> bytes:
    """One final answer with its body, or what there was of it when the connection ended."""
    raw = b""
    while True:
        try:
            piece = await reader.read(65_536)
        except ConnectionError:
            piece = b""
        raw += piece
        while raw.startswith(b"HTTP/1.1 100 ") and b"\r\n\r\n" in raw:
            raw = raw.partition(b"\r\n\r\n")[2]
        if not piece or _is_whole(raw, head=head):
            return raw


def _is_whole(raw: bytes, *, head: bool) -> bool:
    fields, separator, body = raw.partition(b"\r\n\r\n")
    if not separator:
        return False
    if head or raw[9:12] in (b"204", b"304"):
        return True
    length = re.search(rb"(?im)^content-length: *(\d+)", fields)
    if length is not None:
        return len(body) >= int(length[1])
    return body.endswith(b"0\r\n\r\n")
