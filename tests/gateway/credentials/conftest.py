"""A store and a vault per test, over real files."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.credentials.access_keys import IssuedKeys
from gateway.credentials.master_key import MasterKey, new_master_key
from gateway.credentials.upstream_credentials import HeldCredentials
from gateway.credentials.vault import Vault
from gateway.stores.database import Database


class Clock:
    """Monotonic seconds that move when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def master_key() -> MasterKey:
    return new_master_key()


@pytest.fixture
def vault(master_key: MasterKey) -> Vault:
    return Vault([master_key])


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with await Database.open(tmp_path / "store.db", busy_timeout_seconds=0.2) as opened:
        yield opened


@pytest.fixture
def issued_keys(database: Database, vault: Vault) -> IssuedKeys:
    return IssuedKeys(database, vault)


@pytest.fixture
def held_credentials(database: Database, vault: Vault) -> HeldCredentials:
    return HeldCredentials(database, vault)
