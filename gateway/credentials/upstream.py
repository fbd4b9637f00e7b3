"""The upstream credentials as the pipeline asks for them: chosen by bucket, opened when used.

`open_for` is the first moment a COS secret is touched; `opened_for` counts its successful calls, so that a test
can prove that a refused request never came this far.
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway.credentials.envelope import UnopenableSecret
from gateway.credentials.opened import OpenedSecrets
from gateway.credentials.upstream_credentials import upstream_credential_context
from gateway.credentials.vault import Vault
from gateway.credentials.watch import StoreWatch
from gateway.ports import BucketRecord, CredentialUnavailable, UpstreamCredential
from gateway.stores.errors import RecordExists
from gateway.stores.upstream_credentials import CredentialState, UpstreamCredentialRecord

DEFAULT_NAME = "default"
"""The credential for requests that name no bucket, when there are several."""

_Candidate = UpstreamCredential | UpstreamCredentialRecord


class StoredUpstreamCredentials:
    """Implements `ports.UpstreamCredentials` over the store's active versions and the configured credentials."""

    def __init__(self, watch: StoreWatch, vault: Vault, *, configured: Iterable[UpstreamCredential] = ()) -> None:
        """Raises RecordExists when two configured credentials share a name."""
        self._watch = watch
        self._vault = vault
        self._configured: dict[str, UpstreamCredential] = {}
        for credential in configured:
            if credential.name in self._configured:
                raise RecordExists(f"The credential {credential.name!r} is configured twice.")
            self._configured[credential.name] = credential
        self._opened: OpenedSecrets[UpstreamCredentialRecord, UpstreamCredential] = OpenedSecrets()
        self.opened_for = 0
        watch.after_poll(self._opened.purge)

    def open_for(self, bucket: BucketRecord | None) -> UpstreamCredential:
        """The credential for a bucket: the one it names, else the only one of its account.

        None stands for the service (list buckets): the only credential there is, else the one named `default`.
        Two that fit equally are refused rather than guessed between.
        Raises Sealed without a master key, unless the set-up is wholly static; StoreUnavailable;
        CredentialUnavailable (naming the account, never a secret).
        """
        if self._vault.sealed and (self._watch.holds_secrets or not self._configured):
            self._vault.ensure_unsealed()
        chosen = self._choose(bucket)
        match chosen:
            case UpstreamCredential():
                credential = chosen
            case UpstreamCredentialRecord():
                try:
                    credential = self._opened.get(chosen.name, chosen, self._open)
                except UnopenableSecret as error:
                    raise CredentialUnavailable(str(error)) from error
        self.opened_for += 1
        return credential

    def ensure_no_duplicates(self) -> None:
        """Raises RecordExists when a name is both configured and stored, StoreUnavailable."""
        stored = {record.name for record in self._watch.contents.upstream_credentials}
        both = sorted(self._configured.keys() & stored)
        if both:
            raise RecordExists(f"Expected each credential in one place, got {both} configured and stored.")

    def _choose(self, bucket: BucketRecord | None) -> _Candidate:
        stored = self._watch.contents.upstream_credentials
        active = [record for record in stored if record.state is CredentialState.ACTIVE]
        candidates: list[_Candidate] = [*self._configured.values(), *active]
        if bucket is None:
            fitting = candidates
            if len(fitting) > 1:
                fitting = [candidate for candidate in candidates if candidate.name == DEFAULT_NAME]
            wanted = f"requests without a bucket (the only credential, or the one named {DEFAULT_NAME!r})"
        elif bucket.credential is not None:
            fitting = [candidate for candidate in candidates if candidate.name == bucket.credential]
            wanted = f"bucket {bucket.name!r} of account {bucket.account!r}, named {bucket.credential!r}"
        else:
            fitting = [candidate for candidate in candidates if candidate.account == bucket.account]
            wanted = f"account {bucket.account!r}"
        if len(fitting) != 1:
            names = sorted(candidate.name for candidate in fitting)
            raise CredentialUnavailable(f"Expected one active credential for {wanted}, got {names or 'none'}.")
        return fitting[0]

    def _open(self, record: UpstreamCredentialRecord) -> UpstreamCredential:
        return UpstreamCredential(
            name=record.name,
            account=record.account,
            secret_id=record.secret_id,
            secret_key=self._vault.open(record.secret_sealed, upstream_credential_context(record)),
        )
