"""How much at once: requests in flight, in all and per principal (step 6 of a request); and failed proofs (step 5)."""

from __future__ import annotations

from cos.errors import COSError


class InFlight:
    """Counts requests between admission and their end; beyond the limits a request is refused at once."""

    def __init__(self, *, max_requests: int, max_per_principal: int) -> None:
        self.max_requests = max_requests
        self.max_per_principal = max_per_principal
        self.by_principal: dict[str, int] = {}
        self.count = 0

    def admit(self, principal: str) -> None:
        """Give a principal a place, which is given back by `leave`. Raises COSError(SlowDown)."""
        mine = self.by_principal.get(principal, 0)
        if self.count >= self.max_requests or mine >= self.max_per_principal:
            raise COSError("SlowDown")
        self.count += 1
        self.by_principal[principal] = mine + 1

    def leave(self, principal: str) -> None:
        """Take back a place that was given."""
        self.count -= 1
        left = self.by_principal[principal] - 1
        if left:
            self.by_principal[principal] = left
        else:
            del self.by_principal[principal]


FAILURES_PER_MINUTE = 600
"""Failed signatures an address may have explained to it each minute, all saved up at most."""
MAX_ADDRESSES = 65_536


class FailedProofs:
    """Counts failed signatures by client address: a leaky bucket each, the longest silent forgotten first.

    An address beyond its share is not locked out, or one client could lock out its neighbours behind the same
    translator. It is only no longer told whether a key exists (threat model C19).
    """

    def __init__(self, *, per_minute: int = FAILURES_PER_MINUTE, max_addresses: int = MAX_ADDRESSES) -> None:
        self._per_minute = per_minute
        self._max_addresses = max_addresses
        self._by_address: dict[str, tuple[float, float]] = {}

    def are_too_many(self, address: str, *, now: float) -> bool:
        """Count one failure at `now` (Unix seconds). True when the address has used up its share."""
        level, since = self._by_address.pop(address, (0.0, now))
        level = max(0.0, level - max(0.0, now - since) * self._per_minute / 60) + 1
        if len(self._by_address) >= self._max_addresses:
            del self._by_address[next(iter(self._by_address))]
        self._by_address[address] = (min(level, self._per_minute + 1.0), now)
        return level > self._per_minute
