"""The loop stays awake for what was back at once the last time, and for nothing else."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from gateway.process.busy_polling import MAX_SECONDS, BusyPoller

TURN_SECONDS = 0.00001
"""What a turn of the loop takes that does not sleep."""


class WatchedSelector(selectors.DefaultSelector):
    """Has a clock of its own, and sleeps by moving it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.slept_seconds = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.slept_seconds += timeout or 0.0
        self.now += timeout or TURN_SECONDS
        return super().select(0)


def slept(test: Callable[[BusyPoller, WatchedSelector], Coroutine[Any, Any, None]]) -> float:
    """How many seconds a loop sleeps that runs a coroutine."""
    selector = WatchedSelector()
    loop = asyncio.SelectorEventLoop(selector)
    loop.time = lambda: selector.now  # type: ignore[method-assign]
    try:
        loop.run_until_complete(test(BusyPoller(loop.time), selector))
    finally:
        loop.close()
    return selector.slept_seconds


def wait(poller: BusyPoller, selector: WatchedSelector, seconds: float) -> None:
    poller.expect()
    selector.now += seconds
    poller.arrived()


def test_the_first_wait_is_slept_through() -> None:
    async def first(poller: BusyPoller, _: WatchedSelector) -> None:
        poller.expect()
        await asyncio.sleep(MAX_SECONDS / 2)

    assert slept(first) == pytest.approx(MAX_SECONDS / 2, rel=0.3)


def test_after_a_short_wait_the_loop_stays_awake() -> None:
    async def near(poller: BusyPoller, selector: WatchedSelector) -> None:
        wait(poller, selector, MAX_SECONDS / 2)
        poller.expect()
        await asyncio.sleep(MAX_SECONDS / 2)

    assert slept(near) == 0


def test_after_a_long_wait_it_sleeps() -> None:
    async def far(poller: BusyPoller, selector: WatchedSelector) -> None:
        wait(poller, selector, MAX_SECONDS / 2)
        wait(poller, selector, MAX_SECONDS * 2)
        poller.expect()
        await asyncio.sleep(MAX_SECONDS / 2)

    assert slept(far) == pytest.approx(MAX_SECONDS / 2, rel=0.3)


def test_it_stays_awake_no_longer_than_a_short_wait_is() -> None:
    async def gone(poller: BusyPoller, selector: WatchedSelector) -> None:
        wait(poller, selector, MAX_SECONDS / 2)
        poller.expect()
        await asyncio.sleep(10 * MAX_SECONDS)

    assert slept(gone) == pytest.approx(9 * MAX_SECONDS, rel=0.1)


def test_it_sleeps_again_when_what_was_waited_for_is_here() -> None:
    async def here(poller: BusyPoller, selector: WatchedSelector) -> None:
        wait(poller, selector, MAX_SECONDS / 2)
        wait(poller, selector, MAX_SECONDS / 2)
        await asyncio.sleep(MAX_SECONDS)

    assert slept(here) == pytest.approx(MAX_SECONDS, rel=0.2)


def test_waits_that_follow_each_other_are_one_watch() -> None:
    scheduled: list[Any] = []

    async def many(poller: BusyPoller, selector: WatchedSelector) -> None:
        loop = asyncio.get_running_loop()
        wait(poller, selector, MAX_SECONDS / 2)
        loop.call_soon = lambda *call, **_: scheduled.append(call)  # type: ignore[method-assign, assignment]
        for _ in range(10):
            wait(poller, selector, MAX_SECONDS / 4)
        poller.expect()
        del loop.call_soon

    slept(many)
    assert len(scheduled) == 1


def test_what_was_not_waited_for_says_nothing() -> None:
    async def unexpected(poller: BusyPoller, _: WatchedSelector) -> None:
        poller.arrived()
        poller.expect()
        await asyncio.sleep(MAX_SECONDS / 2)

    assert slept(unexpected) > 0
