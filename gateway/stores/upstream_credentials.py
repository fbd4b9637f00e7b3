"""The table of server-held COS credentials. A name has versions; at most one of them is active."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from gateway.stores.connection import Connection, ConstraintViolated, Row
from gateway.stores.database import Store
from gateway.stores.errors import RecordExists, RecordNotFound

_INSERT = """
    INSERT INTO upstream_credentials (name, version, account, secret_id, secret_sealed, state, created_at, remove_at)
    VALUES (:name, :version, :account, :secret_id, :secret_sealed, :state, :created_at, :remove_at)
"""
_RETIRE = """
    UPDATE upstream_credentials SET state = :retired, remove_at = :remove_at
    WHERE name = :name AND state = :active AND version != :version
"""
_ACTIVATE = """
    UPDATE upstream_credentials SET state = :active, remove_at = NULL WHERE name = :name AND version = :version
"""
_REPLACE_SEALED = """
    UPDATE upstream_credentials SET secret_sealed = :new
    WHERE name = :name AND version = :version AND secret_sealed = :old
"""


class CredentialState(StrEnum):
    """Where a version stands: not used yet, in use, or replaced and kept for the way back."""

    STAGED = "staged"
    ACTIVE = "active"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class UpstreamCredentialRecord:
    """One version of a stored credential. `account` is the cloud account (APPID) it belongs to.

    `remove_at` is when a retired version is drained and may go; None: it is kept until somebody removes it.
    """

    name: str
    version: int
    account: str
    secret_id: str = field(repr=False)
    secret_sealed: bytes = field(repr=False)
    state: CredentialState
    created_at: datetime
    remove_at: datetime | None = None


class UpstreamCredentialTable:
    """The upstream credentials of a store. Every method raises StoreUnavailable when the store fails."""

    def __init__(self, database: Store) -> None:
        self._database = database

    async def insert(self, record: UpstreamCredentialRecord) -> None:
        """Add a version. Raises RecordExists when it exists or the name has another active version."""
        async with self._database.write() as connection:
            try:
                await connection.execute(_INSERT, **_row(record))
            except ConstraintViolated:
                raise RecordExists(f"There is a credential {record.name!r} version {record.version} already.") from None

    async def versions(self, name: str) -> list[UpstreamCredentialRecord]:
        """The versions of one credential, the oldest first. Raises RecordNotFound."""
        async with self._database.read() as connection:
            statement = "SELECT * FROM upstream_credentials WHERE name = :name ORDER BY version"
            records = [_record(row) for row in await connection.fetch(statement, name=name)]
        if not records:
            raise _not_found(name)
        return records

    async def list(self) -> list[UpstreamCredentialRecord]:
        """Every version of every credential, by name."""
        async with self._database.read() as connection:
            return await select_upstream_credentials(connection)

    async def activate(self, name: str, version: int, *, remove_previous_at: datetime | None = None) -> None:
        """Make one version the active one; the one that was becomes retired, in one step. Raises RecordNotFound."""
        remove_at = None if remove_previous_at is None else int(remove_previous_at.timestamp())
        active, retired = CredentialState.ACTIVE.value, CredentialState.RETIRED.value
        async with self._database.write() as connection:
            await connection.execute(
                _RETIRE, name=name, version=version, active=active, retired=retired, remove_at=remove_at
            )
            if await connection.execute(_ACTIVATE, name=name, version=version, active=active) == 0:
                raise _not_found(name, version)

    async def replace_sealed(self, record: UpstreamCredentialRecord, secret_sealed: bytes) -> bool:
        """Exchange the sealed form of an unchanged version; False when it changed or went since it was read."""
        async with self._database.write() as connection:
            changed = await connection.execute(
                _REPLACE_SEALED,
                name=record.name,
                version=record.version,
                old=record.secret_sealed,
                new=secret_sealed,
            )
            return changed == 1

    async def delete(self, name: str, version: int | None = None) -> None:
        """Remove one version, or the whole credential when None. Raises RecordNotFound."""
        statement, values = "DELETE FROM upstream_credentials WHERE name = :name", dict[str, object](name=name)
        if version is not None:
            statement += " AND version = :version"
            values["version"] = version
        async with self._database.write() as connection:
            if await connection.execute(statement, **values) == 0:
                raise _not_found(name, version)


async def select_upstream_credentials(connection: Connection) -> list[UpstreamCredentialRecord]:
    """Every version of every credential as that connection sees them, by name and version."""
    rows = await connection.fetch("SELECT * FROM upstream_credentials ORDER BY name, version")
    return [_record(row) for row in rows]


def _row(record: UpstreamCredentialRecord) -> dict[str, Any]:
    return {
        "name": record.name,
        "version": record.version,
        "account": record.account,
        "secret_id": record.secret_id,
        "secret_sealed": record.secret_sealed,
        "state": record.state.value,
        "created_at": int(record.created_at.timestamp()),
        "remove_at": None if record.remove_at is None else int(record.remove_at.timestamp()),
    }


def _record(row: Row) -> UpstreamCredentialRecord:
    return UpstreamCredentialRecord(
        name=row["name"],
        version=row["version"],
        account=row["account"],
        secret_id=row["secret_id"],
        secret_sealed=row["secret_sealed"],
        state=CredentialState(row["state"]),
        created_at=datetime.fromtimestamp(row["created_at"], UTC),
        remove_at=None if row["remove_at"] is None else datetime.fromtimestamp(row["remove_at"], UTC),
    )


def _not_found(name: str, version: int | None = None) -> RecordNotFound:
    which = "" if version is None else f" version {version}"
    return RecordNotFound(f"There is no credential {name!r}{which}.")
