"""A store of the first release is brought up with everything in it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from gateway.stores.admin_tokens import AdminTokenTable
from gateway.stores.contents import read_contents
from gateway.stores.database import Database
from gateway.stores.migration import MIGRATIONS


async def test_keys_of_the_first_schema_are_there_after_the_migration(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.touch(mode=0o600)
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    with sqlite3.connect(path) as raw:
        raw.execute(
            "INSERT INTO access_keys "
            "VALUES ('GWAKOLD', 1, x'00', 'team:media', '', '{}', '[]', 'active', 1782864000, NULL)"
        )
    raw.close()
    async with await Database.open(path) as database:
        contents = await read_contents(database)
        assert list(contents.access_keys) == ["GWAKOLD"]
        assert await AdminTokenTable(database).list() == []
