"""How many requests begin in one turn of the event loop.

A request is worked on in pieces: until its intent is written, until it is sent, and when its answer is here. What one
piece leaves behind is in the processor's cache when the next one needs it, unless hundreds of others came in between.
So of the requests that arrive together a few begin and the others wait their turn: with 256 busy connections a copy
costs a tenth less.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

MAX_STARTS = 20
"""Requests that begin in one turn: more costs cache, fewer more turns."""

_Item = TypeVar("_Item")


class Starts(Generic[_Item]):
    """Resolves futures with what they wait for, so many in a turn of the loop, in the order they were given.

    For one event loop.
    """

    __slots__ = ("_due", "_left", "_waiting")

    def __init__(self) -> None:
        self._left = MAX_STARTS
        self._due = False
        """Whether `_next_turn` will be called."""
        self._waiting: deque[tuple[asyncio.Future[_Item], _Item]] = deque()

    def begin(self, loop: asyncio.AbstractEventLoop, following: asyncio.Future[_Item], item: _Item) -> None:
        """Resolve a future now or in one of the next turns."""
        if not self._due:
            self._due = True
            loop.call_soon(self._next_turn, loop)
        if self._left:
            self._left -= 1
            following.set_result(item)
        else:
            self._waiting.append((following, item))

    def _next_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        left, waiting = MAX_STARTS, self._waiting
        self._due = bool(waiting)
        if waiting:
            loop.call_soon(self._next_turn, loop)
        while waiting and left:
            following, item = waiting.popleft()
            # Nobody waits any more for the request of a client that has gone.
            if not following.done():
                following.set_result(item)
                left -= 1
        self._left = left
