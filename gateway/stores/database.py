"""The store: a SQLite file of this machine (`gateway.stores.sqlite`) or a database that several share
(`gateway.stores.postgresql`), used in one way.

Every failure of the database becomes StoreUnavailable; statement parameters never appear in errors.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.ports import StoreUnavailable
from gateway.stores.engines import Engines
from gateway.stores.postgresql import PostgresqlPlace, postgresql_engines
from gateway.stores.schema import migrate, revisions, schema_is_current
from gateway.stores.sqlite import BUSY_TIMEOUT_SECONDS, sqlite_engines


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

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    @classmethod
    async def open(cls, path: Path, *, busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS) -> Self:
        """Open a file, creating it (mode 0600) and bringing its schema up when needed.

        Raises StoreUnavailable: no access, not a database, readable by others, or written by a newer release.
        """
        database = cls(sqlite_engines(path, busy_timeout_seconds))
        await database.bring_up()
        return database

    @classmethod
    async def connect(cls, place: PostgresqlPlace) -> Self:
        """Open a database, bringing its schema up when needed.

        Raises StoreUnavailable: not reached, not let in, or written by a newer release.
        """
        database = cls(postgresql_engines(place))
        await database.bring_up()
        return database

    async def bring_up(self) -> None:
        """Bring the schema to this release's; nothing to do is fine. The store is closed when that fails.

        Raises StoreUnavailable.
        """
        try:
            async with self.read() as connection:
                current = await connection.run_sync(schema_is_current)
            if not current:
                # Whoever comes second waits for the lock, then finds nothing to do.
                async with self._begin(self._engines.writers) as connection:
                    await connection.run_sync(migrate)
        except BaseException:
            await self.aclose()
            raise

    @property
    def place(self) -> str:
        """Names the store, for people."""
        return self._engines.place

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection that sees one state of the store. Raises StoreUnavailable."""
        async with self._begin(self._engines.readers) as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A connection whose changes are committed, durably, when the block ends; an exception undoes them.

        Raises StoreUnavailable, also when the write lock is not free in time.
        """
        async with self._begin(self._engines.writers) as connection:
            await connection.execute(update(revisions).values(revision=revisions.c.revision + 1))
            yield connection

    @asynccontextmanager
    async def measure(self) -> AsyncIterator[AsyncConnection]:
        """As `write`, for what is only measured: no running gateway reads its store anew because of it."""
        async with self._begin(self._engines.writers) as connection:
            # Writers queue here as they do to raise the counter; SQLite has made them queue before.
            await connection.execute(select(revisions.c.revision).with_for_update())
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
        await self._engines.readers.dispose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    @asynccontextmanager
    async def _begin(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        with _store_errors(self._engines):
            async with engine.begin() as connection:
                yield connection


@contextmanager
def _store_errors(engines: Engines) -> Iterator[None]:
    try:
        yield
    except engines.errors as error:
        raise StoreUnavailable(f"The store at {engines.place} cannot be used: {engines.cause(error)}.") from error
    except (ValueError, TypeError) as error:
        # What was written by hand: a state nobody knows, a text where a number belongs.
        raise StoreUnavailable(f"The store at {engines.place} holds a record that cannot be read: {error}.") from error
