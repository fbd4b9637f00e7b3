"""A look into the store that changes nothing: no file is made, no schema brought up, no lock held."""

from __future__ import annotations

import sqlite3
import stat
from dataclasses import dataclass, field
from pathlib import Path

import aiosqlite

from gateway.configuration.store import StoreSettings
from gateway.ports import StoreUnavailable
from gateway.store_services import postgresql_place
from gateway.stores.connection import Connection
from gateway.stores.postgresql import PostgresqlBackend, PostgresqlPlace
from gateway.stores.schema import schema_is_current
from gateway.stores.sqlite import SqliteConnection
from gateway.stores.upstream_credentials import CredentialState


class StoreUnreadable(Exception):
    """The store cannot be read."""


@dataclass(frozen=True, slots=True)
class StoreLook:
    """What is in a store. One that is not of this release, still to be brought up, has nothing to tell.

    `credentials` are name and account of those in use, `sealed` every secret as it lies there.
    """

    current: bool
    credentials: tuple[tuple[str, str], ...] = ()
    sealed: tuple[bytes, ...] = field(default=(), repr=False)


async def look_into(settings: StoreSettings) -> StoreLook | None:
    """A look into the store that the settings name; None when its file is not there yet. Raises StoreUnreadable."""
    if settings.postgresql is not None:
        try:
            return await _look_into_database(postgresql_place(settings.postgresql))
        except StoreUnavailable as error:
            raise StoreUnreadable(str(error)) from error
    address = _file_address(settings.path)
    return await _look_into_file(settings.path, address) if address is not None else None


async def _look(connection: Connection) -> StoreLook:
    if not await schema_is_current(connection):
        return StoreLook(current=False)
    active = "SELECT name, account FROM upstream_credentials WHERE state = :state"
    used = await connection.fetch(active, state=CredentialState.ACTIVE.value)
    keys = await connection.fetch("SELECT secret_sealed FROM access_keys")
    credentials = await connection.fetch("SELECT secret_sealed FROM upstream_credentials")
    return StoreLook(
        current=True,
        credentials=tuple((row["name"], row["account"]) for row in used),
        sealed=tuple(row["secret_sealed"] for row in (*keys, *credentials)),
    )


def _file_address(path: Path) -> str | None:
    """How the file is opened for reading only; None when it is not there."""
    if not path.exists():
        return None
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise StoreUnreadable(f"found {path} with mode {mode:04o}, expected 0600")
    return f"{path.absolute().as_uri()}?mode=ro"


async def _look_into_file(path: Path, address: str) -> StoreLook:
    try:
        async with aiosqlite.connect(address, uri=True) as driver:
            driver.row_factory = sqlite3.Row
            return await _look(SqliteConnection(driver))
    except sqlite3.Error as error:
        raise StoreUnreadable(f"found {path} unreadable ({error}), expected a store") from error


async def _look_into_database(place: PostgresqlPlace) -> StoreLook:
    backend = PostgresqlBackend(place)
    try:
        async with backend.transaction(writes=False) as connection:
            return await _look(connection)
    except backend.errors as error:
        raise StoreUnreadable(f"found {place} unreadable ({backend.cause(error)}), expected a store") from error
    finally:
        await backend.aclose()
