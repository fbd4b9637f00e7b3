"""Removing the versions that a rotation replaced, once no gateway can sign with them any more.

The moment stands in the record, so the end of a rotation needs nobody who waits for it: every gateway on the store
looks, one of them removes, and one that starts finds what was due while none ran.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from gateway.credentials.changes import Author, Terms
from gateway.credentials.credential_administration import CredentialAdministration
from gateway.credentials.watch import StoreWatch
from gateway.ports import PortError, StoreUnavailable
from gateway.stores.errors import RecordConflict, RecordNotFound
from gateway.stores.upstream_credentials import CredentialState, UpstreamCredentialRecord

LOOK_SECONDS = 1.0
RETRY_SECONDS = 15.0
AUTHOR = Author("gateway")
"""Whom the audit log names: nobody asks at that moment; who rotated stands in the line of the switch."""

_log = structlog.get_logger(__name__)


class Drain:
    """Removes what is due. Keep `run` going as a task; `clock` gives the time of day."""

    def __init__(
        self,
        watch: StoreWatch,
        credentials: CredentialAdministration,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._watch = watch
        self._credentials = credentials
        self._clock = clock

    async def run(self) -> None:
        """Look until cancelled. What cannot be removed now is tried again."""
        while True:
            try:
                await self.sweep()
            except PortError as error:
                _log.warning("credential_not_drained", reason=str(error))
                await asyncio.sleep(RETRY_SECONDS)
            await asyncio.sleep(LOOK_SECONDS)

    async def sweep(self) -> None:
        """Remove every version that is due. Raises StoreUnavailable, AuditUnavailable."""
        now = self._clock()
        for record in self._due(now):
            try:
                await self._credentials.remove_drained(record.name, record.version, Terms(AUTHOR), now=now)
            except (RecordNotFound, RecordConflict):
                # Another gateway was faster, or somebody went back to it.
                continue
            _log.info("credential_version_drained", credential=record.name, version=record.version)

    def _due(self, now: datetime) -> list[UpstreamCredentialRecord]:
        try:
            records = self._watch.contents.upstream_credentials
        except StoreUnavailable:
            # The poll says so.
            return []
        # A way back that is the only one left is kept.
        used = {record.name for record in records if record.state is CredentialState.ACTIVE}
        return [
            record
            for record in records
            if record.remove_at is not None and record.remove_at <= now and record.name in used
        ]
