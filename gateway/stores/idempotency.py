"""The table of idempotency keys: which creation was already done, so that a repeated request does not do it again.

A record is written in the transaction of the change itself. It holds hashes only: neither the key nor the body of
the request can be found out from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from gateway.stores.database import Store

_INSERT = """
    INSERT INTO idempotency_keys (key_hash, fingerprint, target, created_at)
    VALUES (:key_hash, :fingerprint, :target, :created_at)
"""


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
            statement = "SELECT * FROM idempotency_keys WHERE key_hash = :key_hash"
            for row in await connection.fetch(statement, key_hash=key_hash):
                return IdempotencyRecord(
                    key_hash=row["key_hash"],
                    fingerprint=row["fingerprint"],
                    target=row["target"],
                    created_at=datetime.fromtimestamp(row["created_at"], UTC),
                )
        return None

    async def insert(self, record: IdempotencyRecord) -> None:
        """Record a key that was not used before."""
        async with self._database.write() as connection:
            await connection.execute(
                _INSERT,
                key_hash=record.key_hash,
                fingerprint=record.fingerprint,
                target=record.target,
                created_at=int(record.created_at.timestamp()),
            )

    async def forget_before(self, moment: datetime) -> None:
        """Remove what was recorded before a moment."""
        async with self._database.write() as connection:
            statement = "DELETE FROM idempotency_keys WHERE created_at < :moment"
            await connection.execute(statement, moment=int(moment.timestamp()))
