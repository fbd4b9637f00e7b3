"""A server that refuses an upload and closes with most of it unread: the kernel sends RST behind its answer."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

from gateway.upstreams import TransportKind
from tests.gateway.upstreams.scripted_server import build_answer, build_request, fetch, open_upstream
from tests.support.waiting import PATIENCE_SECONDS

PACES = ["at once", "in turns", "late"]
"""How the body comes: without a pause, with turns of the loop between its pieces, with the loop held up."""
_ANSWER = build_answer(b"<Error/>", status=b"403 Forbidden")
_UPLOAD = build_request("PUT", headers=((b"content-length", b"1073741824"),))


async def check_refusals_are_delivered(
    pace: str, *, tls: ssl.SSLContext | None = None, ca_file: Path | None = None
) -> None:
    """Ten uploads, each to a server of its own thread: answer and reset arrive while this loop is busy."""
    scheme = "http" if tls is None else "https"
    for _ in range(10):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(PATIENCE_SECONDS)
            url = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
            async with open_upstream(TransportKind.NATIVE, url, ca_file=ca_file) as upstream:
                serving = asyncio.create_task(asyncio.to_thread(_refuse_and_close, listener, tls))
                assert await fetch(upstream, _UPLOAD, _body(pace)) == (403, b"<Error/>")
                await serving


def _refuse_and_close(listener: socket.socket, tls: ssl.SSLContext | None) -> None:
    client, _ = listener.accept()
    # Else the answer waits behind a session ticket that is not confirmed yet, and closing throws it away.
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with client if tls is None else tls.wrap_socket(client, server_side=True) as speaking:
        speaking.recv(1024)
        speaking.sendall(_ANSWER)


async def _body(pace: str) -> AsyncIterator[bytes]:
    while True:
        yield b"x" * 65_536
        if pace == "in turns":
            await asyncio.sleep(0)
        elif pace == "late":
            time.sleep(0.05)  # the loop is meant to be held up
