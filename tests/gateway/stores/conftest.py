"""An empty store per test. Every test that takes `database` is part of the contract each adapter has to keep."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.stores.database import Database


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["sqlite"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    assert request.param == "sqlite"
    async with await Database.open(tmp_path / "store.db") as opened:
        yield opened
