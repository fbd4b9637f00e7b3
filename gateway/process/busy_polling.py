"""Staying awake for what is back at once, where falling asleep and waking up would take longer.

An event loop that has nothing to do sleeps until the kernel wakes it. That costs tens of microseconds, and more on a
virtual machine, whose processor meanwhile goes to others and comes back with cold caches. An upstream nearby that has
one request to answer, and a client nearby that sends one after the other, are back sooner: asking the kernel again and
again until then is faster, and takes no more of the processor.

Whether that is so is known from the last time: after a wait that was longer than `MAX_SECONDS` the loop sleeps, after
one that was shorter it stays awake, for so long at most. So far upstreams and clients cost nothing.

Source: the same rule for idle processors, Linux, Documentation/virt/kvm/halt-polling.rst.
Decision: docs/adr/0029-busy-polling.md.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

MAX_SECONDS = 0.0002
"""What a wait may take to be a short one; as the hypervisor has it."""


class BusyPoller:
    """Keeps an event loop awake for one kind of thing, of which one at a time is waited for."""

    __slots__ = ("_awake", "_clock", "_is_near", "_since")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: float | None = None
        """When the wait began."""
        self._is_near = False
        """The last wait was a short one."""
        self._awake = False
        """Whether `_stay_awake` will be called."""

    def expect(self) -> None:
        """It is waited for, and the loop has nothing else to do. Call within the loop."""
        self._since = self._clock()
        if self._is_near and not self._awake:
            self._awake = True
            self._stay_awake(asyncio.get_running_loop())

    def arrived(self) -> None:
        """It is here; nothing happens when it was not waited for."""
        if self._since is not None:
            self._is_near = self._clock() - self._since < MAX_SECONDS
            self._since = None

    def _stay_awake(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._is_near and self._since is not None and self._clock() - self._since < MAX_SECONDS:
            # A loop that has something to call asks the kernel without sleeping.
            loop.call_soon(self._stay_awake, loop)
        else:
            self._awake = False
