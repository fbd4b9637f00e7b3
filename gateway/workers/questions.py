"""How the worker that has the admin port asks the others: one question, one answer, each over a socket of its own.

Every other worker has a channel, a pair of datagram sockets made before the fork. A question is one datagram that
carries the far end of a fresh stream socket; the answer is what is written there until its end. So nothing has a name
that another program could connect to, answers cannot be mixed up, and a worker that starts again inherits its channel
together with what was asked meanwhile.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

MAX_QUESTION_BYTES = 64
MAX_ANSWER_BYTES = 64 * 1024 * 1024

Answerer = Callable[[str], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Channel:
    """Both ends of the way to one worker."""

    asker: socket.socket
    answerer: socket.socket


def open_channel() -> Channel:
    """A channel for a worker that is yet to be forked."""
    asker, answerer = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    for end in (asker, answerer):
        end.setblocking(False)
    return Channel(asker, answerer)


async def ask(channel: Channel, question: str, *, timeout_seconds: float) -> bytes | None:
    """The answer to a question; None when there is none in time: nobody is there, or they are busy."""
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        try:
            socket.send_fds(channel.asker, [question.encode("ascii")], [far.fileno()])
        except OSError:
            # Nobody took the last questions: the queue is full.
            return None
        far.close()
        answer = bytearray()
        loop = asyncio.get_running_loop()
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(timeout_seconds):
                while piece := await loop.sock_recv(near, 65536):
                    answer += piece
                    if len(answer) > MAX_ANSWER_BYTES:
                        return None
                # An end without an answer: whoever took the question has ended.
                return bytes(answer) or None
    return None


class Answering:
    """Answers the questions of a channel while it is open. Use from one event loop."""

    def __init__(self, channel: Channel, answer: Answerer) -> None:
        self._socket = channel.answerer
        self._answer = answer
        self._tasks: set[asyncio.Task[None]] = set()
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._receive)

    def close(self) -> None:
        """Answer no more; questions wait for whoever takes this seat next."""
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        for task in self._tasks:
            task.cancel()

    def _receive(self) -> None:
        try:
            question, descriptors, _, _ = socket.recv_fds(self._socket, MAX_QUESTION_BYTES, 1)
        except OSError:
            return
        for descriptor in descriptors:
            to = socket.socket(fileno=descriptor)
            task = asyncio.get_running_loop().create_task(self._reply(question.decode("ascii"), to))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _reply(self, question: str, to: socket.socket) -> None:
        with to, suppress(OSError):
            to.setblocking(False)
            await asyncio.get_running_loop().sock_sendall(to, await self._answer(question))
