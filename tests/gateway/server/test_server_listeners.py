"""A burst of new connections is taken in a few turns of the event loop, however long the turns are."""

from __future__ import annotations

import asyncio
import socket
import time

import uvloop

from gateway.server.listeners import ACCEPTED_PER_TURN, bind, listeners

TURN_SECONDS = 0.005
CONNECTIONS = 64


class Welcome(asyncio.Protocol):
    taken = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        Welcome.taken += 1
        transport.close()


async def turns_to_take(sockets: list[socket.socket]) -> int:
    """Turns of a busy loop until a burst of connections has been taken."""
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(Welcome, sock=listener) for listener in sockets]
    Welcome.taken = 0
    clients = [socket.create_connection(sockets[0].getsockname()) for _ in range(CONNECTIONS)]
    turns = 0
    while Welcome.taken < CONNECTIONS and turns < 4 * CONNECTIONS:
        time.sleep(TURN_SECONDS)  # the turn is long because requests are being worked on
        await asyncio.sleep(0)
        turns += 1
    for client in clients:
        client.close()
    for server in servers:
        server.close()
        await server.wait_closed()
    assert Welcome.taken == CONNECTIONS
    return turns


def test_a_burst_of_connections_is_taken_in_a_few_turns() -> None:
    turns = uvloop.run(turns_to_take(listeners(bind("127.0.0.1", 0))))
    assert turns <= 3 * CONNECTIONS / ACCEPTED_PER_TURN


def test_the_listeners_share_one_address() -> None:
    sockets = listeners(bind("127.0.0.1", 0))
    assert len({listener.getsockname() for listener in sockets}) == 1
    for listener in sockets:
        listener.close()
