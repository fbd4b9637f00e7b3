"""A store that several machines share: a PostgreSQL database.

Readers see one state of the store (REPEATABLE READ). A writer first raises the change counter, and the lock of that
one row makes writers queue, as SQLite's write lock does; what follows sees what those before committed (READ
COMMITTED). No request of a client waits for the database: gateways poll the counter once a second.

The connection is encrypted and the server's certificate verified, except on a loopback address.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

from gateway.ports import StoreUnavailable
from gateway.secret import Secret
from gateway.stores.connection import Connection, ConstraintViolated, Row
from gateway.stores.pool import Pool

CONNECT_SECONDS = 5.0
COMMAND_SECONDS = 10.0
"""How long one statement may take, on both sides of the connection."""
LOCK_SECONDS = 5.0
"""How long a writer waits for another's write to end."""
IDLE_SECONDS = 30.0
"""After this long without a statement the server ends a transaction: whoever held it is gone."""
POOL_SIZE = 4
MIGRATION_LOCK = 0x434F5347
"""Known to every gateway: "COSG"."""

_TABLE = "SELECT 1 FROM pg_class WHERE relname = :name AND relkind = 'r' AND pg_table_is_visible(oid)"
_NAME = re.compile(r":([a-z_]+)")


@dataclass(frozen=True, slots=True)
class PostgresqlPlace:
    """Where the database is. `ca_file` None: the system's certificate authorities."""

    host: str
    port: int
    database: str
    user: str
    password: Secret | None = field(default=None, repr=False)
    ca_file: Path | None = None

    def __str__(self) -> str:
        return f"postgresql://{self.user}@{self.host}:{self.port}/{self.database}"


class PostgresqlConnection:
    """One transaction of a database, as `gateway.stores.connection.Connection` describes it."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    async def fetch(self, statement: str, **values: object) -> list[Row]:
        text, names = numbered(statement)
        with _violations():
            return cast("list[Row]", await self._driver.fetch(text, *[values[name] for name in names]))

    async def execute(self, statement: str, **values: object) -> int:
        text, names = numbered(statement)
        with _violations():
            # "UPDATE 3", "INSERT 0 1", "CREATE TABLE"
            status = await self._driver.execute(text, *[values[name] for name in names])
        count = status.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def has_table(self, name: str) -> bool:
        # Not to_regclass: it may not see yet what another transaction made since this one began.
        return bool(await self.fetch(_TABLE, name=name))

    async def portions(self, statement: str, rows: int) -> AsyncGenerator[list[Row], None]:
        cursor = await self._driver.cursor(statement)
        while portion := await cursor.fetch(rows):
            yield portion


class PostgresqlBackend:
    """The way to a database. Raises StoreUnavailable for a `ca_file` that cannot be read."""

    types: Mapping[str, str] = {"binary": "BYTEA", "serial": "SERIAL"}

    def __init__(self, place: PostgresqlPlace) -> None:
        import asyncpg  # type: ignore[import-untyped]  # it has no marker for its types

        self.place = str(place)
        self.errors: tuple[type[Exception], ...] = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)
        self._connect = partial(
            asyncpg.connect,
            host=place.host,
            port=place.port,
            user=place.user,
            password=place.password.reveal() if place.password is not None else None,
            database=place.database,
            ssl=_tls(place),
            timeout=CONNECT_SECONDS,
            command_timeout=COMMAND_SECONDS,
            server_settings={
                "application_name": "cos-gateway",
                "lock_timeout": f"{LOCK_SECONDS * 1000:.0f}",
                "statement_timeout": f"{COMMAND_SECONDS * 1000:.0f}",
                "idle_in_transaction_session_timeout": f"{IDLE_SECONDS * 1000:.0f}",
            },
        )
        self._pool = Pool[Any](
            POOL_SIZE, LOCK_SECONDS, make=self._connect, usable=self._answers, end=_ended, close=_close, drop=_drop
        )

    @asynccontextmanager
    async def transaction(self, *, writes: bool) -> AsyncIterator[Connection]:
        isolation = "read_committed" if writes else "repeatable_read"
        async with self._pool.taken() as driver, AsyncExitStack() as block:
            try:
                await block.enter_async_context(driver.transaction(isolation=isolation, readonly=not writes))
            except BaseException:
                # Given up while it began, it stays the driver's transaction: nobody could begin another one rightly.
                await _drop(driver)
                raise
            yield PostgresqlConnection(driver)

    async def lock_schema(self, connection: Connection) -> None:
        await connection.execute(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")

    async def migrate(self) -> None:
        from gateway.stores.migration import migrate_database

        await migrate_database(self._connect, MIGRATION_LOCK)

    async def aclose(self) -> None:
        await self._pool.aclose()

    def cause(self, error: Exception) -> str:
        """The kind of error alone: the server's words may quote what a record holds."""
        return type(error).__name__

    async def _answers(self, driver: Any) -> bool:
        # A server that was restarted meanwhile costs a new connection, not a failed command.
        try:
            await driver.execute("SELECT 1")
        except self.errors:
            return False
        return True


@lru_cache(maxsize=256)
def numbered(statement: str) -> tuple[str, tuple[str, ...]]:
    """`id = :id` as PostgreSQL has it, `id = $1`, and the names in the order of their numbers."""
    names = tuple(dict.fromkeys(_NAME.findall(statement)))
    return _NAME.sub(lambda found: f"${names.index(found[1]) + 1}", statement), names


async def _ended(driver: Any) -> bool:
    # The transaction's own block has rolled back; where that failed the connection is of no more use.
    return not driver.is_closed() and not driver.is_in_transaction()


async def _close(driver: Any) -> None:
    await driver.close(timeout=CONNECT_SECONDS)


async def _drop(driver: Any) -> None:
    driver.terminate()


@contextmanager
def _violations() -> Iterator[None]:
    from asyncpg import IntegrityConstraintViolationError

    try:
        yield
    except IntegrityConstraintViolationError as error:
        raise ConstraintViolated(type(error).__name__) from error


def _tls(place: PostgresqlPlace) -> ssl.SSLContext | bool:
    if place.ca_file is None and _is_loopback(place.host):
        return False
    try:
        return ssl.create_default_context(cafile=place.ca_file)
    except OSError as error:
        raise StoreUnavailable(f"The certificates in {place.ca_file} cannot be read: {error.strerror}.") from error


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
