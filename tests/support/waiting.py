"""Waiting for what must happen, however slow the machine is; only a failing test waits to the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from tests.support.stepped_loop import SteppedLoop

PATIENCE_SECONDS = 30.0
"""Far beyond any deadline that a test is about, and well below what pytest gives a test."""
_PAUSE_SECONDS = 0.005


async def until(happened: Callable[[], object]) -> None:
    """Return when `happened` is true; the loop's clock may stand still. Raises AssertionError after 30 s."""
    loop = asyncio.get_running_loop()
    pause = 0.0 if isinstance(loop, SteppedLoop) and loop.is_stopped else _PAUSE_SECONDS
    end = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < end, "it never happened"
        await asyncio.sleep(pause)


async def turns(count: int = 30) -> None:
    """Let the loop turn, so that what is ready to happen in this process has happened."""
    for _ in range(count):
        await asyncio.sleep(0)
