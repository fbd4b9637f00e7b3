"""The table of sessions that were ended before their time. A session itself is nowhere stored."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.stores.database import Store
from gateway.stores.schema import revoked_sessions as table


class RevokedSessionTable:
    """The ended sessions of a store. Every method raises StoreUnavailable when the store fails."""

    def __init__(self, database: Store) -> None:
        self._database = database

    async def insert(self, session_id: str, *, now: datetime, keep: timedelta) -> bool:
        """End a session; False when it was ended before.

        `keep` is as long as any session may last. What was kept that long is removed in the same transaction.
        """
        moment = int(now.timestamp())
        async with self._database.write() as connection:
            await connection.execute(delete(table).where(table.c.forget_at < moment))
            known = (await connection.execute(select(table.c.id).where(table.c.id == session_id))).one_or_none()
            if known is not None:
                return False
            forget_at = moment + int(keep.total_seconds())
            await connection.execute(insert(table).values(id=session_id, revoked_at=moment, forget_at=forget_at))
        return True


async def select_revoked_sessions(connection: AsyncConnection) -> frozenset[str]:
    """The ids of every ended session as that connection sees them."""
    return frozenset((await connection.execute(select(table.c.id))).scalars())
