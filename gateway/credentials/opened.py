"""A small memory of opened secrets, bounded in number and in time.

The signature schemes need a secret in clear for every request; opening it each time would cost more than the
signature. An entry belongs to one record object: a record that was read again is opened again, so nothing
outlives a change of the store.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

MAX_ENTRIES = 1024
TTL_SECONDS = 5.0
"""At most the time within which a withdrawal must take effect."""

R = TypeVar("R")
V = TypeVar("V")


class OpenedSecrets(Generic[R, V]):
    """Maps a name to the value opened from its record. `clock` gives monotonic seconds."""

    def __init__(
        self,
        *,
        max_entries: int = MAX_ENTRIES,
        ttl_seconds: float = TTL_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_entries = max_entries
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._entries: OrderedDict[Hashable, tuple[float, R, V]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, name: Hashable, record: R, open_record: Callable[[R], V]) -> V:
        """The value of a record, opened by `open_record` unless it is remembered. What that raises passes through."""
        now = self._clock()
        entry = self._entries.get(name)
        if entry is not None:
            opened_at, of_record, value = entry
            if of_record is record and now - opened_at < self._ttl_seconds:
                return value
            del self._entries[name]
        value = open_record(record)
        self.purge()
        while len(self._entries) >= self._max_entries:
            self._entries.popitem(last=False)
        self._entries[name] = (now, record, value)
        return value

    def purge(self) -> None:
        """Forget what is too old. Entries are in the order they were opened, so this stops at the first young one."""
        horizon = self._clock() - self._ttl_seconds
        while self._entries:
            name, (opened_at, _, _) = next(iter(self._entries.items()))
            if opened_at > horizon:
                return
            del self._entries[name]
