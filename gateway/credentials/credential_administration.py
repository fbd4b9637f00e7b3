"""Changing the COS credentials as a security officer does: each call one transaction, audited, no secret given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from gateway.credentials.changes import Changes, Outcome, Terms
from gateway.credentials.upstream_credentials import HeldCredentials
from gateway.credentials.vault import Vault
from gateway.credentials.views import CredentialView, view_credential, view_credentials
from gateway.secret import Secret
from gateway.stores.database import Database, Store
from gateway.stores.errors import RecordConflict, RecordNotFound
from gateway.stores.upstream_credentials import CredentialState, UpstreamCredentialTable


class AnyVersion(Enum):
    """Stands for whichever version is in use."""

    ANY = "any"


ANY_VERSION = AnyVersion.ANY


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

    async def activate(
        self,
        name: str,
        version: int,
        terms: Terms,
        *,
        instead_of: int | AnyVersion | None = ANY_VERSION,
        remove_previous_at: datetime | None = None,
    ) -> Outcome[CredentialView]:
        """Switch to a staged or retired version.

        `instead_of` is the version that must be in use at that moment (None: none); unless it is, somebody else
        switched meanwhile. The one that was in use is removed by itself at `remove_previous_at` (None: it is kept).
        Raises RecordNotFound, RecordChanged, RecordConflict.
        """
        async with self._changes.open(terms) as change:
            before = await _view(change.store, name)
            terms.check(before)
            active = next((item.version for item in before.versions if item.state is CredentialState.ACTIVE), None)
            if not isinstance(instead_of, AnyVersion) and active != instead_of:
                raise RecordConflict(
                    f"Expected version {instead_of} of {name!r} to be in use, got {active}: it was switched meanwhile."
                )
            await self._held(change.store).activate(name, version, remove_previous_at=remove_previous_at)
            after = await _view(change.store, name)
            change.done("credentials.activate", target=name, before=before, after=after)
        return Outcome(before, after)

    async def remove(
        self, name: str, version: int | None, terms: Terms, *, only_in: CredentialState | None = None
    ) -> Outcome[CredentialView]:
        """Remove a credential with all its versions, or one version, `only_in` that state.

        Raises RecordNotFound, RecordChanged, RecordConflict when it is in another state.
        """
        async with self._changes.open(terms) as change:
            before = await _view(change.store, name)
            terms.check(before)
            state = next((item.state for item in before.versions if item.version == version), None)
            if only_in is not None and state not in (None, only_in):
                raise RecordConflict(f"Expected version {version} of {name!r} to be {only_in}, got {state}.")
            await self._held(change.store).remove(name, version)
            try:
                after = await _view(change.store, name)
            except RecordNotFound:
                after = None
            change.done("credentials.remove", target=name, before=before, after=after)
        return Outcome(before, after)

    async def remove_drained(self, name: str, version: int, terms: Terms, *, now: datetime) -> Outcome[CredentialView]:
        """Remove a version that was replaced and has drained.

        Raises RecordNotFound, RecordConflict when it is in use again, is to be kept after all, or nothing is in use.
        """
        async with self._changes.open(terms) as change:
            before = await _view(change.store, name)
            found = next((item for item in before.versions if item.version == version), None)
            replaced = any(item.state is CredentialState.ACTIVE for item in before.versions)
            if found is not None and (found.remove_at is None or found.remove_at > now or not replaced):
                raise RecordConflict(f"Version {version} of {name!r} is not to be removed now.")
            await self._held(change.store).remove(name, version)
            after = await _view(change.store, name)
            change.done("credentials.drained", target=name, before=before, after=after)
        return Outcome(before, after)

    def _held(self, store: Store) -> HeldCredentials:
        return HeldCredentials(store, self._vault)


async def _view(store: Store, name: str) -> CredentialView:
    return view_credential(await UpstreamCredentialTable(store).versions(name))
