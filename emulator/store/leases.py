"""Which blobs are being read or copied now, and so must outlive their last reference."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable

from emulator.store.model import Extent


class Leases:
    """Counts of leases by blob; safe to use from the store's thread and the event loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def lease(self, extents: Iterable[Extent]) -> None:
        with self._lock:
            self._counts.update(extent.blob for extent in extents)

    def release(self, extents: Iterable[Extent]) -> None:
        with self._lock:
            for extent in extents:
                self._counts[extent.blob] -= 1
                if self._counts[extent.blob] <= 0:
                    del self._counts[extent.blob]

    def counts(self) -> Counter[str]:
        """A snapshot."""
        with self._lock:
            return self._counts.copy()
