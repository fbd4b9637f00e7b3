"""The tables of the store, and the step that brings a database up to them.

`revisions` holds one row, a counter that every write transaction raises: a running gateway compares it to know
whether anything changed. Times are Unix seconds, UTC. Secrets are sealed (`gateway.credentials.envelope`) before
they reach this layer. The tables here and the migrations are compared by a test.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    inspect,
    select,
    text,
)

from gateway.ports import StoreUnavailable

SCHEMA_REVISION = "0004"
"""The newest migration; a test compares it with the migrations themselves."""

_MIGRATION_LOCK = 0x434F5347
"""Known to every gateway: "COSG"."""

MIGRATIONS = Path(__file__).parent / "migrations"

metadata = MetaData()

revisions = Table(
    "revisions",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="ck_revisions_single_row"), primary_key=True),
    Column("revision", BigInteger, nullable=False),
)

access_keys = Table(
    "access_keys",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("secret_sealed", LargeBinary, nullable=False),
    Column("principal", String(128), nullable=False),
    Column("label", String(128), nullable=False),
    Column("labels", JSON, nullable=False),
    Column("networks", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=True),
    Index("ix_access_keys_principal", "principal"),
)

upstream_credentials = Table(
    "upstream_credentials",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("account", String(128), nullable=False),
    Column("secret_id", String(256), nullable=False),
    Column("secret_sealed", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("remove_at", BigInteger, nullable=True),
    # The database itself keeps two versions from being active at once.
    Index(
        "ux_upstream_credentials_active",
        "name",
        unique=True,
        sqlite_where=text("state = 'active'"),
        postgresql_where=text("state = 'active'"),
    ),
)

admin_tokens = Table(
    "admin_tokens",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("role", String(16), nullable=False),
    Column("token_hash", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=True),
    Index("ux_admin_tokens_name", "name", unique=True),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key_hash", LargeBinary, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("target", String(128), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index("ix_idempotency_keys_created_at", "created_at"),
)

revoked_sessions = Table(
    "revoked_sessions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("revoked_at", BigInteger, nullable=False),
    Column("forget_at", BigInteger, nullable=False),
)

key_uses = Table(
    "key_uses",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("used_at", BigInteger, nullable=False),
)

_alembic_version = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))


def schema_is_current(connection: Connection) -> bool:
    """Whether the database is at SCHEMA_REVISION."""
    if not inspect(connection).has_table(_alembic_version.name):
        return False
    return connection.execute(select(_alembic_version.c.version_num)).scalar_one_or_none() == SCHEMA_REVISION


def migrate(connection: Connection) -> None:
    """Bring the database to SCHEMA_REVISION within the connection's transaction; nothing to do is fine.

    Raises StoreUnavailable when a newer release wrote the database.
    """
    if connection.dialect.name == "postgresql":
        # Of several gateways that start at once one migrates; SQLite's write lock is held already.
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
    if schema_is_current(connection):
        return
    # Alembic costs a third of a second to import, and almost no start needs it.
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError

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
