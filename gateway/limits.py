"""How much at once: requests in flight, in all and per principal. Step 6 of a request."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cos.errors import COSError


class InFlight:
    """Counts requests between admission and their end; beyond the limits a request is refused at once."""

    def __init__(self, *, max_requests: int, max_per_principal: int) -> None:
        self._max_requests = max_requests
        self._max_per_principal = max_per_principal
        self._by_principal: dict[str, int] = {}
        self.count = 0

    @contextmanager
    def admit(self, principal: str) -> Iterator[None]:
        """Hold a place for the duration. Raises COSError(SlowDown)."""
        mine = self._by_principal.get(principal, 0)
        if self.count >= self._max_requests or mine >= self._max_per_principal:
            raise COSError("SlowDown")
        self.count += 1
        self._by_principal[principal] = mine + 1
        try:
            yield
        finally:
            self.count -= 1
            left = self._by_principal[principal] - 1
            if left:
                self._by_principal[principal] = left
            else:
                del self._by_principal[principal]
