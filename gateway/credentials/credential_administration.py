"""Changing the COS credentials as a security officer does: each call one transaction, audited, no secret given."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.credentials.changes import Changes, Outcome, Terms
from gateway.credentials.upstream_credentials import HeldCredentials
from gateway.credentials.vault import Vault
from gateway.credentials.views import CredentialView, view_credential, view_credentials
from gateway.secret import Secret
from gateway.stores.database import Database, Store
from gateway.stores.errors import RecordNotFound
from gateway.stores.upstream_credentials import UpstreamCredentialTable


@dataclass(frozen=True, slots=True)
class CredentialSecret:
    """A pair as the cloud console gives it."""

    secret_id: str
    secret_key: Secret


class CredentialAdministration:
    """The COS credentials of a store. Every method raises StoreUnavailable, changing ones AuditUnavailable as well."""

    def __init__(self, database: Database, vault: Vault, changes: Changes) -> None:
        self._database = database
        self._vault = vault
        self._changes = changes

    async def list(self) -> list[CredentialView]:
        """Every credential, by name."""
        return view_credentials(await UpstreamCredentialTable(self._database).list())

    async def show(self, name: str) -> CredentialView:
        """One credential with its versions. Raises RecordNotFound."""
        return await _view(self._database, name)

    async def add(self, name: str, account: str, pair: CredentialSecret, terms: Terms) -> Outcome[CredentialView]:
        """Store a credential under a new name and use it. Raises InvalidRecord, RecordExists, Sealed."""
        async with self._changes.open(terms) as change:
            if change.replayed is not None:
                return Outcome(None, await _view(change.store, change.replayed), replayed=True)
            held = self._held(change.store)
            await held.add(name=name, account=account, secret_id=pair.secret_id, secret_key=pair.secret_key)
            after = await _view(change.store, name)
            change.done("credentials.add", target=name, before=None, after=after)
        return Outcome(None, after)

    async def stage(self, name: str, pair: CredentialSecret, terms: Terms) -> Outcome[CredentialView]:
        """Store the next version without using it. Raises RecordNotFound, RecordChanged, InvalidRecord, Sealed."""
        async with self._changes.open(terms) as change:
            before = await _view(change.store, name)
            if change.replayed is not None:
                return Outcome(before, before, replayed=True)
            terms.check(before)
            await self._held(change.store).stage(name, secret_id=pair.secret_id, secret_key=pair.secret_key)
            after = await _view(change.store, name)
            change.done("credentials.stage", target=name, before=before, after=after)
        return Outcome(before, after)

    async def activate(self, name: str, version: int, terms: Terms) -> Outcome[CredentialView]:
        """Switch to a staged or retired version. Raises RecordNotFound, RecordChanged."""
        async with self._changes.open(terms) as change:
            before = await _view(change.store, name)
            terms.check(before)
            await self._held(change.store).activate(name, version)
            after = await _view(change.store, name)
            change.done("credentials.activate", target=name, before=before, after=after)
        return Outcome(before, after)

    async def remove(self, name: str, version: int | None, terms: Terms) -> Outcome[CredentialView]:
        """Remove a credential with all its versions, or one version. Raises RecordNotFound, RecordChanged."""
        async with self._changes.open(terms) as change:
            before = await _view(change.store, name)
            terms.check(before)
            await self._held(change.store).remove(name, version)
            try:
                after = await _view(change.store, name)
            except RecordNotFound:
                after = None
            change.done("credentials.remove", target=name, before=before, after=after)
        return Outcome(before, after)

    def _held(self, store: Store) -> HeldCredentials:
        return HeldCredentials(store, self._vault)


async def _view(store: Store, name: str) -> CredentialView:
    return view_credential(await UpstreamCredentialTable(store).versions(name))
