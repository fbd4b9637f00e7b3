"""Connections kept per origin: how many, for how long, and who waits when none is free.

A place at an origin is counted from the moment a connection is opened until `connection_lost`, and never
counted twice; a place that falls free goes to the request that waited longest.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from gateway.ports import UpstreamUnreachable
from gateway.upstreams.connection import Connection
from gateway.upstreams.settings import PoolLimits


class Origin(NamedTuple):
    """Where a connection leads. `server_name` is the TLS name asked for and verified; None without TLS."""

    host: str
    port: int
    server_name: str | None


class NoFreeConnection(UpstreamUnreachable):
    """Every connection of the origin is in use, and no more requests may wait, or this one waited too long."""


Connect = Callable[[Origin, Callable[[Connection], None], float], Awaitable[Connection]]
"""Opens a connection within so many seconds; the callback is called when it is lost. Raises UpstreamUnreachable."""


class _Places:
    """The connections of one origin."""

    __slots__ = ("idle", "origin", "taken", "waiters")

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.taken = 0
        self.idle: list[Connection] = []
        self.waiters: deque[asyncio.Future[Connection | None]] = deque()


class Pool:
    """Lends connections; every one lent comes back through `release`."""

    def __init__(self, connect: Connect, limits: PoolLimits) -> None:
        self._connect = connect
        self._limits = limits
        self._origins: dict[Origin, _Places] = {}
        self._open: dict[Connection, _Places] = {}
        self._closed = False
        self._emptied: asyncio.Event | None = None

    def take_resting(self, origin: Origin) -> Connection | None:
        """The clean connection used last, when one rests. The socket may know better: see `Connection.exchange`."""
        places = self._origins.get(origin)
        if places is not None:
            while places.idle:
                connection = places.idle.pop()
                if not connection.lost:
                    return connection
        return None

    async def acquire(self, origin: Origin, *, wait_seconds: float, connect_seconds: float) -> Connection:
        """A clean connection: the one used last, or a new one. Raises UpstreamUnreachable, NoFreeConnection."""
        deadline = asyncio.get_running_loop().time() + wait_seconds
        while True:
            resting = self.take_resting(origin)
            if resting is not None:
                return resting
            places = self._origins.get(origin)
            if places is None:
                places = self._origins[origin] = _Places(origin)
            if places.taken < self._limits.max_connections_per_origin:
                places.taken += 1
                return await self._open_connection(places, connect_seconds)
            handed_over = await self._wait_for_place(places, deadline)
            if handed_over is None:
                return await self._open_connection(places, connect_seconds)
            if not handed_over.lost:
                return handed_over
            # Lost on the way from one request to the next: its place is freed by `_on_lost`.

    def release(self, connection: Connection) -> None:
        """Take a connection back: to the longest waiter or to rest when it is clean, away with it otherwise."""
        places = self._open.get(connection)
        if places is None:
            return
        if self._closed or not connection.rest(self._limits.max_idle_seconds):
            connection.abort()
        elif not places.waiters or not _hand_over(places, connection):
            places.idle.append(connection)

    def drop_idle(self, origin: Origin) -> None:
        """Forget the resting connections of an origin: one of them was found dead, so the others may be."""
        places = self._origins.get(origin)
        if places is not None:
            for connection in places.idle:
                connection.abort()
            places.idle.clear()

    async def aclose(self) -> None:
        """Refuse new requests, drop every connection and wait until they are gone."""
        self._closed = True
        for places in self._origins.values():
            places.idle.clear()
        for connection in tuple(self._open):
            connection.abort()
        if self._open:
            self._emptied = self._emptied or asyncio.Event()
            await self._emptied.wait()

    async def _wait_for_place(self, places: _Places, deadline: float) -> Connection | None:
        """A connection another request gave back, or None: a place to open one."""
        origin = places.origin
        if len(places.waiters) >= self._limits.max_waiters_per_origin:
            raise NoFreeConnection(f"Too many requests wait for a connection to {origin.host}.", sent=False)
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        places.waiters.append(waiter)
        try:
            async with asyncio.timeout_at(deadline):
                return await waiter
        except BaseException as exc:
            if waiter.done() and not waiter.cancelled():
                self._give_back(places, waiter.result())
            elif waiter in places.waiters:
                places.waiters.remove(waiter)
            if isinstance(exc, TimeoutError):
                raise NoFreeConnection(f"No connection to {origin.host} fell free in time.", sent=False) from exc
            raise

    def _give_back(self, places: _Places, handed_over: Connection | None) -> None:
        """What was handed to a request that had just given up."""
        if handed_over is None:
            self._free_place(places)
        elif not _hand_over(places, handed_over):
            places.idle.append(handed_over)

    async def _open_connection(self, places: _Places, connect_seconds: float) -> Connection:
        origin = places.origin
        try:
            self._refuse_when_closed()
            connection = await self._connect(origin, self._on_lost, connect_seconds)
            try:
                self._refuse_when_closed()
                if connection.lost:
                    raise UpstreamUnreachable(f"The connection to {origin.host} was closed at once.", sent=False)
            except UpstreamUnreachable:
                connection.abort()
                raise
        except BaseException:
            self._free_place(places)
            raise
        self._open[connection] = places
        return connection

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise UpstreamUnreachable("The way to the upstream is closed.", sent=False)

    def _on_lost(self, connection: Connection) -> None:
        places = self._open.pop(connection, None)
        if places is None:
            return
        if connection in places.idle:
            places.idle.remove(connection)
        self._free_place(places)
        if self._emptied is not None and not self._open:
            self._emptied.set()

    def _free_place(self, places: _Places) -> None:
        if _hand_over(places, None):
            return
        places.taken -= 1
        if not places.taken:
            del self._origins[places.origin]


def _hand_over(places: _Places, connection_or_place: Connection | None) -> bool:
    """Wake the request that waited longest; False when none waits."""
    while places.waiters:
        waiter = places.waiters.popleft()
        if not waiter.done():
            waiter.set_result(connection_or_place)
            return True
    return False
