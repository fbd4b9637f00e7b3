"""Accepting connections when the system cannot, and ending while some are still being greeted."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Coroutine
from typing import Any

import pytest

from gateway.server.acceptor import PAUSE_SECONDS, Acceptor
from gateway.server.listeners import ACCEPTED_PER_TURN, bind
from tests.support.waiting import PATIENCE_SECONDS, turns, until


@pytest.fixture(scope="module", params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


class Exhausted(socket.socket):
    """A listening socket of a process that has no descriptor left for a while."""

    failing = True
    asked = 0

    def accept(self) -> tuple[socket.socket, Any]:
        self.asked += 1
        if self.failing:
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


async def test_without_descriptors_it_waits_and_nobody_is_lost() -> None:
    listener = Exhausted(fileno=bind("127.0.0.1", 0).detach())
    listener.setblocking(False)
    taken: list[str] = []

    def greet(accepted: socket.socket, address: str) -> None:
        taken.append(address)
        accepted.close()

    acceptor = Acceptor(listener, greet)
    clients = [socket.create_connection(listener.getsockname()) for _ in range(3)]
    loop = asyncio.get_running_loop()
    began = loop.time()
    await turns(200)
    assert 1 <= listener.asked <= 1 + (loop.time() - began) / PAUSE_SECONDS, "it does not spin"
    listener.failing = False
    await until(lambda: len(taken) == 3)
    assert taken == ["127.0.0.1"] * 3
    acceptor.close()
    await acceptor.wait_closed()
    for client in (*clients, listener):
        client.close()


async def test_a_burst_is_taken_in_portions() -> None:
    listener = bind("127.0.0.1", 0)
    clients = [socket.create_connection(listener.getsockname()) for _ in range(3 * ACCEPTED_PER_TURN)]
    taken: list[socket.socket] = []

    def greet(accepted: socket.socket, _: str) -> None:
        taken.append(accepted)

    acceptor = Acceptor(listener, greet)
    await until(lambda: len(taken) == len(clients))
    acceptor.close()
    await acceptor.wait_closed()
    for end in (*clients, *taken, listener):
        end.close()


async def test_the_end_does_not_wait_for_those_who_are_being_greeted() -> None:
    listener = bind("127.0.0.1", 0)
    ended: list[bool] = []

    def greet(accepted: socket.socket, _: str) -> Coroutine[Any, Any, None]:
        async def forever() -> None:
            try:
                await asyncio.sleep(60)
            finally:
                accepted.close()
                ended.append(True)

        return forever()

    acceptor = Acceptor(listener, greet)
    clients = [socket.create_connection(listener.getsockname()) for _ in range(2)]
    await until(lambda: acceptor.greeted == 2)
    await asyncio.sleep(0.05)
    acceptor.close()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await acceptor.wait_closed()
    assert ended == [True, True]
    for client in (*clients, listener):
        client.close()
