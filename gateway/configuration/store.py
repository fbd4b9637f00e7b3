"""Settings of the store: a file of this machine, or a database that several share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from gateway.configuration.group import Group
from gateway.configuration.types import Text, expected


def _host(value: str) -> str:
    if not value.isascii() or not all(character.isalnum() or character in "-.:" for character in value):
        raise expected("a host name or address, such as db.example.org")
    return value


class PostgresqlSettings(Group):
    """A PostgreSQL database. Connections are encrypted and its certificate verified, except to a loopback address."""

    host: Annotated[Text, AfterValidator(_host)]
    """Its name or address."""
    port: Annotated[int, Field(ge=1, le=65535)] = 5432
    """Its port."""
    database: Text
    """Name of the database; its tables are made by the gateway."""
    user: Text
    """Role that owns them."""
    password_file: Path | None = None
    """File with the role's password, mode 0600; null: the server asks for none."""
    ca_file: Path | None = None
    """Certificate authorities in PEM; null: the system's."""


class StoreSettings(Group):
    """Keys and credentials made on the command line or by the admin API."""

    path: Path = Path("var/gateway.db")
    """SQLite file, made when missing."""
    postgresql: PostgresqlSettings | None = None
    """A database instead, which gateways on several machines share."""
    stale_seconds: Annotated[int, Field(ge=3, le=60)] = 60
    """How long requests are served from memory while the store cannot be read, and no withdrawal is heard of."""
