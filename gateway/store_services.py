"""The store that the settings name, opened: a part of the composition root."""

from __future__ import annotations

from gateway.configuration.secret_files import SecretFileError, read_secret_file
from gateway.configuration.store import PostgresqlSettings, StoreSettings
from gateway.ports import StoreUnavailable
from gateway.stores.database import Database
from gateway.stores.postgresql import PostgresqlPlace


async def open_store(settings: StoreSettings) -> Database:
    """The store, made or brought up when needed. Raises StoreUnavailable."""
    if settings.postgresql is None:
        return await Database.open(settings.path)
    return await Database.connect(postgresql_place(settings.postgresql))


def postgresql_place(settings: PostgresqlSettings) -> PostgresqlPlace:
    """Where the database is, with its password. Raises StoreUnavailable when that cannot be read."""
    try:
        password = read_secret_file(settings.password_file) if settings.password_file is not None else None
    except SecretFileError as error:
        raise StoreUnavailable(f"Expected the database's password in a file of mode 0600, got {error}.") from None
    return PostgresqlPlace(
        host=settings.host,
        port=settings.port,
        database=settings.database,
        user=settings.user,
        password=password,
        ca_file=settings.ca_file,
    )
