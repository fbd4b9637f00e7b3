"""One change of the store as a whole: its transaction, its audit line, its idempotency key, its dry run.

    async with changes.open(terms) as change:
        ...                                     # read and write through change.store
        change.done("access_keys.edit", target=key.id, before=old, after=new)

Before the transaction is committed the change is in the audit log, durably, with what was before and after: a change
without its line cannot exist. Killed between the two, the line stands and the change does not; a line
`admin_unconfirmed` follows where the commit failed and the gateway lived on. A dry run goes the same way and is
undone at the end, so that it meets exactly the refusals that the change would meet.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from gateway.credentials.views import AccessKeyView, AdminTokenView, CredentialView, SessionView, View
from gateway.ports import AuditLog
from gateway.secret import Secret
from gateway.stores.database import Database, Transaction
from gateway.stores.errors import RecordChanged, RecordConflict, RecordNotFound, RequestMismatch
from gateway.stores.idempotency import IdempotencyRecord, IdempotencyTable

IDEMPOTENCY_DAYS = 1
"""How long a repeated creation is recognised."""

V = TypeVar("V", AccessKeyView, CredentialView, AdminTokenView, SessionView)


@dataclass(frozen=True, slots=True)
class Author:
    """Who asks for a change, as the audit log names them: a token, or a user of the machine."""

    name: str
    token_id: str | None = None
    client: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Idempotency:
    """The key a creation was sent under, by whom, and what was asked for: `request` is compared as it is."""

    scope: str
    key: str = field(repr=False)
    request: bytes = field(repr=False)

    @property
    def key_hash(self) -> bytes:
        """Finds the record; the key cannot be found out from it."""
        return hashlib.sha256(f"{self.scope}\0{self.key}".encode()).digest()

    @property
    def fingerprint(self) -> bytes:
        """Tells the request again; keyed, because the request may hold a secret."""
        return hmac.digest(f"{self.scope}\0{self.key}".encode(), self.request, "sha256")


@dataclass(frozen=True, slots=True)
class Terms:
    """How a change is to be made. `if_match`: tags of which the record must bear one; None: whatever it is."""

    author: Author
    dry_run: bool = False
    if_match: frozenset[str] | None = None
    idempotency: Idempotency | None = None

    def check(self, present: AccessKeyView | CredentialView | AdminTokenView) -> None:
        """Raises RecordChanged when the record is not what the asker saw."""
        if self.if_match is not None and present.etag not in self.if_match:
            raise RecordChanged("The record was changed since it was read; read it again.")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[V]):
    """What a change did, or would do. `before` None: created; `after` None: removed.

    `secret` is given once, by the change that made it. `replayed`: it was done before, under the same key.
    """

    before: V | None
    after: V | None
    secret: Secret | None = None
    replayed: bool = False


@dataclass(slots=True)
class Change:
    """A change that is under way. `replayed` is what the same request created before; then nothing is to be done."""

    store: Transaction
    replayed: str | None = None
    described: dict[str, Any] | None = None
    target: str = ""

    def done(
        self,
        action: str,
        *,
        target: str,
        before: View | None,
        after: View | None,
        also: dict[str, Any] | None = None,
    ) -> None:
        """Say what was changed, for the audit log. `also` are further fields."""
        self.target = target
        self.described = {
            "action": action,
            "target": target,
            "before": before.model_dump(mode="json") if before is not None else None,
            "after": after.model_dump(mode="json") if after is not None else None,
            **(also or {}),
        }


class _Undo(Exception):
    """Leaves a transaction without committing it."""


class Changes:
    """Opens changes of one store. `applied` is called after each that was committed."""

    def __init__(
        self,
        database: Database,
        audit: AuditLog,
        *,
        applied: Callable[[], Awaitable[None]] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._audit = audit
        self._applied = applied
        self._clock = clock

    @asynccontextmanager
    async def open(self, terms: Terms) -> AsyncIterator[Change]:
        """A change in a transaction of its own, committed when the block ends.

        Raises RequestMismatch, RecordConflict when what it created before is gone, StoreUnavailable, and
        AuditUnavailable; then nothing was changed.
        """
        event: dict[str, Any] | None = None
        try:
            async with self._database.transaction() as store:
                change = Change(store, replayed=await self._replayed(store, terms.idempotency))
                try:
                    yield change
                except RecordNotFound:
                    if change.replayed is None:
                        raise
                    raise RecordConflict("What this request created before was removed since.") from None
                if terms.dry_run or change.replayed is not None:
                    raise _Undo
                if change.described is None:
                    raise RuntimeError("a change was made without saying what it was")
                await self._remember(store, terms.idempotency, change.target)
                described = {**described_author(terms.author), **change.described}
                await self._audit.record({"type": "admin", **described})
                event = described
        except _Undo:
            return
        except BaseException:
            if event is not None:
                self._audit.note({"type": "admin_unconfirmed", **event})
            raise
        if self._applied is not None:
            await self._applied()

    async def _replayed(self, store: Transaction, idempotency: Idempotency | None) -> str | None:
        if idempotency is None:
            return None
        known = await IdempotencyTable(store).find(idempotency.key_hash)
        if known is None or known.created_at <= self._clock() - timedelta(days=IDEMPOTENCY_DAYS):
            return None
        if not hmac.compare_digest(known.fingerprint, idempotency.fingerprint):
            raise RequestMismatch("The idempotency key was used before, for a different request.")
        return known.target

    async def _remember(self, store: Transaction, idempotency: Idempotency | None, target: str) -> None:
        if idempotency is None:
            return
        table, now = IdempotencyTable(store), self._clock().replace(microsecond=0)
        await table.forget_before(now - timedelta(days=IDEMPOTENCY_DAYS) + timedelta(seconds=1))
        await table.insert(IdempotencyRecord(idempotency.key_hash, idempotency.fingerprint, target, now))


def described_author(author: Author) -> dict[str, Any]:
    """The fields of the audit log that say who asked."""
    named = {"token_id": author.token_id, "client": author.client, "request_id": author.request_id}
    return {"actor": author.name, **{name: value for name, value in named.items() if value is not None}}
