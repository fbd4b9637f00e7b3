"""The steps from an earlier release's schema to this one's, taken by Alembic.

Imported by the start that finds an older store, and by no other: Alembic and SQLAlchemy take 25 MiB of memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from gateway.ports import StoreUnavailable
from gateway.stores.schema import SCHEMA_REVISION

MIGRATIONS = Path(__file__).parent / "migrations"


def migrate_file(path: Path, busy_timeout_seconds: float) -> None:
    """Bring up a SQLite file; whoever comes second waits for its write lock, then finds nothing to do.

    Raises StoreUnavailable and sqlite3.Error.
    """
    engine = create_engine(
        "sqlite://",
        # None: the driver begins no transaction of its own.
        creator=lambda: sqlite3.connect(path, isolation_level=None, timeout=busy_timeout_seconds),
        poolclass=NullPool,
    )
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            _upgrade(connection)
            connection.commit()
    except SQLAlchemyError as error:
        raise _original(error) from error


async def migrate_database(connect: Callable[[], Awaitable[Any]], lock: int) -> None:
    """Bring up a PostgreSQL database, over a connection that `connect` makes, under an advisory lock.

    Raises StoreUnavailable and what the driver raises.
    """
    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock})
            await connection.run_sync(_upgrade)
    except SQLAlchemyError as error:
        raise _original(error) from error
    finally:
        await engine.dispose()


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, SCHEMA_REVISION)
    except CommandError as error:
        raise StoreUnavailable(
            f"The store's schema is not one this release knows (it knows up to {SCHEMA_REVISION}): "
            "it was written by a newer release."
        ) from error


def _original(error: SQLAlchemyError) -> BaseException:
    """What the driver raised, without the statement."""
    told = getattr(error, "orig", None)
    original = told.__cause__ or told if isinstance(told, BaseException) else None
    return original or StoreUnavailable(f"The store's schema cannot be brought up: {type(error).__name__}.")
