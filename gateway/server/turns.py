"""Whose turn it is to take a connection from a port that several processes listen on.

The kernel wakes all of them, and who comes first takes what there is: a burst of connections may end up with one
process while the others have none (measured: 32 connections, of which one of two workers got none). Clients keep
their connections, so that would last. Each process therefore writes down how many it holds where the others see it,
and one that holds more than the least busy of them lets the others go first, for a moment.
"""

from __future__ import annotations

import mmap
import struct

from gateway.server.connections import Admission, Connections

AHEAD = 1
"""Connections more than the least busy process that are no reason to wait."""
PATIENCE_SECONDS = 0.005
"""How long the others may take. Then they are busy or gone, and whoever waited takes what there is."""

_SLOT = struct.Struct("q")
_ENDED = 1 << 40
"""More connections than any process holds."""


class Turns:
    """The numbers of connections of `count` processes, in memory they share: make it before they are forked."""

    def __init__(self, count: int) -> None:
        self._memory = mmap.mmap(-1, count * _SLOT.size)
        self._places = range(0, count * _SLOT.size, _SLOT.size)

    def publish(self, number: int, connections: int) -> None:
        """How many connections the process with that number, counted from 1, holds now."""
        _SLOT.pack_into(self._memory, self._places[number - 1], connections)

    def leave(self, number: int) -> None:
        """The process with that number has ended: nobody waits for it until another one takes its number."""
        self.publish(number, _ENDED)

    def is_mine(self, number: int, connections: int) -> bool:
        """Whether a process that holds that many may take another one."""
        mine = self._places[number - 1]
        return all(
            connections <= _SLOT.unpack_from(self._memory, place)[0] + AHEAD for place in self._places if place != mine
        )


class Turn:
    """One process's part in the turns."""

    def __init__(self, turns: Turns, number: int) -> None:
        self._turns = turns
        self._number = number
        self._held = 0
        turns.publish(number, 0)

    def hold(self, connections: int) -> None:
        """How many connections this process holds now."""
        self._held = connections
        self._turns.publish(self._number, connections)

    def is_mine(self, greeted: int) -> bool:
        """Whether this process may take another connection; it has taken `greeted` that it does not hold yet."""
        return self._turns.is_mine(self._number, self._held + greeted)


class PublishedConnections(Connections):
    """Connections whose number the other processes see."""

    def __init__(self, *, max_connections: int, max_per_address: int, turn: Turn) -> None:
        super().__init__(max_connections=max_connections, max_per_address=max_per_address)
        self._turn = turn

    def enter(self, address: str) -> Admission:
        admission = super().enter(address)
        self._turn.hold(self.count)
        return admission

    def leave(self, address: str, admission: Admission) -> None:
        super().leave(address, admission)
        self._turn.hold(self.count)
