"""A look into the store that changes nothing: no file is made, no schema brought up, no lock held."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, create_engine, select
from sqlalchemy.exc import SQLAlchemyError

from gateway.stores.schema import access_keys, schema_is_current, upstream_credentials
from gateway.stores.upstream_credentials import CredentialState


class StoreUnreadable(Exception):
    """The store cannot be read."""


def stored_credentials(path: Path) -> list[tuple[str, str]]:
    """Name and account of every credential in use. A store of an older release, still to be migrated, has none to tell.

    Raises StoreUnreadable.
    """
    table = upstream_credentials
    active = select(table.c.name, table.c.account).where(table.c.state == CredentialState.ACTIVE.value)
    with _connected(path) as connection:
        if not schema_is_current(connection):
            return []
        return [(row.name, row.account) for row in connection.execute(active)]


def sealed_secrets(path: Path) -> list[bytes]:
    """Every secret of the store as it lies there. Raises StoreUnreadable."""
    tables = (access_keys, upstream_credentials)
    with _connected(path) as connection:
        if not schema_is_current(connection):
            return []
        return [row.secret_sealed for table in tables for row in connection.execute(select(table.c.secret_sealed))]


def is_current(path: Path) -> bool:
    """Whether a store is of this release. Raises StoreUnreadable."""
    with _connected(path) as connection:
        return schema_is_current(connection)


@contextmanager
def _connected(path: Path) -> Iterator[Connection]:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise StoreUnreadable(f"found {path} with mode {mode:04o}, expected 0600")
    engine = create_engine(
        "sqlite://", creator=lambda: sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    )
    try:
        with engine.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise StoreUnreadable(f"found {path} unreadable ({getattr(error, 'orig', error)}), expected a store") from error
    finally:
        engine.dispose()
