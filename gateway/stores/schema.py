"""The tables of the store, and the step that brings a database up to them.

`revisions` holds one row, a counter that every write transaction raises: a running gateway compares it to know
whether anything changed. Times are Unix seconds, UTC. Secrets are sealed (`gateway.credentials.envelope`) before
they reach this layer. What is made here and what the migrations make of an older store is compared by a test.
"""

from __future__ import annotations

from gateway.stores.connection import Backend, Connection

SCHEMA_REVISION = "0004"
"""The newest migration; a test compares it with the migrations themselves."""

_TABLES = (
    """CREATE TABLE alembic_version (
        version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
    )""",
    """CREATE TABLE revisions (
        id {serial} NOT NULL, revision BIGINT NOT NULL,
        PRIMARY KEY (id), CONSTRAINT ck_revisions_single_row CHECK (id = 1)
    )""",
    """CREATE TABLE access_keys (
        id VARCHAR(128) NOT NULL, version INTEGER NOT NULL, secret_sealed {binary} NOT NULL,
        principal VARCHAR(128) NOT NULL, label VARCHAR(128) NOT NULL, labels JSON NOT NULL, networks JSON NOT NULL,
        state VARCHAR(16) NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT,
        PRIMARY KEY (id)
    )""",
    "CREATE INDEX ix_access_keys_principal ON access_keys (principal)",
    """CREATE TABLE upstream_credentials (
        name VARCHAR(128) NOT NULL, version INTEGER NOT NULL, account VARCHAR(128) NOT NULL,
        secret_id VARCHAR(256) NOT NULL, secret_sealed {binary} NOT NULL, state VARCHAR(16) NOT NULL,
        created_at BIGINT NOT NULL, remove_at BIGINT,
        PRIMARY KEY (name, version)
    )""",
    # The database itself keeps two versions from being active at once.
    "CREATE UNIQUE INDEX ux_upstream_credentials_active ON upstream_credentials (name) WHERE state = 'active'",
    """CREATE TABLE admin_tokens (
        id VARCHAR(32) NOT NULL, name VARCHAR(64) NOT NULL, role VARCHAR(16) NOT NULL,
        token_hash {binary} NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT,
        PRIMARY KEY (id)
    )""",
    "CREATE UNIQUE INDEX ux_admin_tokens_name ON admin_tokens (name)",
    """CREATE TABLE idempotency_keys (
        key_hash {binary} NOT NULL, fingerprint {binary} NOT NULL, target VARCHAR(128) NOT NULL,
        created_at BIGINT NOT NULL,
        PRIMARY KEY (key_hash)
    )""",
    "CREATE INDEX ix_idempotency_keys_created_at ON idempotency_keys (created_at)",
    """CREATE TABLE revoked_sessions (
        id VARCHAR(64) NOT NULL, revoked_at BIGINT NOT NULL, forget_at BIGINT NOT NULL,
        PRIMARY KEY (id)
    )""",
    """CREATE TABLE key_uses (
        id VARCHAR(128) NOT NULL, used_at BIGINT NOT NULL,
        PRIMARY KEY (id)
    )""",
    "INSERT INTO revisions (id, revision) VALUES (1, 1)",
)


async def schema_is_current(connection: Connection) -> bool:
    """Whether the database is at SCHEMA_REVISION."""
    return await _revision(connection) == SCHEMA_REVISION


async def bring_up(backend: Backend) -> None:
    """Bring the database to SCHEMA_REVISION: at once when it is empty, else by the migrations.

    Raises StoreUnavailable when a newer release wrote it, and what `backend.errors` lists.
    """
    async with backend.transaction(writes=False) as connection:
        if await schema_is_current(connection):
            return
    async with backend.transaction(writes=True) as connection:
        await backend.lock_schema(connection)
        # Whoever comes second finds it done.
        revision = await _revision(connection)
        if revision is None:
            for statement in _TABLES:
                await connection.execute(statement.format_map(backend.types))
            insert = "INSERT INTO alembic_version (version_num) VALUES (:revision)"
            await connection.execute(insert, revision=SCHEMA_REVISION)
            return
    if revision != SCHEMA_REVISION:
        await backend.migrate()


async def _revision(connection: Connection) -> str | None:
    if not await connection.has_table("alembic_version"):
        return None
    rows = await connection.fetch("SELECT version_num FROM alembic_version")
    return str(rows[0]["version_num"]) if rows else None
