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
from pathlib import Path
from typing import Any

import aiosqlite
from sqlalchemy import event
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import create_async_engine

from gateway.ports import StoreUnavailable
from gateway.stores.engines import Engines

BUSY_TIMEOUT_SECONDS = 5.0
"""How long a writer waits for another process's write to end."""

SWITCH_PAUSE_SECONDS = 0.02
"""How long the opener of a new file waits before it tries again to switch its journal."""

_FILE_MODE = 0o600


def sqlite_engines(path: Path, busy_timeout_seconds: float) -> Engines:
    """The way to a file, which is created (mode 0600) when it is missing.

    Raises StoreUnavailable: no access, not a regular file, or readable by others.
    """
    _prepare_file(path)
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
    return Engines(str(path), engine, engine.execution_options(begin_statement="BEGIN IMMEDIATE"), _cause)


def _cause(error: Exception) -> str:
    """The driver's words ("database is locked") without the statement."""
    return str(getattr(error, "orig", None) or type(error).__name__)


def _configure_connection(connection: Any, _record: Any) -> None:
    connection.run_async(_switch_to_wal)
    cursor = connection.cursor()
    try:
        # An acknowledged key survives a power cut: keys are written rarely, so the wait does not matter.
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        # A deleted key's sealed secret is overwritten in the file.
        cursor.execute("PRAGMA secure_delete = ON")
    finally:
        cursor.close()


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
