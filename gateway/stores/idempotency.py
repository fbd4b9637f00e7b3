"""The table of idempotency keys: which creation was already done, so that a repeated request does not do it again.

A record is written in the transaction of the change itself. It holds hashes only: neither the key nor the body of
the request can be found out from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import delete, insert, select

from gateway.stores.database import Store
from gateway.stores.schema import idempotency_keys as table


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """`target` names what was created. `created_at` is aware and whole seconds."""

    key_hash: bytes = field(repr=False)
    fingerprint: bytes = field(repr=False)
    target: str
    created_at: datetime


class IdempotencyTable:
    """The idempotency keys of a store. Every method raises StoreUnavailable when the store fails."""

    def __init__(self, database: Store) -> None:
        self._database = database

    async def find(self, key_hash: bytes) -> IdempotencyRecord | None:
        """What was recorded under a key; None when nothing was."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(table).where(table.c.key_hash == key_hash))).mappings().one_or_none()
        if row is None:
            return None
        return IdempotencyRecord(
            key_hash=row["key_hash"],
            fingerprint=row["fingerprint"],
            target=row["target"],
            created_at=datetime.fromtimestamp(row["created_at"], UTC),
        )

    async def insert(self, record: IdempotencyRecord) -> None:
        """Record a key that was not used before."""
        async with self._database.write() as connection:
            await connection.execute(
                insert(table).values(
                    key_hash=record.key_hash,
                    fingerprint=record.fingerprint,
                    target=record.target,
                    created_at=int(record.created_at.timestamp()),
                )
            )

    async def forget_before(self, moment: datetime) -> None:
        """Remove what was recorded before a moment."""
        async with self._database.write() as connection:
            await connection.execute(delete(table).where(table.c.created_at < int(moment.timestamp())))
