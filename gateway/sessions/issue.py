"""Issuing sessions: audited, bounded in time, never wider and never longer than what they are issued for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gateway.credentials.access_keys import new_secret
from gateway.credentials.vault import Vault
from gateway.ports import AccessKey, AuditLog
from gateway.secret import Secret
from gateway.sessions.opened import PROVIDER_PREFIX, parent_check
from gateway.sessions.token import Grant, new_session_id, seal_token
from policies.narrowing import Narrowing

MIN_SECONDS = 60
MAX_SECONDS = 43_200
"""Twelve hours: longer than this no session lasts, whatever is configured."""


class RefusedSession(Exception):
    """A session that is not issued; the text says why and holds no secret."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a session is wanted for. `seconds` None: as long as is usual here."""

    seconds: int | None = None
    narrowing: Narrowing | None = None
    client: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class IssuedSession:
    """A new session. Neither its secret nor its token is shown again."""

    id: str
    secret: Secret
    token: Secret
    expires_at: datetime


class SessionDesk:
    """Issues sessions. `clock` gives Unix seconds."""

    def __init__(
        self,
        vault: Vault,
        audit: AuditLog,
        *,
        default_seconds: int,
        max_seconds: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._vault = vault
        self._audit = audit
        self._default_seconds = min(default_seconds, max_seconds)
        self._max_seconds = max_seconds
        self._clock = clock

    async def issue_for_key(self, key: AccessKey, asked: Asked) -> IssuedSession:
        """A session of a key that was proved. It ends with the key. Raises RefusedSession, Sealed, AuditUnavailable."""
        if key.session is not None:
            raise RefusedSession("A session cannot be issued for a session.")
        not_after = int(key.expires_at.timestamp()) if key.expires_at is not None else None
        check = parent_check(key.secret)
        return await self._issue(key.principal, key.id, check, asked, not_after=not_after, also={})

    async def issue_for_identity(
        self, *, principal: str, provider: str, also: Mapping[str, Any], asked: Asked
    ) -> IssuedSession:
        """A session of an identity that its provider has proved. `also` are fields for the audit log.

        Raises RefusedSession, Sealed, AuditUnavailable.
        """
        return await self._issue(principal, PROVIDER_PREFIX + provider, b"", asked, not_after=None, also=also)

    async def _issue(
        self,
        principal: str,
        parent: str,
        check: bytes,
        asked: Asked,
        *,
        not_after: int | None,
        also: Mapping[str, Any],
    ) -> IssuedSession:
        now = int(self._clock())
        seconds = self._default_seconds if asked.seconds is None else asked.seconds
        if not MIN_SECONDS <= seconds <= self._max_seconds:
            raise RefusedSession(f"Expected a duration of {MIN_SECONDS} to {self._max_seconds} seconds, got {seconds}.")
        expires_at = now + seconds
        if not_after is not None:
            expires_at = min(expires_at, not_after)
        grant = Grant(
            id=new_session_id(),
            secret=new_secret(),
            principal=principal,
            parent=parent,
            parent_check=check,
            issued_at=now,
            expires_at=expires_at,
            policy=asked.narrowing.text if asked.narrowing is not None else None,
        )
        token = seal_token(self._vault, grant)
        ends = datetime.fromtimestamp(expires_at, UTC)
        # Nobody holds a session that the audit log does not know of.
        await self._audit.record(
            {
                "type": "session",
                "action": "sessions.issue",
                "session_id": grant.id,
                "principal": principal,
                "parent": parent,
                "expires_at": ends,
                "policy": asked.narrowing.digest if asked.narrowing is not None else None,
                "client": asked.client,
                "request_id": asked.request_id,
                **also,
            }
        )
        return IssuedSession(grant.id, grant.secret, token, ends)
