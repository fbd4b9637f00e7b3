"""How Alembic runs here: on the connection, and in the transaction, that `gateway.stores.migration` hands over."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

connection: Connection = context.config.attributes["connection"]
# The caller's transaction holds every step: a migration is whole or did not happen.
context.configure(connection=connection, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
