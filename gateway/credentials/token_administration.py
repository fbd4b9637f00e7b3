"""Changing the admin tokens: each call one transaction, audited with before and after."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.credentials.admin_tokens import AdminTokens
from gateway.credentials.changes import Changes, Outcome, Terms
from gateway.credentials.views import AdminTokenView, view_admin_token
from gateway.stores.admin_tokens import AdminTokenRecord, Role
from gateway.stores.database import Database


@dataclass(frozen=True, slots=True)
class NewAdminToken:
    """A token to be made; the fields are those of `AdminTokens.create`."""

    name: str
    role: Role
    expires_at: datetime | None = None


class TokenAdministration:
    """The admin tokens of a store. Every method raises StoreUnavailable, changing ones AuditUnavailable as well."""

    def __init__(self, database: Database, changes: Changes) -> None:
        self._tokens = AdminTokens(database)
        self._changes = changes

    async def find(self, presented: str) -> AdminTokenRecord | None:
        """Whose token this is; None when it is nobody's, or has expired."""
        return await self._tokens.find(presented)

    async def list(self) -> list[AdminTokenView]:
        """Every token, the oldest first."""
        return [view_admin_token(record) for record in await self._tokens.list()]

    async def show(self, token_id: str) -> AdminTokenView:
        """One token. Raises RecordNotFound."""
        return view_admin_token(await self._tokens.show(token_id))

    async def create(self, new: NewAdminToken, terms: Terms) -> Outcome[AdminTokenView]:
        """Make a token; it is in the outcome, once. Raises InvalidRecord, RecordExists, RequestMismatch."""
        async with self._changes.open(terms) as change:
            tokens = AdminTokens(change.store)
            if change.replayed is not None:
                return Outcome(None, view_admin_token(await tokens.show(change.replayed)), replayed=True)
            issued = await tokens.create(name=new.name, role=new.role, expires_at=new.expires_at)
            after = view_admin_token(issued.record)
            change.done("admin_tokens.create", target=after.id, before=None, after=after)
        return Outcome(None, after, issued.token)

    async def delete(self, token_id: str, terms: Terms) -> Outcome[AdminTokenView]:
        """Withdraw a token, at once. Raises RecordNotFound, RecordChanged."""
        async with self._changes.open(terms) as change:
            tokens = AdminTokens(change.store)
            before = view_admin_token(await tokens.show(token_id))
            terms.check(before)
            await tokens.delete(token_id)
            change.done("admin_tokens.delete", target=token_id, before=before, after=None)
        return Outcome(before, None)
