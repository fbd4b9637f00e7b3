"""The access keys as the pipeline asks for them: from memory, in constant time, opened when used."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType

from gateway.credentials.access_keys import access_key_context
from gateway.credentials.opened import OpenedSecrets
from gateway.credentials.vault import Vault
from gateway.credentials.watch import StoreWatch
from gateway.ports import AccessKey
from gateway.stores.access_keys import AccessKeyRecord
from gateway.stores.errors import RecordExists


class KeySnapshot:
    """Implements `ports.AccessKeys` over the store's last state and the keys the configuration declares.

    `configured` keys need no store. An id in both places is refused by `ensure_no_duplicates`, which belongs
    before serving; should the store gain such an id later, the configured key is the one that counts.
    """

    def __init__(self, watch: StoreWatch, vault: Vault, *, configured: Iterable[AccessKey] = ()) -> None:
        """Raises RecordExists when two configured keys share an id."""
        self._watch = watch
        self._vault = vault
        self._configured: dict[str, AccessKey] = {}
        for key in configured:
            if key.id in self._configured:
                raise RecordExists(f"The access key {key.id!r} is configured twice.")
            self._configured[key.id] = key
        self._opened: OpenedSecrets[AccessKeyRecord, AccessKey] = OpenedSecrets()
        watch.after_poll(self._opened.purge)

    def find(self, access_key_id: str) -> AccessKey | None:
        """The key of that id, whatever its state; None when there is none.

        Raises Sealed without a master key, whatever the id, unless the set-up is wholly static: keys are
        configured and the store holds none. Raises StoreUnavailable when the store's state is too old or the
        key's secret does not open.
        """
        if self._vault.sealed and (self._watch.holds_secrets or not self._configured):
            self._vault.ensure_unsealed()
        configured = self._configured.get(access_key_id)
        if configured is not None:
            return configured
        record = self._watch.contents.access_keys.get(access_key_id)
        if record is None:
            return None
        return self._opened.get(record.id, record, self._open)

    def ensure_no_duplicates(self) -> None:
        """Raises RecordExists when an id is both configured and stored, StoreUnavailable."""
        both = sorted(self._configured.keys() & self._watch.contents.access_keys.keys())
        if both:
            raise RecordExists(f"Expected each access key in one place, got {both} configured and stored.")

    def _open(self, record: AccessKeyRecord) -> AccessKey:
        return AccessKey(
            id=record.id,
            secret=self._vault.open(record.secret_sealed, access_key_context(record)),
            principal=record.principal,
            state=record.state,
            expires_at=record.expires_at,
            networks=record.networks,
            labels=MappingProxyType(dict(record.labels)),
        )
