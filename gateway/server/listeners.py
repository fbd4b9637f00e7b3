"""Listening, and a server that leaves the process alone. The protocol it speaks: `gateway.server.data_protocol`."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

ACCEPTED_PER_TURN = 16
"""Connections taken in one turn of the event loop."""


class PortTaken(Exception):
    """Another program listens on the address."""


class Server(uvicorn.Server):
    """A uvicorn server that leaves the process's signals to whoever started it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listeners(listener: socket.socket) -> list[socket.socket]:
    """The listening socket several times, for `Server.serve`.

    libuv takes one connection per turn of the loop from each socket (since 1.45): a busy gateway, whose turns are
    long, would let a burst of new connections wait for seconds (measured: 256 connections, 2.4 s).
    """
    return [listener, *(listener.dup() for _ in range(ACCEPTED_PER_TURN - 1))]


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises PortTaken, or OSError for an address that is not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(f"{host}:{port} is taken by another program") from error
        raise
    listener.setblocking(False)
    return listener
