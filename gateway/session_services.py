"""What belongs to sessions and to the use of keys, built from settings: a part of the composition root."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

from cos.signing import WindowLimits
from gateway.authenticate import Authenticator
from gateway.credentials.expiring import ExpiryNotices
from gateway.credentials.key_uses import KeyUseLog
from gateway.credentials.snapshot import KeySnapshot
from gateway.credentials.vault import Vault
from gateway.credentials.watch import StoreWatch
from gateway.ports import AuditLog
from gateway.sessions.configured import configured_providers
from gateway.sessions.issue import SessionDesk
from gateway.sessions.opened import OpenSessions
from gateway.sessions.providers import Providers
from gateway.settings import Settings
from gateway.stores.database import Database
from policies.regions import Territories


@dataclass(frozen=True, slots=True)
class SessionServices:
    """`opened` judges sessions at the data port. `authenticator` takes the gateway's own keys only: it is for asking
    for a session, which no session may.
    """

    opened: OpenSessions
    uses: KeyUseLog
    authenticator: Authenticator
    desk: SessionDesk
    providers: Providers
    territories: Territories


@asynccontextmanager
async def session_services(
    settings: Settings,
    database: Database,
    watch: StoreWatch,
    vault: Vault,
    keys: KeySnapshot,
    audit: AuditLog,
    *,
    limits: WindowLimits,
    territories: Territories,
    notices: bool,
) -> AsyncIterator[SessionServices]:
    """Build them, write last uses while they run, and once more at the end. Raises OSError for a bad `ca_file`."""
    async with AsyncExitStack() as stack:
        uses = KeyUseLog(database)
        services = SessionServices(
            opened=OpenSessions(
                keys,
                watch,
                vault,
                territories=territories,
                providers=[provider.name for provider in settings.identity_providers],
            ),
            uses=uses,
            authenticator=Authenticator(keys, limits=limits, uses=uses, certificates=settings.tls.terms),
            desk=SessionDesk(
                vault,
                audit,
                default_seconds=settings.sts.default_session_seconds,
                max_seconds=settings.sts.max_session_seconds,
            ),
            providers=configured_providers(settings.identity_providers, stack),
            territories=territories,
        )
        if notices:
            watch.after_poll(ExpiryNotices(watch).look)
        writing = asyncio.create_task(uses.run())
        try:
            yield services
        finally:
            writing.cancel()
            with suppress(asyncio.CancelledError):
                await writing
