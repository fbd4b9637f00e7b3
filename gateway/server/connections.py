"""How many client connections at once, in all and from one address.

Counted when a connection is accepted, before a byte of it is read, so that refusing one costs next to nothing.

Source: threat model C14, C15.
"""

from __future__ import annotations

from enum import Enum, auto


class Admission(Enum):
    """What becomes of a new connection."""

    WELCOME = auto()
    TURNED_AWAY = auto()
    """It is told SlowDown and closed."""
    DROPPED = auto()
    """Too many are being turned away already: it is closed without a word."""


class Connections:
    """The connections of one port. Use from one event loop."""

    def __init__(self, *, max_connections: int, max_per_address: int) -> None:
        self._max_connections = max_connections
        self._max_per_address = max_per_address
        self._max_turned_away = max(16, max_connections // 8)
        self._by_address: dict[str, int] = {}
        self.count = 0
        self.turned_away = 0

    def enter(self, address: str) -> Admission:
        """Count a new connection. What is returned must be given back to `leave`."""
        held = self._by_address.get(address, 0)
        if self.count < self._max_connections and held < self._max_per_address:
            self.count += 1
            self._by_address[address] = held + 1
            return Admission.WELCOME
        if self.turned_away >= self._max_turned_away:
            return Admission.DROPPED
        self.turned_away += 1
        return Admission.TURNED_AWAY

    def leave(self, address: str, admission: Admission) -> None:
        """A connection has ended."""
        match admission:
            case Admission.WELCOME:
                self.count -= 1
                left = self._by_address[address] - 1
                if left:
                    self._by_address[address] = left
                else:
                    del self._by_address[address]
            case Admission.TURNED_AWAY:
                self.turned_away -= 1
            case Admission.DROPPED:
                pass
