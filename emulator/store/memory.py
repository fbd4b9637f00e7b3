"""A store in memory: gone with the process, nothing on disk, nothing blocks."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterable
from typing import TypeVar

from emulator.store.leases import Leases
from emulator.store.model import Extent
from emulator.store.pattern import PatternReader, is_pattern
from emulator.store.ports import BlobReader, BlobWriter
from emulator.store.tables import Tables

T = TypeVar("T")


class MemoryStore:
    """Tables in a private in-memory SQLite database, blobs in a dictionary."""

    def __init__(self) -> None:
        # One event loop uses the store, possibly in another thread than the one that made it.
        self._connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._tables = Tables(self._connection)
        self._tables.create()
        self._leases = Leases()
        self.blobs = MemoryBlobs()

    async def transact(self, work: Callable[[Tables], T]) -> T:
        self._connection.execute("BEGIN")
        try:
            result = work(self._tables)
            unused = self._tables.blobs.collect(self._leases.counts())
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        if unused:
            self.blobs.delete(unused)
        return result

    async def call(self, work: Callable[[], T]) -> T:
        return work()

    def lease(self, extents: Iterable[Extent]) -> None:
        self._leases.lease(extents)

    def release(self, extents: Iterable[Extent]) -> None:
        self._leases.release(extents)

    async def close(self) -> None:
        self._connection.close()


class MemoryBlobs:
    """Blobs as byte buffers."""

    def __init__(self) -> None:
        self._sealed: dict[str, bytearray] = {}

    def create(self) -> BlobWriter:
        return _MemoryWriter(self._sealed)

    def open(self, blob: str) -> BlobReader:
        return PatternReader(blob) if is_pattern(blob) else _MemoryReader(self._sealed[blob])

    def delete(self, blobs: Iterable[str]) -> None:
        for blob in blobs:
            self._sealed.pop(blob, None)

    def __len__(self) -> int:
        return len(self._sealed)


class _MemoryWriter:
    def __init__(self, sealed: dict[str, bytearray]) -> None:
        self._sealed = sealed
        self._buffer = bytearray()
        self._blob: str | None = None

    def write(self, data: bytes) -> None:
        self._buffer += data

    def seal(self) -> str:
        self._blob = secrets.token_hex(16)
        self._sealed[self._blob] = self._buffer
        return self._blob

    def discard(self) -> None:
        if self._blob is not None:
            self._sealed.pop(self._blob, None)


class _MemoryReader:
    def __init__(self, buffer: bytearray) -> None:
        self._buffer = buffer

    def read(self, offset: int, length: int) -> bytes:
        return bytes(memoryview(self._buffer)[offset : offset + length])

    def close(self) -> None:
        """The buffer is freed with its last reader."""
