"""The table of last uses: when each access key last proved a request, to the minute."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from gateway.stores.database import Database, Store

_MOVE = "UPDATE key_uses SET used_at = :used_at WHERE id = :id AND used_at < :used_at"
_INSERT = "INSERT INTO key_uses (id, used_at) VALUES (:id, :used_at)"


class KeyUseTable:
    """The last uses in a store. Both methods raise StoreUnavailable when the store fails."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(self, uses: Mapping[str, int]) -> None:
        """Write last uses (Unix seconds) in one transaction; none is moved back."""
        async with self._database.measure() as connection:
            for key_id, used_at in uses.items():
                if await connection.execute(_MOVE, id=key_id, used_at=used_at):
                    continue
                if not await connection.fetch("SELECT id FROM key_uses WHERE id = :id", id=key_id):
                    await connection.execute(_INSERT, id=key_id, used_at=used_at)


async def read_key_uses(store: Store) -> dict[str, datetime]:
    """When each key was last used, by id; a key that never was is missing. Raises StoreUnavailable."""
    async with store.read() as connection:
        rows = await connection.fetch("SELECT id, used_at FROM key_uses")
        return {row["id"]: datetime.fromtimestamp(row["used_at"], UTC) for row in rows}
