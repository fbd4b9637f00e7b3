"""Ending sessions before their time: one audited change each. The sessions themselves are nowhere listed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from gateway.credentials.changes import Changes, Outcome, Terms
from gateway.credentials.views import SessionView
from gateway.stores.errors import InvalidRecord
from gateway.stores.revoked_sessions import RevokedSessionTable

KEEP = timedelta(days=2)
"""How long an ended session is remembered: longer than any could have lasted."""

_ID = re.compile(r"GWTK[A-Z2-7]{32}", re.ASCII)


class SessionAdministration:
    """Raises StoreUnavailable and AuditUnavailable."""

    def __init__(self, changes: Changes, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._changes = changes
        self._clock = clock

    async def end(self, session_id: str, terms: Terms) -> Outcome[SessionView]:
        """End a session; running gateways follow within their poll interval. Ending it again changes nothing.

        Whether there is a session of that id only its holder could show. Raises InvalidRecord.
        """
        if _ID.fullmatch(session_id) is None:
            raise InvalidRecord(f"Expected the id of a session, such as GWTK and 32 more, got {session_id[:40]!r}.")
        before, after = SessionView(id=session_id, ended=False), SessionView(id=session_id, ended=True)
        async with self._changes.open(terms) as change:
            if not await RevokedSessionTable(change.store).insert(session_id, now=self._clock(), keep=KEEP):
                before = after
            change.done("sessions.end", target=session_id, before=before, after=after)
        return Outcome(before, after)
