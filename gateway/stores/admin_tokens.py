"""The table of admin tokens: who may ask the admin API for what. Of a token itself only a hash is stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from gateway.stores.connection import ConstraintViolated, Row
from gateway.stores.database import Store
from gateway.stores.errors import RecordExists, RecordNotFound

_INSERT = """
    INSERT INTO admin_tokens (id, name, role, token_hash, created_at, expires_at)
    VALUES (:id, :name, :role, :token_hash, :created_at, :expires_at)
"""


class Role(StrEnum):
    """What a token is for; each may do what the one before it may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    SECURITY = "security"


@dataclass(frozen=True, slots=True)
class AdminTokenRecord:
    """A stored admin token. Times are aware and whole seconds; `expires_at` None: never."""

    id: str
    name: str
    role: Role
    token_hash: bytes = field(repr=False)
    created_at: datetime
    expires_at: datetime | None


class AdminTokenTable:
    """The admin tokens of a store. Every method raises StoreUnavailable when the store fails."""

    def __init__(self, database: Store) -> None:
        self._database = database

    async def insert(self, record: AdminTokenRecord) -> None:
        """Add a token. Raises RecordExists when its name or id is taken."""
        async with self._database.write() as connection:
            try:
                await connection.execute(_INSERT, **_row(record))
            except ConstraintViolated:
                raise RecordExists(f"There is an admin token named {record.name!r} already.") from None

    async def get(self, token_id: str) -> AdminTokenRecord:
        """One token. Raises RecordNotFound."""
        async with self._database.read() as connection:
            rows = await connection.fetch("SELECT * FROM admin_tokens WHERE id = :id", id=token_id)
            if not rows:
                raise _not_found(token_id)
            return _record(rows[0])

    async def list(self) -> list[AdminTokenRecord]:
        """Every token, the oldest first."""
        async with self._database.read() as connection:
            rows = await connection.fetch("SELECT * FROM admin_tokens ORDER BY created_at, id")
            return [_record(row) for row in rows]

    async def delete(self, token_id: str) -> None:
        """Remove a token for good. Raises RecordNotFound."""
        async with self._database.write() as connection:
            if await connection.execute("DELETE FROM admin_tokens WHERE id = :id", id=token_id) == 0:
                raise _not_found(token_id)


def _row(record: AdminTokenRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "name": record.name,
        "role": record.role.value,
        "token_hash": record.token_hash,
        "created_at": int(record.created_at.timestamp()),
        "expires_at": None if record.expires_at is None else int(record.expires_at.timestamp()),
    }


def _record(row: Row) -> AdminTokenRecord:
    return AdminTokenRecord(
        id=row["id"],
        name=row["name"],
        role=Role(row["role"]),
        token_hash=row["token_hash"],
        created_at=datetime.fromtimestamp(row["created_at"], UTC),
        expires_at=None if row["expires_at"] is None else datetime.fromtimestamp(row["expires_at"], UTC),
    )


def _not_found(token_id: str) -> RecordNotFound:
    return RecordNotFound(f"There is no admin token {token_id!r}.")
