"""The store and its vault for the length of one command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from gateway.credentials.access_keys import IssuedKeys
from gateway.credentials.upstream_credentials import HeldCredentials
from gateway.credentials.vault import Vault
from gateway.services import master_keys
from gateway.settings import Settings, load_settings
from gateway.stores.database import Database

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Session:
    """What key and credential commands work with."""

    settings: Settings
    keys: IssuedKeys
    credentials: HeldCredentials


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Session]:
    vault = Vault(master_keys(settings))
    async with await Database.open(settings.store.path) as database:
        yield Session(settings, IssuedKeys(database, vault), HeldCredentials(database, vault))


def with_session(config: Path | None, work: Callable[[Session], Awaitable[T]]) -> T:
    """Run `work` on the store that the configuration names.

    Raises SettingsErrors, MasterKeyError, PortError, and what `work` raises.
    """
    settings = load_settings(config)

    async def run() -> T:
        async with _opened(settings) as session:
            return await work(session)

    return asyncio.run(run())
