"""The upstream credentials as the pipeline asks for them: chosen by bucket, opened when used.

`open_for` is the first moment a COS secret is touched; `opened_for` counts its successful calls, so that a test
can prove that a refused request never came this far.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from gateway.credentials.choice import Choice
from gateway.credentials.envelope import UnopenableSecret
from gateway.credentials.opened import OpenedSecrets
from gateway.credentials.refreshed import RefreshedCredential
from gateway.credentials.upstream_credentials import upstream_credential_context
from gateway.credentials.vault import Vault
from gateway.credentials.watch import StoreWatch
from gateway.ports import BucketRecord, CredentialUnavailable, UpstreamCredential
from gateway.stores.contents import StoreContents
from gateway.stores.errors import RecordExists
from gateway.stores.upstream_credentials import CredentialState, UpstreamCredentialRecord

MAX_CHOICES = 4096
"""Pairs of buckets whose credential is remembered."""

_Candidate = UpstreamCredential | RefreshedCredential | UpstreamCredentialRecord


class StoredUpstreamCredentials:
    """Implements `ports.UpstreamCredentials` over the store's active versions and the configured credentials."""

    def __init__(
        self,
        watch: StoreWatch,
        vault: Vault,
        *,
        configured: Iterable[UpstreamCredential] = (),
        choice: Choice | None = None,
    ) -> None:
        """Raises RecordExists when two configured credentials share a name."""
        self._watch = watch
        self._vault = vault
        self._choice = choice if choice is not None else Choice()
        self._configured: dict[str, UpstreamCredential | RefreshedCredential] = {}
        self.configure(configured)
        self._contents: StoreContents | None = None
        self._candidates: list[_Candidate] = []
        # By the identity of the two records, which are kept so that no other can have it.
        self._chosen: dict[tuple[int, int], tuple[_Candidate, BucketRecord | None, BucketRecord | None]] = {}
        self._opened: OpenedSecrets[UpstreamCredentialRecord, UpstreamCredential] = OpenedSecrets()
        self.opened_for = 0
        watch.after_poll(self._opened.purge)

    def configure(self, credentials: Iterable[UpstreamCredential | RefreshedCredential]) -> None:
        """Add credentials beside those of the store. Raises RecordExists when a name is taken."""
        for credential in credentials:
            if credential.name in self._configured:
                raise RecordExists(f"The credential {credential.name!r} is configured twice.")
            self._configured[credential.name] = credential
        self._contents = None

    def open_for(self, bucket: BucketRecord | None, source: BucketRecord | None = None) -> UpstreamCredential:
        """The credential for a bucket, for a copy into it from `source`, or for the service when None.

        `gateway.credentials.choice` says which. Raises Sealed without a master key, unless the set-up is wholly
        static; StoreUnavailable; CredentialUnavailable (naming the account, never a secret).
        """
        if self._vault.sealed:
            self._ensure_usable()
        if self._watch.contents is not self._contents:
            self._present()
        remembered = self._chosen.get((id(bucket), id(source)))
        chosen = self._choose(bucket, source, self._candidates) if remembered is None else remembered[0]
        credential = chosen if isinstance(chosen, UpstreamCredential) else self._opened_of(chosen)
        self.opened_for += 1
        return credential

    def open_named(self, name: str) -> UpstreamCredential:
        """The credential of that name: to obtain another one with it, or to list its account.

        Raises Sealed, StoreUnavailable, CredentialUnavailable.
        """
        if self._vault.sealed:
            self._ensure_usable()
        fitting = [candidate for candidate in self._present() if candidate.name == name]
        if len(fitting) != 1:
            raise CredentialUnavailable(f"Expected one active credential named {name!r}, got {len(fitting)}.")
        return self._opened_of(fitting[0])

    def buckets_of(self, name: str, buckets: Iterable[BucketRecord]) -> list[BucketRecord]:
        """Those of the buckets that the credential of that name opens. Raises StoreUnavailable."""
        return self._choice.buckets_of(name, buckets, self._present())

    def ensure_no_duplicates(self) -> None:
        """Raises RecordExists when a name is both configured and stored, StoreUnavailable."""
        stored = {record.name for record in self._watch.contents.upstream_credentials}
        both = sorted(self._configured.keys() & stored)
        if both:
            raise RecordExists(f"Expected each credential in one place, got {both} configured and stored.")

    def _ensure_usable(self) -> None:
        if self._watch.holds_secrets or not self._configured:
            self._vault.ensure_unsealed()

    def _choose(
        self, bucket: BucketRecord | None, source: BucketRecord | None, candidates: list[_Candidate]
    ) -> _Candidate:
        if bucket is None:
            chosen = self._choice.for_service(candidates)
        elif source is None:
            chosen = self._choice.for_bucket(bucket, candidates)
        else:
            chosen = self._choice.for_copy(bucket, source, candidates)
        if len(self._chosen) >= MAX_CHOICES:
            self._chosen.clear()
        self._chosen[id(bucket), id(source)] = (chosen, bucket, source)
        return chosen

    def _present(self) -> list[_Candidate]:
        """What may be chosen now. Whatever was chosen among other candidates is forgotten. Raises StoreUnavailable."""
        contents = self._watch.contents
        if contents is not self._contents:
            active = [item for item in contents.upstream_credentials if item.state is CredentialState.ACTIVE]
            self._candidates = [*self._configured.values(), *active]
            self._chosen.clear()
            self._contents = contents
        return self._candidates

    def _opened_of(self, chosen: _Candidate) -> UpstreamCredential:
        match chosen:
            case UpstreamCredential():
                return chosen
            case RefreshedCredential():
                return chosen.current()
            case UpstreamCredentialRecord():
                try:
                    return self._opened.get(chosen.name, chosen, self._open)
                except UnopenableSecret as error:
                    raise CredentialUnavailable(str(error)) from error
            case _:
                assert_never(chosen)

    def _open(self, record: UpstreamCredentialRecord) -> UpstreamCredential:
        return UpstreamCredential(
            name=record.name,
            account=record.account,
            secret_id=record.secret_id,
            secret_key=self._vault.open(record.secret_sealed, upstream_credential_context(record)),
        )
