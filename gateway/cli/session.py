"""The store and its vault for the length of one command."""

from __future__ import annotations

import asyncio
import os
import pwd
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from gateway.audit import JsonLinesAuditLog
from gateway.credential_services import open_master_keys
from gateway.credentials.access_keys import IssuedKeys
from gateway.credentials.administration import Administration
from gateway.credentials.changes import Author, Terms
from gateway.credentials.upstream_credentials import HeldCredentials
from gateway.credentials.vault import Vault
from gateway.settings import Durability, Settings, load_settings
from gateway.store_services import open_store
from gateway.stores.database import Database

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Session:
    """What key and credential commands work with: `administration` for changes that are audited."""

    settings: Settings
    database: Database
    vault: Vault
    keys: IssuedKeys
    credentials: HeldCredentials
    administration: Administration


class OccasionalAuditLog:
    """Implements ports.AuditLog beside a gateway that appends to the same file; opened by the first event.

    A command that changes nothing needs no access to the log.
    """

    def __init__(self, settings: Settings) -> None:
        self._path = settings.audit.path
        self._sync = settings.audit.durability is Durability.DISK
        self._log: JsonLinesAuditLog | None = None

    async def record(self, event: Mapping[str, Any], described: bytes | None = None) -> None:
        """Append one event and wait until it is durable. Raises AuditUnavailable."""
        await self._opened().record(event, described)

    def note(self, event: Mapping[str, Any]) -> None:
        """Append one event, at the latest in `aclose`. Raises AuditUnavailable."""
        self._opened().note(event)

    async def aclose(self) -> None:
        """Write what is waiting, then close the file, if it was opened."""
        if self._log is not None:
            await self._log.aclose()

    def _opened(self) -> JsonLinesAuditLog:
        if self._log is None:
            self._log = JsonLinesAuditLog(self._path, sync=self._sync)
        return self._log


def local_terms(*, dry_run: bool = False) -> Terms:
    """Changes made on this machine, by the user who runs the command."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = f"uid-{os.getuid()}"
    return Terms(Author(f"local:{user}"), dry_run=dry_run)


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Session]:
    vault = Vault(await open_master_keys(settings))
    async with await open_store(settings.store) as database, aclosing(OccasionalAuditLog(settings)) as audit:
        yield Session(
            settings,
            database,
            vault,
            IssuedKeys(database, vault),
            HeldCredentials(database, vault),
            Administration(database, vault, audit),
        )


def with_session(config: Path | None, work: Callable[[Session], Awaitable[T]]) -> T:
    """Run `work` on the store that the configuration names.

    Raises SettingsErrors, MasterKeyError, PortError, and what `work` raises.
    """
    settings = load_settings(config)

    async def run() -> T:
        async with _opened(settings) as session:
            return await work(session)

    return asyncio.run(run())
