"""Open connections of a store, kept for the next who needs one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

Driver = TypeVar("Driver")


class Pool(Generic[Driver]):
    """At most `size` connections; one is taken by one task at a time.

    `usable` tells whether one that lay idle can still be used. `end` undoes what a failed block left behind and tells
    whether it could; `drop` closes one of which nothing is known.
    """

    def __init__(
        self,
        size: int,
        wait_seconds: float,
        *,
        make: Callable[[], Awaitable[Driver]],
        usable: Callable[[Driver], Awaitable[bool]],
        end: Callable[[Driver], Awaitable[bool]],
        close: Callable[[Driver], Awaitable[None]],
        drop: Callable[[Driver], Awaitable[None]],
    ) -> None:
        self._places = asyncio.Semaphore(size)
        self._wait_seconds = wait_seconds
        self._make = make
        self._usable = usable
        self._end = end
        self._close = close
        self._drop = drop
        self._idle: list[Driver] = []
        self._closed = False

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[Driver]:
        """A connection for the block alone. Raises TimeoutError when none is free in time, and what `make` raises."""
        async with asyncio.timeout(self._wait_seconds):
            await self._places.acquire()
        try:
            driver = await self._ready()
            try:
                yield driver
            except BaseException:
                await self._undo(driver)
                raise
            await self._keep(driver)
        finally:
            self._places.release()

    async def aclose(self) -> None:
        """Close every connection: those that are taken when their block ends."""
        self._closed = True
        while self._idle:
            await self._close(self._idle.pop())

    async def _ready(self) -> Driver:
        while self._idle:
            driver = self._idle.pop()
            if await self._is_good(driver, self._usable):
                return driver
        return await self._make()

    async def _undo(self, driver: Driver) -> None:
        if await self._is_good(driver, self._end):
            await self._keep(driver)

    async def _is_good(self, driver: Driver, check: Callable[[Driver], Awaitable[bool]]) -> bool:
        """Nobody gets a connection whose state is unknown: one that is not good is dropped."""
        good = False
        try:
            good = await check(driver)
        finally:
            if not good:
                await self._drop(driver)
        return good

    async def _keep(self, driver: Driver) -> None:
        if self._closed:
            await self._close(driver)
        else:
            self._idle.append(driver)
