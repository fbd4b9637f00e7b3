"""When keys were last used, to the minute: noted in memory on each request, written to the store once a minute."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from gateway.ports import StoreUnavailable
from gateway.stores.database import Database
from gateway.stores.key_uses import KeyUseTable

RESOLUTION_SECONDS = 60
"""Uses are told apart by the minute, and written once in that time."""

_log = structlog.get_logger(__name__)


class KeyUseLog:
    """Implements `ports.KeyUses` over a store. It holds one number a key; requests never wait for it."""

    def __init__(self, database: Database, *, interval_seconds: float = RESOLUTION_SECONDS) -> None:
        self._table = KeyUseTable(database)
        self._interval_seconds = interval_seconds
        self._unwritten: dict[str, int] = {}
        self._noted_until: dict[str, float] = {}
        """Until then (Unix seconds) there is nothing to note of a key again."""

    def note(self, access_key_id: str, *, now: float) -> None:
        """Remember that a key proved a request at `now` (Unix seconds)."""
        if now >= self._noted_until.get(access_key_id, 0.0):
            minute = int(now) // RESOLUTION_SECONDS * RESOLUTION_SECONDS
            self._unwritten[access_key_id] = minute
            self._noted_until[access_key_id] = minute + RESOLUTION_SECONDS

    async def flush(self) -> None:
        """Write what was not written yet. Raises StoreUnavailable, and keeps it."""
        if not self._unwritten:
            return
        uses, self._unwritten = self._unwritten, {}
        try:
            await self._table.note(uses)
        except BaseException:
            self._unwritten = {**uses, **self._unwritten}
            raise
        self._noted_until = {access_key_id: minute + RESOLUTION_SECONDS for access_key_id, minute in uses.items()}

    async def run(self) -> None:
        """Write regularly until cancelled, and once more then."""
        try:
            while True:
                await asyncio.sleep(self._interval_seconds)
                try:
                    await self.flush()
                except StoreUnavailable as error:
                    _log.warning("key_uses_unwritten", reason=str(error))
        finally:
            with suppress(StoreUnavailable):
                await self.flush()
