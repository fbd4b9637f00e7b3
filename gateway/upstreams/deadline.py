"""One timer for all the deadlines of a connection, moved lazily.

A deadline that is met costs two assignments: the timer stays where it is, and when it fires too early it is
set again. Only a deadline that falls before the timer starts a new one.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable


class Deadline:
    """At most one deadline at a time; `on_expired` is called with what was waited for, and how long in seconds."""

    __slots__ = ("_at", "_loop", "_on_expired", "_timer", "_timer_at", "_waited")

    def __init__(self, loop: asyncio.AbstractEventLoop, on_expired: Callable[[str, float], None]) -> None:
        self._loop = loop
        self._on_expired = on_expired
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self._at = math.inf
        self._waited: tuple[str, float] = ("", 0.0)
        """For what, and how many seconds."""

    def set(self, seconds: float, waited_for: str) -> None:
        """Expire so many seconds from now, in place of any other deadline."""
        self._waited = (waited_for, seconds)
        self._at = at = self._loop.time() + seconds
        if at < self._timer_at:
            self._start_timer(at)

    def clear(self) -> None:
        """Do not expire. The timer may still fire once, for nothing."""
        self._at = math.inf

    def close(self) -> None:
        """Do not expire, and keep nothing alive."""
        self._at = self._timer_at = math.inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start_timer(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at = self._loop.call_at(at, self._fire), at

    def _fire(self) -> None:
        self._timer, self._timer_at = None, math.inf
        if self._at == math.inf:
            return
        if self._loop.time() < self._at:
            self._start_timer(self._at)
            return
        self._at = math.inf
        self._on_expired(*self._waited)
