"""The table of last uses: when each access key last proved a request, to the minute."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import insert, select, update

from gateway.stores.database import Database, Store
from gateway.stores.schema import key_uses as table


class KeyUseTable:
    """The last uses in a store. Both methods raise StoreUnavailable when the store fails."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(self, uses: Mapping[str, int]) -> None:
        """Write last uses (Unix seconds) in one transaction; none is moved back."""
        async with self._database.measure() as connection:
            for key_id, used_at in uses.items():
                later = update(table).where((table.c.id == key_id) & (table.c.used_at < used_at))
                if (await connection.execute(later.values(used_at=used_at))).rowcount:
                    continue
                known = (await connection.execute(select(table.c.id).where(table.c.id == key_id))).one_or_none()
                if known is None:
                    await connection.execute(insert(table).values(id=key_id, used_at=used_at))


async def read_key_uses(store: Store) -> dict[str, datetime]:
    """When each key was last used, by id; a key that never was is missing. Raises StoreUnavailable."""
    async with store.read() as connection:
        rows = (await connection.execute(select(table.c.id, table.c.used_at))).all()
    return {row.id: datetime.fromtimestamp(row.used_at, UTC) for row in rows}
