"""The table of access keys: records in and out, secrets sealed both ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from sqlalchemy import RowMapping, delete, insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.ports import KeyState
from gateway.stores.database import Store
from gateway.stores.errors import RecordExists, RecordNotFound
from gateway.stores.schema import access_keys, key_uses

ROWS_PER_PORTION = 200


@dataclass(frozen=True, slots=True)
class AccessKeyRecord:
    """A stored access key. `created_at` and `expires_at` are aware and whole seconds; no network means any."""

    id: str
    version: int
    secret_sealed: bytes = field(repr=False)
    principal: str
    label: str
    labels: Mapping[str, str]
    networks: tuple[IPv4Network | IPv6Network, ...]
    state: KeyState
    created_at: datetime
    expires_at: datetime | None


class AccessKeyTable:
    """The access keys of a store. Every method raises StoreUnavailable when the store fails."""

    def __init__(self, database: Store) -> None:
        self._database = database

    async def insert(self, record: AccessKeyRecord) -> None:
        """Add a key. Raises RecordExists."""
        async with self._database.write() as connection:
            try:
                await connection.execute(insert(access_keys).values(_row(record)))
            except IntegrityError:
                raise RecordExists(f"There is an access key {record.id!r} already.") from None

    async def get(self, access_key_id: str) -> AccessKeyRecord:
        """One key. Raises RecordNotFound."""
        async with self._database.read() as connection:
            result = await connection.execute(select(access_keys).where(access_keys.c.id == access_key_id))
            row = result.mappings().one_or_none()
        if row is None:
            raise _not_found(access_key_id)
        return _record(row)

    async def page(
        self, *, limit: int, after: tuple[int, str] | None = None, principal: str | None = None
    ) -> list[AccessKeyRecord]:
        """At most `limit` keys, the oldest first, of one principal if named; those that follow (Unix time, id)."""
        statement = select(access_keys).order_by(access_keys.c.created_at, access_keys.c.id).limit(limit)
        if principal is not None:
            statement = statement.where(access_keys.c.principal == principal)
        if after is not None:
            place = tuple_(access_keys.c.created_at, access_keys.c.id)
            statement = statement.where(place > tuple_(*after))
        async with self._database.read() as connection:
            result = await connection.execute(statement)
            return [_record(row) for row in result.mappings()]

    async def list(self) -> list[AccessKeyRecord]:
        """Every key, the oldest first."""
        async with self._database.read() as connection:
            return await select_access_keys(connection)

    async def replace(self, record: AccessKeyRecord) -> None:
        """Write what may be edited of a key: label, labels, networks, state and expiry. Raises RecordNotFound."""
        row = _row(record)
        edited = {name: row[name] for name in ("label", "labels", "networks", "state", "expires_at")}
        async with self._database.write() as connection:
            statement = update(access_keys).where(access_keys.c.id == record.id).values(edited)
            if (await connection.execute(statement)).rowcount == 0:
                raise _not_found(record.id)

    async def set_state(self, access_key_id: str, state: KeyState) -> None:
        """Enable or disable a key. Raises RecordNotFound."""
        async with self._database.write() as connection:
            statement = update(access_keys).where(access_keys.c.id == access_key_id).values(state=state.value)
            if (await connection.execute(statement)).rowcount == 0:
                raise _not_found(access_key_id)

    async def replace_sealed(self, record: AccessKeyRecord, secret_sealed: bytes) -> bool:
        """Exchange the sealed form of an unchanged key; False when it changed or went since it was read."""
        same = (access_keys.c.id == record.id) & (access_keys.c.secret_sealed == record.secret_sealed)
        async with self._database.write() as connection:
            result = await connection.execute(update(access_keys).where(same).values(secret_sealed=secret_sealed))
            return result.rowcount == 1

    async def delete(self, access_key_id: str) -> None:
        """Remove a key for good. Raises RecordNotFound."""
        async with self._database.write() as connection:
            await connection.execute(delete(key_uses).where(key_uses.c.id == access_key_id))
            result = await connection.execute(delete(access_keys).where(access_keys.c.id == access_key_id))
            if result.rowcount == 0:
                raise _not_found(access_key_id)


async def select_access_keys(connection: AsyncConnection) -> list[AccessKeyRecord]:
    """Every access key as that connection sees them, the oldest first."""
    statement = select(access_keys).order_by(access_keys.c.created_at, access_keys.c.id)
    # In portions: between two of them the event loop serves requests.
    async with connection.stream(statement, execution_options={"yield_per": ROWS_PER_PORTION}) as result:
        return [_record(row) async for row in result.mappings()]


def _row(record: AccessKeyRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "version": record.version,
        "secret_sealed": record.secret_sealed,
        "principal": record.principal,
        "label": record.label,
        "labels": dict(record.labels),
        "networks": [str(network) for network in record.networks],
        "state": record.state.value,
        "created_at": int(record.created_at.timestamp()),
        "expires_at": None if record.expires_at is None else int(record.expires_at.timestamp()),
    }


def _record(row: RowMapping) -> AccessKeyRecord:
    return AccessKeyRecord(
        id=row["id"],
        version=row["version"],
        secret_sealed=row["secret_sealed"],
        principal=row["principal"],
        label=row["label"],
        labels=row["labels"],
        networks=tuple(ip_network(text) for text in row["networks"]),
        state=KeyState(row["state"]),
        created_at=datetime.fromtimestamp(row["created_at"], UTC),
        expires_at=None if row["expires_at"] is None else datetime.fromtimestamp(row["expires_at"], UTC),
    )


def _not_found(access_key_id: str) -> RecordNotFound:
    return RecordNotFound(f"There is no access key {access_key_id!r}.")
