"""An empty store per test. Every test that takes `database` is part of the contract each adapter has to keep."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.stores.database import Database
from tests.support.postgresql import PostgresqlServer, postgresql_server, programs


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """A server for all tests of this process."""
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL is not installed")
    with postgresql_server(found) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    if request.param == "sqlite":
        opened = await Database.open(tmp_path / "store.db")
    else:
        opened = await Database.connect(request.getfixturevalue("postgresql").new_database())
    async with opened:
        yield opened
