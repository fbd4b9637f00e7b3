"""Alembic migrations of the store, run by `gateway.stores.migration`."""
