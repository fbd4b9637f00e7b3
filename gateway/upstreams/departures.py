"""Requests that leave together.

Sending is the kernel's work: a few thousand of its instructions, and waking whoever is to receive. One request after
the other it finds its code and the receiver still awake; with the rest of a request in between it finds neither. So
what the requests of one turn of the event loop have to send leaves in the next, one right after the other.

Decision: docs/adr/0028-requests-leave-together.md.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from gateway.ports import UpstreamBroken


class NotQuiet(UpstreamBroken):
    """Nothing left: before that the connection ended, or the peer said something that nobody had asked for."""

    def __init__(self) -> None:
        super().__init__("The connection to the upstream was closed.", sent=False)


class Departures:
    """Calls that are made in the loop's next turn, in their order. For one event loop."""

    __slots__ = ("_due",)

    def __init__(self) -> None:
        self._due: deque[Callable[[], None]] = deque()

    def add(self, loop: asyncio.AbstractEventLoop, depart: Callable[[], None]) -> None:
        if not self._due:
            loop.call_soon(self._depart, loop)
        self._due.append(depart)

    def _depart(self, loop: asyncio.AbstractEventLoop) -> None:
        due = self._due
        try:
            while due:
                due.popleft()()
        finally:
            if due:
                # One of them failed, which is no reason for the others to stay.
                loop.call_soon(self._depart, loop)
