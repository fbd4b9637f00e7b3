"""Which master keys the secrets in the store need, and whether they are loaded: told before a request meets it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

import structlog

from gateway.credentials.envelope import wrapped_by
from gateway.credentials.vault import Vault
from gateway.credentials.watch import StoreWatch
from gateway.ports import StoreUnavailable
from gateway.readiness import Check
from gateway.stores.contents import StoreContents

UNREADABLE = "(unreadable id)"
"""Stands for the key of a secret whose header is damaged."""

_log = structlog.get_logger(__name__)


def needed_master_keys(sealed: Iterable[bytes]) -> Counter[str]:
    """How many secrets need which master key, by its id."""
    return Counter(wrapped_by(secret) or UNREADABLE for secret in sealed)


def missing_master_keys(needed: Mapping[str, int], loaded: Collection[str]) -> str | None:
    """What to tell of secrets whose master key is not loaded; None when there are none."""
    missing = sorted(key_id for key_id in needed if key_id not in loaded)
    if not missing:
        return None
    count = sum(needed[key_id] for key_id in missing)
    many = f"{count} of {sum(needed.values())} stored secrets need" if sum(needed.values()) > 1 else "the secret needs"
    return f"{many} the master key {', '.join(missing)}, which is not loaded"


class MasterKeyNeeds:
    """Compares the store last read with the loaded master keys; counts anew only when the store changed."""

    def __init__(self, watch: StoreWatch, vault: Vault) -> None:
        self._watch = watch
        self._vault = vault
        self._counted: tuple[StoreContents, Counter[str]] | None = None

    def check(self) -> Check:
        """A condition of readiness: not met when no stored secret can be opened. Sealed is told by the keys' own."""
        loaded, problem = self._vault.master_key_ids, self.problem
        usable = problem is None or any(key_id in loaded for key_id in self._needed())
        detail = f"in use: {loaded[0]}" if loaded else "none is loaded"
        return Check("master_key", usable, f"{detail}; {problem}" if problem else detail)

    @property
    def problem(self) -> str | None:
        """What to tell of secrets that the loaded master keys do not open; None without such, and when sealed."""
        return None if self._vault.sealed else missing_master_keys(self._needed(), self._vault.master_key_ids)

    def warn(self) -> None:
        """Say in the log that secrets cannot be opened, if so: for the start."""
        if self.problem is not None:
            _log.error("secrets_unopenable", reason=self.problem)

    def _needed(self) -> Counter[str]:
        try:
            contents = self._watch.contents
        except StoreUnavailable:
            # The keys' own check says so.
            return Counter()
        if self._counted is None or self._counted[0] is not contents:
            keys = (record.secret_sealed for record in contents.access_keys.values())
            credentials = (record.secret_sealed for record in contents.upstream_credentials)
            self._counted = contents, needed_master_keys([*keys, *credentials])
        return self._counted[1]
