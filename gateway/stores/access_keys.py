"""The table of access keys: records in and out, secrets sealed both ways."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from gateway.ports import KeyState
from gateway.stores.connection import Connection, ConstraintViolated, Row
from gateway.stores.database import Store
from gateway.stores.errors import RecordExists, RecordNotFound

ROWS_PER_PORTION = 200

_INSERT = """
    INSERT INTO access_keys
        (id, version, secret_sealed, principal, label, labels, networks, state, created_at, expires_at)
    VALUES (:id, :version, :secret_sealed, :principal, :label, :labels, :networks, :state, :created_at, :expires_at)
"""
_REPLACE = """
    UPDATE access_keys SET label = :label, labels = :labels, networks = :networks, state = :state,
        expires_at = :expires_at
    WHERE id = :id
"""
_LIST = "SELECT * FROM access_keys ORDER BY created_at, id"


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
                await connection.execute(_INSERT, **_row(record))
            except ConstraintViolated:
                raise RecordExists(f"There is an access key {record.id!r} already.") from None

    async def get(self, access_key_id: str) -> AccessKeyRecord:
        """One key. Raises RecordNotFound."""
        async with self._database.read() as connection:
            rows = await connection.fetch("SELECT * FROM access_keys WHERE id = :id", id=access_key_id)
            if not rows:
                raise _not_found(access_key_id)
            return _record(rows[0])

    async def page(
        self, *, limit: int, after: tuple[int, str] | None = None, principal: str | None = None
    ) -> list[AccessKeyRecord]:
        """At most `limit` keys, the oldest first, of one principal if named; those that follow (Unix time, id)."""
        chosen, values = ["1 = 1"], dict[str, object](limit=limit)
        if principal is not None:
            chosen.append("principal = :principal")
            values["principal"] = principal
        if after is not None:
            chosen.append("(created_at, id) > (:after_created_at, :after_id)")
            values["after_created_at"], values["after_id"] = after
        where = " AND ".join(chosen)
        statement = " ".join(("SELECT * FROM access_keys WHERE", where, "ORDER BY created_at, id LIMIT :limit"))
        async with self._database.read() as connection:
            return [_record(row) for row in await connection.fetch(statement, **values)]

    async def list(self) -> list[AccessKeyRecord]:
        """Every key, the oldest first."""
        async with self._database.read() as connection:
            return await select_access_keys(connection)

    async def replace(self, record: AccessKeyRecord) -> None:
        """Write what may be edited of a key: label, labels, networks, state and expiry. Raises RecordNotFound."""
        row = _row(record)
        edited = {name: row[name] for name in ("id", "label", "labels", "networks", "state", "expires_at")}
        async with self._database.write() as connection:
            if await connection.execute(_REPLACE, **edited) == 0:
                raise _not_found(record.id)

    async def set_state(self, access_key_id: str, state: KeyState) -> None:
        """Enable or disable a key. Raises RecordNotFound."""
        async with self._database.write() as connection:
            statement = "UPDATE access_keys SET state = :state WHERE id = :id"
            if await connection.execute(statement, id=access_key_id, state=state.value) == 0:
                raise _not_found(access_key_id)

    async def replace_sealed(self, record: AccessKeyRecord, secret_sealed: bytes) -> bool:
        """Exchange the sealed form of an unchanged key; False when it changed or went since it was read."""
        statement = "UPDATE access_keys SET secret_sealed = :new WHERE id = :id AND secret_sealed = :old"
        async with self._database.write() as connection:
            changed = await connection.execute(statement, new=secret_sealed, id=record.id, old=record.secret_sealed)
            return changed == 1

    async def delete(self, access_key_id: str) -> None:
        """Remove a key for good. Raises RecordNotFound."""
        async with self._database.write() as connection:
            await connection.execute("DELETE FROM key_uses WHERE id = :id", id=access_key_id)
            if await connection.execute("DELETE FROM access_keys WHERE id = :id", id=access_key_id) == 0:
                raise _not_found(access_key_id)


async def select_access_keys(connection: Connection) -> list[AccessKeyRecord]:
    """Every access key as that connection sees them, the oldest first."""
    # In portions: between two of them the event loop serves requests.
    async with aclosing(connection.portions(_LIST, ROWS_PER_PORTION)) as portions:
        return [_record(row) async for portion in portions for row in portion]


def _row(record: AccessKeyRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "version": record.version,
        "secret_sealed": record.secret_sealed,
        "principal": record.principal,
        "label": record.label,
        "labels": json.dumps(dict(record.labels)),
        "networks": json.dumps([str(network) for network in record.networks]),
        "state": record.state.value,
        "created_at": int(record.created_at.timestamp()),
        "expires_at": None if record.expires_at is None else int(record.expires_at.timestamp()),
    }


def _record(row: Row) -> AccessKeyRecord:
    return AccessKeyRecord(
        id=row["id"],
        version=row["version"],
        secret_sealed=row["secret_sealed"],
        principal=row["principal"],
        label=row["label"],
        labels=json.loads(row["labels"]),
        networks=tuple(ip_network(text) for text in json.loads(row["networks"])),
        state=KeyState(row["state"]),
        created_at=datetime.fromtimestamp(row["created_at"], UTC),
        expires_at=None if row["expires_at"] is None else datetime.fromtimestamp(row["expires_at"], UTC),
    )


def _not_found(access_key_id: str) -> RecordNotFound:
    return RecordNotFound(f"There is no access key {access_key_id!r}.")
