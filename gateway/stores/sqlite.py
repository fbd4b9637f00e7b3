"""The embedded store: one SQLite file, opened by the gateway and by its command line at the same time.

Write-ahead logging lets readers go on while one writes; writers take the write lock at the start of their
transaction, so that two of them queue instead of failing in the middle.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import stat
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import cast

import aiosqlite

from gateway.ports import StoreUnavailable
from gateway.stores.connection import Connection, ConstraintViolated, Row
from gateway.stores.pool import Pool

BUSY_TIMEOUT_SECONDS = 5.0
"""How long a writer waits for another process's write to end."""

SWITCH_PAUSE_SECONDS = 0.02
"""How long the opener of a new file waits before it tries again to switch its journal."""

POOL_SIZE = 8
POOL_SECONDS = 30.0
"""How long a task waits for one of the connections."""

_FILE_MODE = 0o600


class SqliteConnection:
    """One transaction of a file, as `gateway.stores.connection.Connection` describes it."""

    def __init__(self, driver: aiosqlite.Connection) -> None:
        self._driver = driver

    async def fetch(self, statement: str, **values: object) -> list[Row]:
        with _violations():
            return cast("list[Row]", await self._driver.execute_fetchall(statement, values))

    async def execute(self, statement: str, **values: object) -> int:
        with _violations():
            async with self._driver.execute(statement, values) as cursor:
                # -1 for what changes no rows.
                return max(cursor.rowcount, 0)

    async def has_table(self, name: str) -> bool:
        return bool(await self.fetch("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = :name", name=name))

    async def portions(self, statement: str, rows: int) -> AsyncGenerator[list[Row], None]:
        async with self._driver.execute(statement) as cursor:
            while portion := await cursor.fetchmany(rows):
                yield cast("list[Row]", portion)


class SqliteBackend:
    """The way to a file, which is created (mode 0600) when it is missing.

    Raises StoreUnavailable: no access, not a regular file, or readable by others.
    """

    errors: tuple[type[Exception], ...] = (sqlite3.Error, TimeoutError)
    types: Mapping[str, str] = {"binary": "BLOB", "serial": "INTEGER"}

    def __init__(self, path: Path, busy_timeout_seconds: float) -> None:
        _prepare_file(path)
        # At level DEBUG the driver logs every statement with its values.
        logging.getLogger("aiosqlite").setLevel(logging.INFO)
        self.place = str(path)
        self._path = path
        self._busy_timeout_seconds = busy_timeout_seconds
        self._pool = Pool[aiosqlite.Connection](
            POOL_SIZE, POOL_SECONDS, make=self._connect, usable=_always, end=_roll_back, close=_close, drop=_close
        )

    @asynccontextmanager
    async def transaction(self, *, writes: bool) -> AsyncIterator[Connection]:
        async with self._pool.taken() as driver:
            await driver.execute_fetchall("BEGIN IMMEDIATE" if writes else "BEGIN")
            yield SqliteConnection(driver)
            await driver.commit()

    async def lock_schema(self, connection: Connection) -> None:
        """The file's write lock is held already."""

    async def migrate(self) -> None:
        from gateway.stores.migration import migrate_file

        await asyncio.to_thread(migrate_file, self._path, self._busy_timeout_seconds)

    async def aclose(self) -> None:
        await self._pool.aclose()

    def cause(self, error: Exception) -> str:
        """The driver's words ("database is locked"); they hold no values."""
        return str(error) or type(error).__name__

    async def _connect(self) -> aiosqlite.Connection:
        # None: the driver begins no transaction of its own.
        driver = await aiosqlite.connect(self._path, isolation_level=None, timeout=self._busy_timeout_seconds)
        try:
            driver.row_factory = sqlite3.Row
            await _switch_to_wal(driver)
            # An acknowledged key survives a power cut: keys are written rarely, so the wait does not matter.
            await driver.execute_fetchall("PRAGMA synchronous = FULL")
            await driver.execute_fetchall("PRAGMA foreign_keys = ON")
            # A deleted key's sealed secret is overwritten in the file.
            await driver.execute_fetchall("PRAGMA secure_delete = ON")
        except BaseException:
            await _close(driver)
            raise
        return driver


async def _always(_driver: aiosqlite.Connection) -> bool:
    return True


async def _roll_back(driver: aiosqlite.Connection) -> bool:
    try:
        await driver.rollback()
    except sqlite3.Error:
        return False
    return True


async def _close(driver: aiosqlite.Connection) -> None:
    await driver.close()


@contextmanager
def _violations() -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise ConstraintViolated(str(error)) from error


async def _switch_to_wal(driver: aiosqlite.Connection) -> None:
    """Write-ahead logging, for good: it is a property of the file.

    Of several who open a new file at once only one can switch. SQLite tells the others at once that it is locked, and
    does not let them wait as for any other lock.
    """
    until = time.monotonic() + BUSY_TIMEOUT_SECONDS
    while True:
        try:
            await driver.execute_fetchall("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() >= until:
                raise
            await asyncio.sleep(SWITCH_PAUSE_SECONDS)
        else:
            return


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
