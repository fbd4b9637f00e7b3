"""A look into the store that changes nothing: no file is made, no schema brought up, no lock held."""

from __future__ import annotations

import sqlite3
import stat
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, create_engine, select
from sqlalchemy.exc import SQLAlchemyError

from gateway.configuration.store import StoreSettings
from gateway.ports import StoreUnavailable
from gateway.store_services import postgresql_place
from gateway.stores.postgresql import PostgresqlPlace, postgresql_engines
from gateway.stores.schema import access_keys, schema_is_current, upstream_credentials
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
    return _look_into_file(settings.path) if settings.path.exists() else None


def _look(connection: Connection) -> StoreLook:
    if not schema_is_current(connection):
        return StoreLook(current=False)
    table = upstream_credentials
    active = select(table.c.name, table.c.account).where(table.c.state == CredentialState.ACTIVE.value)
    return StoreLook(
        current=True,
        credentials=tuple((row.name, row.account) for row in connection.execute(active)),
        sealed=tuple(
            row.secret_sealed
            for holding in (access_keys, table)
            for row in connection.execute(select(holding.c.secret_sealed))
        ),
    )


def _look_into_file(path: Path) -> StoreLook:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise StoreUnreadable(f"found {path} with mode {mode:04o}, expected 0600")
    engine = create_engine(
        "sqlite://", creator=lambda: sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    )
    try:
        with engine.connect() as connection:
            return _look(connection)
    except SQLAlchemyError as error:
        raise StoreUnreadable(f"found {path} unreadable ({getattr(error, 'orig', error)}), expected a store") from error
    finally:
        engine.dispose()


async def _look_into_database(place: PostgresqlPlace) -> StoreLook:
    engines = postgresql_engines(place)
    try:
        async with engines.readers.connect() as connection:
            return await connection.run_sync(_look)
    except engines.errors as error:
        raise StoreUnreadable(f"found {place} unreadable ({engines.cause(error)}), expected a store") from error
    finally:
        await engines.readers.dispose()
