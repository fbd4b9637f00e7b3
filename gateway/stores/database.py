"""The embedded store: one SQLite file, opened by the gateway and by its command line at the same time.

Write-ahead logging lets readers go on while one writes; writers take the write lock at the start of their
transaction, so that two of them queue instead of failing in the middle. Every failure of the database becomes
StoreUnavailable; statement parameters never appear in errors.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from sqlalchemy import event, update
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway.ports import StoreUnavailable
from gateway.stores.schema import migrate, revisions, schema_is_current

BUSY_TIMEOUT_SECONDS = 5.0
"""How long a writer waits for another process's write to end."""

_FILE_MODE = 0o600


class Store(Protocol):
    """What the tables need: an open store, or one transaction of it."""

    def read(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A connection that sees one state of the store. Raises StoreUnavailable."""
        ...

    def write(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A connection whose changes are kept when the block ends. Raises StoreUnavailable."""
        ...


class Transaction:
    """A write transaction as a store: what is read and written through it happens together or not at all."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """The transaction's connection; it sees what was written before."""
        yield self._connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """The transaction's connection; what is written is committed with the transaction."""
        yield self._connection


class Database:
    """An open store. Use as an async context manager, or call `aclose`.

    `read()` gives a consistent view of everything in it; `write()` commits when its block ends and raises the
    change counter, so that no write can be missed by a running gateway.
    """

    def __init__(self, path: Path, engine: AsyncEngine) -> None:
        self.path = path
        self._engine = engine
        self._writer = engine.execution_options(begin_statement="BEGIN IMMEDIATE")

    @classmethod
    async def open(cls, path: Path, *, busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS) -> Self:
        """Open the store, creating the file (mode 0600) and bringing its schema up when needed.

        Raises StoreUnavailable: no access, not a database, readable by others, or written by a newer release.
        """
        _prepare_file(path)
        database = cls(path, _engine(path, busy_timeout_seconds))
        try:
            async with database.read() as connection:
                current = await connection.run_sync(schema_is_current)
            if not current:
                # Whoever comes second waits for the write lock, then finds nothing to do.
                async with database._begin(database._writer) as connection:
                    await connection.run_sync(migrate)
        except BaseException:
            await database.aclose()
            raise
        return database

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection that sees one state of the store. Raises StoreUnavailable."""
        async with self._begin(self._engine) as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A connection whose changes are committed, durably, when the block ends; an exception undoes them.

        Raises StoreUnavailable, also when the write lock is not free in time.
        """
        async with self._begin(self._writer) as connection:
            await connection.execute(update(revisions).values(revision=revisions.c.revision + 1))
            yield connection

    @asynccontextmanager
    async def measure(self) -> AsyncIterator[AsyncConnection]:
        """As `write`, for what is only measured: no running gateway reads its store anew because of it."""
        async with self._begin(self._writer) as connection:
            yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Several reads and writes as one change: committed when the block ends, undone by an exception.

        Raises StoreUnavailable as `write` does.
        """
        async with self.write() as connection:
            yield Transaction(connection)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._engine.dispose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    @asynccontextmanager
    async def _begin(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        with _store_errors(self.path):
            async with engine.begin() as connection:
                yield connection


@contextmanager
def _store_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        # The driver's words ("database is locked") without the statement.
        cause = getattr(error, "orig", None) or type(error).__name__
        raise StoreUnavailable(f"The store at {path} cannot be used: {cause}.") from error
    except (ValueError, TypeError) as error:
        # What was written by hand: a state nobody knows, a text where a number belongs.
        raise StoreUnavailable(f"The store at {path} holds a record that cannot be read: {error}.") from error


def _engine(path: Path, busy_timeout_seconds: float) -> AsyncEngine:
    # At level DEBUG the driver logs every statement with its parameters.
    logging.getLogger("aiosqlite").setLevel(logging.INFO)
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=str(path)),
        # None: the driver begins no transaction of its own, `_begin_transaction` does.
        connect_args={"isolation_level": None, "timeout": busy_timeout_seconds},
        hide_parameters=True,
    )
    event.listen(engine.sync_engine, "connect", _configure_connection)
    event.listen(engine.sync_engine, "begin", _begin_transaction)
    return engine


def _configure_connection(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    try:
        cursor.execute("PRAGMA journal_mode = WAL")
        # An acknowledged key survives a power cut: keys are written rarely, so the wait does not matter.
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        # A deleted key's sealed secret is overwritten in the file.
        cursor.execute("PRAGMA secure_delete = ON")
    finally:
        cursor.close()


def _begin_transaction(connection: Any) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin_statement", "BEGIN"))


def _prepare_file(path: Path) -> None:
    """Create the file with its mode before SQLite does with the process's; refuse one that others can read."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, _FILE_MODE)
        try:
            status = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StoreUnavailable(f"The store at {path} cannot be opened: {error.strerror}.") from error
    if not stat.S_ISREG(status.st_mode):
        raise StoreUnavailable(f"Expected the store at {path} to be a regular file.")
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise StoreUnavailable(
            f"Expected the store at {path} to be accessible by its owner only (mode 0600), got {mode:04o}; "
            "run chmod 600 on it."
        )
