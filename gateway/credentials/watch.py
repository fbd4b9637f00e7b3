"""The running gateway's view of the store: held in memory, refreshed by a poll, refused when it is too old.

No request waits for the store. A change made by any process is seen at the next poll. When the store cannot be
read, what was seen last is served until it is `max_stale_seconds` old and nothing after that, because a key
withdrawn meanwhile could not be known. A poll that stopped running ends the same way.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from gateway.ports import StoreUnavailable
from gateway.stores.contents import StoreContents, read_contents
from gateway.stores.database import Database

POLL_SECONDS = 1.0
MAX_STALE_SECONDS = 60.0

_log = structlog.get_logger(__name__)


class StoreWatch:
    """Holds the last state of the store that was read.

    Call `refresh` once before serving and keep `run` going as a task. `clock` gives monotonic seconds.
    """

    def __init__(
        self,
        database: Database,
        *,
        poll_seconds: float = POLL_SECONDS,
        max_stale_seconds: float = MAX_STALE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._poll_seconds = poll_seconds
        self._max_stale_seconds = max_stale_seconds
        self._clock = clock
        self._contents: StoreContents | None = None
        self.holds_secrets = False
        """Whether the store held a key or a credential when it was last read, however long ago."""
        self._read_at = 0.0
        self._fresh_until = 0.0
        """Until then (monotonic seconds) what was read is served."""
        self._reading = asyncio.Lock()
        self._after_poll: list[Callable[[], None]] = []

    @property
    def contents(self) -> StoreContents:
        """The state of the store last read. Raises StoreUnavailable when it was never read or is too old."""
        contents = self._contents
        if contents is None:
            raise StoreUnavailable("The store was not read yet.")
        if self._clock() > self._fresh_until:
            raise StoreUnavailable(
                f"The store was last read {self.age_seconds:.0f} seconds ago; "
                f"keys older than {self._max_stale_seconds:.0f} seconds are not trusted."
            )
        return contents

    @property
    def age_seconds(self) -> float:
        """How long ago the state in memory was read: what a health check and a metric show."""
        return self._clock() - self._read_at

    def after_poll(self, callback: Callable[[], None]) -> None:
        """Call back after every poll of `run`, whether it succeeded or not."""
        self._after_poll.append(callback)

    async def refresh(self) -> None:
        """Read the store now if it changed. Raises StoreUnavailable and keeps the last state."""
        # One at a time: a slow read must not put back what a later one has replaced.
        async with self._reading:
            # The age counts from before the read: what is written during it may be missed.
            started = self._clock()
            self._contents = contents = await read_contents(self._database, self._contents)
            self._read_at, self._fresh_until = started, started + self._max_stale_seconds
            self.holds_secrets = bool(contents.access_keys or contents.upstream_credentials)

    async def refresh_soon(self) -> None:
        """Read the store now, after a change of our own; when it cannot be read the poll tries again."""
        with suppress(StoreUnavailable):
            await self.refresh()

    async def run(self) -> None:
        """Poll until cancelled. A store that fails is logged once, and once more when it is back."""
        failing = False
        while True:
            try:
                await self.refresh()
            except StoreUnavailable as error:
                if not failing:
                    _log.error("store_unreadable", reason=str(error), age_seconds=round(self.age_seconds, 1))
                failing = True
            else:
                if failing:
                    _log.info("store_readable_again")
                failing = False
            for callback in self._after_poll:
                callback()
            await asyncio.sleep(self._poll_seconds)
