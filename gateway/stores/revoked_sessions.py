"""The table of sessions that were ended before their time. A session itself is nowhere stored."""

from __future__ import annotations

from datetime import datetime, timedelta

from gateway.stores.connection import Connection
from gateway.stores.database import Store

_INSERT = "INSERT INTO revoked_sessions (id, revoked_at, forget_at) VALUES (:id, :revoked_at, :forget_at)"


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
            await connection.execute("DELETE FROM revoked_sessions WHERE forget_at < :moment", moment=moment)
            if await connection.fetch("SELECT id FROM revoked_sessions WHERE id = :id", id=session_id):
                return False
            forget_at = moment + int(keep.total_seconds())
            await connection.execute(_INSERT, id=session_id, revoked_at=moment, forget_at=forget_at)
        return True


async def select_revoked_sessions(connection: Connection) -> frozenset[str]:
    """The ids of every ended session as that connection sees them."""
    return frozenset([row["id"] for row in await connection.fetch("SELECT id FROM revoked_sessions")])
