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

from gateway.ports import StoreUnavailable
from gateway.stores.connection import Backend, Connection, ConstraintViolated
from gateway.stores.postgresql import PostgresqlBackend, PostgresqlPlace
from gateway.stores.schema import bring_up
from gateway.stores.sqlite import BUSY_TIMEOUT_SECONDS, SqliteBackend


class Store(Protocol):
    """What the tables need: an open store, or one transaction of it."""

    def read(self) -> AbstractAsyncContextManager[Connection]:
        """A connection that sees one state of the store. Raises StoreUnavailable."""
        ...

    def write(self) -> AbstractAsyncContextManager[Connection]:
        """A connection whose changes are kept when the block ends. Raises StoreUnavailable."""
        ...


class Transaction:
    """A write transaction as a store: what is read and written through it happens together or not at all."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        """The transaction's connection; it sees what was written before."""
        yield self._connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Connection]:
        """The transaction's connection; what is written is committed with the transaction."""
        yield self._connection


class Database:
    """An open store. Use as an async context manager, or call `aclose`.

    `read()` gives a consistent view of everything in it; `write()` commits when its block ends and raises the
    change counter, so that no write can be missed by a running gateway.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    @classmethod
    async def open(cls, path: Path, *, busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS) -> Self:
        """Open a file, creating it (mode 0600) and bringing its schema up when needed.

        Raises StoreUnavailable: no access, not a database, readable by others, or written by a newer release.
        """
        database = cls(SqliteBackend(path, busy_timeout_seconds))
        await database.bring_up()
        return database

    @classmethod
    async def connect(cls, place: PostgresqlPlace) -> Self:
        """Open a database, bringing its schema up when needed.

        Raises StoreUnavailable: not reached, not let in, or written by a newer release.
        """
        database = cls(PostgresqlBackend(place))
        await database.bring_up()
        return database

    async def bring_up(self) -> None:
        """Bring the schema to this release's; nothing to do is fine. The store is closed when that fails.

        Raises StoreUnavailable.
        """
        try:
            with _store_errors(self._backend):
                await bring_up(self._backend)
        except BaseException:
            await self.aclose()
            raise

    @property
    def place(self) -> str:
        """Names the store, for people."""
        return self._backend.place

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        """A connection that sees one state of the store. Raises StoreUnavailable."""
        async with self._begin(writes=False) as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Connection]:
        """A connection whose changes are committed, durably, when the block ends; an exception undoes them.

        Raises StoreUnavailable, also when the write lock is not free in time.
        """
        async with self._begin(writes=True) as connection:
            await connection.execute("UPDATE revisions SET revision = revision + 1")
            yield connection

    @asynccontextmanager
    async def measure(self) -> AsyncIterator[Connection]:
        """As `write`, for what is only measured: no running gateway reads its store anew because of it."""
        async with self._begin(writes=True) as connection:
            # Writers queue here as they do to raise the counter; SQLite has made them queue before.
            await connection.execute("UPDATE revisions SET revision = revision")
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
        await self._backend.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    @asynccontextmanager
    async def _begin(self, *, writes: bool) -> AsyncIterator[Connection]:
        with _store_errors(self._backend):
            async with self._backend.transaction(writes=writes) as connection:
                yield connection


@contextmanager
def _store_errors(backend: Backend) -> Iterator[None]:
    try:
        yield
    except ConstraintViolated as error:
        raise StoreUnavailable(f"The store at {backend.place} cannot be used: {error}.") from error
    except backend.errors as error:
        raise StoreUnavailable(f"The store at {backend.place} cannot be used: {backend.cause(error)}.") from error
    except (ValueError, TypeError) as error:
        # What was written by hand: a state nobody knows, a text where a number belongs.
        raise StoreUnavailable(f"The store at {backend.place} holds a record that cannot be read: {error}.") from error
