"""Changing access keys as an operator does: each call one transaction, audited with before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.credentials.access_keys import IssuedKeys, KeyEdit
from gateway.credentials.changes import Changes, Outcome, Terms
from gateway.credentials.vault import Vault
from gateway.credentials.views import AccessKeyView, view_access_key
from gateway.stores.database import Database, Store
from gateway.stores.key_uses import read_key_uses


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to be issued; the fields are those of `IssuedKeys.create`."""

    principal: str
    label: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    networks: tuple[str, ...] = ()
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rotation:
    """How to rotate a key: how long the old one stays valid, and when the new one expires (None: never)."""

    overlap: timedelta
    expires_at: datetime | None = None


class KeyAdministration:
    """The access keys of a store. Every method raises StoreUnavailable, changing ones AuditUnavailable as well."""

    def __init__(self, database: Database, vault: Vault, changes: Changes) -> None:
        self._database = database
        self._vault = vault
        self._changes = changes

    async def page(
        self, *, limit: int, after: tuple[int, str] | None = None, principal: str | None = None
    ) -> list[AccessKeyView]:
        """At most `limit` keys, the oldest first, that follow (Unix time, id)."""
        records = await self._keys(self._database).page(limit=limit, after=after, principal=principal)
        uses = await read_key_uses(self._database)
        return [view_access_key(record, uses.get(record.id)) for record in records]

    async def show(self, key_id: str) -> AccessKeyView:
        """One key. Raises RecordNotFound."""
        record = await self._keys(self._database).show(key_id)
        return view_access_key(record, (await read_key_uses(self._database)).get(key_id))

    async def create(self, new: NewKey, terms: Terms) -> Outcome[AccessKeyView]:
        """Issue a key; its secret is in the outcome, once. Raises InvalidRecord, Sealed, RequestMismatch."""
        async with self._changes.open(terms) as change:
            keys = self._keys(change.store)
            if change.replayed is not None:
                return Outcome(None, view_access_key(await keys.show(change.replayed)), replayed=True)
            issued = await keys.create(
                principal=new.principal,
                label=new.label,
                labels=new.labels,
                networks=new.networks,
                expires_at=new.expires_at,
            )
            after = view_access_key(issued.record)
            change.done("access_keys.create", target=after.id, before=None, after=after)
        return Outcome(None, after, issued.secret)

    async def edit(self, key_id: str, edit: KeyEdit, terms: Terms) -> Outcome[AccessKeyView]:
        """Change a key. Raises RecordNotFound, RecordChanged, InvalidRecord."""
        async with self._changes.open(terms) as change:
            keys = self._keys(change.store)
            before = view_access_key(await keys.show(key_id))
            terms.check(before)
            after = view_access_key(await keys.edit(key_id, edit))
            change.done("access_keys.edit", target=key_id, before=before, after=after)
        return Outcome(before, after)

    async def rotate(
        self, key_id: str, rotation: Rotation, terms: Terms
    ) -> tuple[Outcome[AccessKeyView], Outcome[AccessKeyView]]:
        """Issue a second key to the same principal and let the first expire; gives the new one, then the old one.

        Raises RecordNotFound, RecordChanged, RecordConflict, InvalidRecord, Sealed, RequestMismatch.
        """
        async with self._changes.open(terms) as change:
            keys = self._keys(change.store)
            if change.replayed is not None:
                new, old = await keys.show(change.replayed), view_access_key(await keys.show(key_id))
                return Outcome(None, view_access_key(new), replayed=True), Outcome(old, old, replayed=True)
            before = view_access_key(await keys.show(key_id))
            terms.check(before)
            issued, retiring_record = await keys.rotate(
                key_id, overlap=rotation.overlap, expires_at=rotation.expires_at
            )
            after = view_access_key(issued.record)
            retiring = view_access_key(retiring_record)
            # The line tells of both keys: the new one as target, the old one before and after.
            change.done(
                "access_keys.rotate",
                target=after.id,
                before=None,
                after=after,
                also={"rotated": {"before": before.model_dump(mode="json"), "after": retiring.model_dump(mode="json")}},
            )
        return Outcome(None, after, issued.secret), Outcome(before, retiring)

    async def delete(self, key_id: str, terms: Terms) -> Outcome[AccessKeyView]:
        """Remove a key for good. Raises RecordNotFound, RecordChanged."""
        async with self._changes.open(terms) as change:
            keys = self._keys(change.store)
            before = view_access_key(await keys.show(key_id))
            terms.check(before)
            await keys.delete(key_id)
            change.done("access_keys.delete", target=key_id, before=before, after=None)
        return Outcome(before, None)

    def _keys(self, store: Store) -> IssuedKeys:
        return IssuedKeys(store, self._vault)
