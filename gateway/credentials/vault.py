"""The vault: seals and opens secrets with the master keys it was given, or is sealed itself.

Without a master key every operation raises Sealed. `opened` counts the secrets opened per record type, so that
an operator can see it and a test can prove that a refused request opened none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from gateway.credentials.envelope import RecordType, SecretContext, UnknownMasterKey, open_sealed, rewrap, seal
from gateway.credentials.master_key import MasterKey
from gateway.ports import Sealed
from gateway.secret import Secret


class Vault:
    """Holds master keys; the first is the current one and wraps, the others only open.

    `opened` counts successful opens per record type since the start.
    """

    def __init__(self, master_keys: Sequence[MasterKey] = ()) -> None:
        self.opened: Counter[RecordType] = Counter()
        self._current: MasterKey | None = None
        self._by_id: dict[str, MasterKey] = {}
        self.sealed = True
        """Whether there is no master key: nothing can be sealed or opened."""
        self.load(master_keys)

    @property
    def master_key_ids(self) -> tuple[str, ...]:
        """Ids of the loaded master keys, the current one first."""
        return tuple(self._by_id)

    def load(self, master_keys: Sequence[MasterKey]) -> None:
        """Replace the master keys, the current one first; none seals the vault."""
        by_id = {key.id: key for key in master_keys}
        self._by_id, self._current = by_id, next(iter(by_id.values()), None)
        self.sealed = self._current is None

    def ensure_unsealed(self) -> None:
        """Raises Sealed without a master key."""
        self._master_key()

    def seal(self, secret: Secret, context: SecretContext) -> bytes:
        """The sealed form of a secret, bound to its record. Raises Sealed."""
        return seal(secret, context, self._master_key())

    def open(self, sealed: bytes, context: SecretContext) -> Secret:
        """The secret of a record. Raises Sealed, UnknownMasterKey, UnopenableSecret."""
        self._master_key()
        secret = open_sealed(sealed, context, self._by_id)
        self.opened[context.record_type] += 1
        return secret

    def rewrap(self, sealed: bytes, context: SecretContext) -> bytes | None:
        """The same secret under the current master key, or None when it is already; the secret stays sealed.

        Raises Sealed, UnknownMasterKey, UnopenableSecret.
        """
        return rewrap(sealed, context, master_keys=self._by_id, current=self._master_key())

    def derive(self, purpose: bytes, *, master_key_id: str | None = None) -> tuple[str, bytes]:
        """The id of a master key (None: the current one) and 32 bytes derived from it for one purpose.

        Raises Sealed, UnknownMasterKey.
        """
        key = self._master_key() if master_key_id is None else self._by_id.get(master_key_id)
        if key is None:
            self.ensure_unsealed()
            raise UnknownMasterKey("A master key that is not loaded was asked for.")
        return key.id, key.derive(purpose)

    def _master_key(self) -> MasterKey:
        if self._current is None:
            raise Sealed("The vault is sealed: no master key was provided.")
        return self._current
