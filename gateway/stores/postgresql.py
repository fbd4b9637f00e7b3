"""A store that several machines share: a PostgreSQL database.

Readers see one state of the store (REPEATABLE READ). A writer first raises the change counter, and the lock of that
one row makes writers queue, as SQLite's write lock does; what follows sees what those before committed (READ
COMMITTED). No request of a client waits for the database: gateways poll the counter once a second.

The connection is encrypted and the server's certificate verified, except on a loopback address.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from gateway.ports import StoreUnavailable
from gateway.secret import Secret
from gateway.stores.engines import Engines

CONNECT_SECONDS = 5.0
COMMAND_SECONDS = 10.0
"""How long one statement may take, on both sides of the connection."""
LOCK_SECONDS = 5.0
"""How long a writer waits for another's write to end."""
IDLE_SECONDS = 30.0
"""After this long without a statement the server ends a transaction: whoever held it is gone."""
POOL_SIZE = 4


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


def postgresql_engines(place: PostgresqlPlace) -> Engines:
    """The way to a database. Raises StoreUnavailable for a `ca_file` that cannot be read."""
    import asyncpg  # type: ignore[import-untyped]  # it has no marker for its types

    engine = create_async_engine(
        URL.create(
            "postgresql+asyncpg",
            username=place.user,
            password=place.password.reveal() if place.password is not None else None,
            host=place.host,
            port=place.port,
            database=place.database,
        ),
        connect_args={
            "ssl": _tls(place),
            "timeout": CONNECT_SECONDS,
            "command_timeout": COMMAND_SECONDS,
            "server_settings": {
                "application_name": "cos-gateway",
                "lock_timeout": f"{LOCK_SECONDS * 1000:.0f}",
                "statement_timeout": f"{COMMAND_SECONDS * 1000:.0f}",
                "idle_in_transaction_session_timeout": f"{IDLE_SECONDS * 1000:.0f}",
            },
        },
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=LOCK_SECONDS,
        # A server that was restarted meanwhile costs a new connection, not a failed command.
        pool_pre_ping=True,
        hide_parameters=True,
    )
    return Engines(
        str(place),
        engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True),
        engine.execution_options(isolation_level="READ COMMITTED"),
        _cause,
        (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError),
    )


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


def _cause(error: Exception) -> str:
    """The kind of error alone: the server's words may quote what a record holds."""
    told: BaseException = error
    original = getattr(error, "orig", None)
    if isinstance(original, BaseException):
        told = original.__cause__ or original
    return type(told).__name__
