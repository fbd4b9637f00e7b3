"""A store in a directory: `metadata.sqlite3` and one file per blob under `blobs/`.

A blob is written to a temporary file, flushed to the device and renamed before any row names it; rows change
in one transaction each. A process killed at any moment therefore leaves either the old state or the new one,
and at most blobs that nothing names: opening the store deletes those. After a power failure the last
transactions may be missing (WAL with `synchronous=NORMAL`), never half of one.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from io import FileIO
from pathlib import Path
from typing import TypeVar

from emulator.store.leases import Leases
from emulator.store.model import Extent
from emulator.store.pattern import PatternReader, is_pattern
from emulator.store.ports import BlobReader, BlobWriter
from emulator.store.tables import Tables

T = TypeVar("T")

_TEMPORARY = ".writing"


class DiskStore:
    """Tables in a SQLite file used by one thread, blobs in files.

    Raises BlockingIOError when the directory is open already: two sweepers would delete each other's blobs.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(directory / "lock")
        self.blobs = DiskBlobs(directory / "blobs")
        self._leases = Leases()
        # SQLite work is serialised on one thread; blob work may run beside it on the loop's default pool.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="emulator-store")
        self._connection = sqlite3.connect(
            directory / "metadata.sqlite3", isolation_level=None, check_same_thread=False
        )
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._tables = Tables(self._connection)
        self._tables.create()
        self._sweep()

    async def transact(self, work: Callable[[Tables], T]) -> T:
        return await _to_its_end(asyncio.get_running_loop().run_in_executor(self._thread, self._transact, work))

    async def call(self, work: Callable[[], T]) -> T:
        return await _to_its_end(asyncio.get_running_loop().run_in_executor(None, work))

    def lease(self, extents: Iterable[Extent]) -> None:
        self._leases.lease(extents)

    def release(self, extents: Iterable[Extent]) -> None:
        self._leases.release(extents)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown()
        os.close(self._lock)

    def _transact(self, work: Callable[[Tables], T]) -> T:
        self._connection.execute("BEGIN IMMEDIATE")
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

    def _sweep(self) -> None:
        """Delete what a killed process left: temporary files, and blobs that no row names."""
        self._transact(lambda tables: None)
        self.blobs.keep_only(set(self._tables.blobs.known()))


class DiskBlobs:
    """Blobs as files named by id, in 256 folders."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        for number in range(256):
            (directory / f"{number:02x}").mkdir(parents=True, exist_ok=True)

    def create(self) -> BlobWriter:
        blob = secrets.token_hex(16)
        return _DiskWriter(blob, self._path(blob))

    def open(self, blob: str) -> BlobReader:
        return PatternReader(blob) if is_pattern(blob) else _DiskReader(self._path(blob))

    def delete(self, blobs: Iterable[str]) -> None:
        for blob in blobs:
            if not is_pattern(blob):
                self._path(blob).unlink(missing_ok=True)

    def keep_only(self, known: set[str]) -> None:
        """Delete every file that is not a known blob."""
        for path in self._directory.glob("*/*"):
            if path.name not in known:
                path.unlink(missing_ok=True)

    def _path(self, blob: str) -> Path:
        return self._directory / blob[:2] / blob


class _DiskWriter:
    def __init__(self, blob: str, path: Path) -> None:
        self._blob = blob
        self._path = path
        self._temporary = path.with_name(path.name + _TEMPORARY)
        self._file: FileIO | None = None

    def write(self, data: bytes) -> None:
        file = self._opened()
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]

    def seal(self) -> str:
        file = self._opened()
        os.fsync(file.fileno())
        file.close()
        self._temporary.rename(self._path)
        _sync_directory(self._path.parent)
        return self._blob

    def discard(self) -> None:
        if self._file is not None:
            self._file.close()
            self._temporary.unlink(missing_ok=True)
            self._path.unlink(missing_ok=True)

    def _opened(self) -> FileIO:
        # Opened by the first use, so that making a writer does not block.
        if self._file is None:
            self._file = FileIO(self._temporary, "xb")
        return self._file


class _DiskReader:
    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def read(self, offset: int, length: int) -> bytes:
        return os.pread(self._descriptor, length, offset)

    def close(self) -> None:
        os.close(self._descriptor)


async def _to_its_end(work: asyncio.Future[T]) -> T:
    """The result of work on a thread. When cancelled, wait for the work first: it cannot be stopped.

    Whoever cleans up after a cancellation would otherwise delete what the work is about to name.
    """
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        if not work.cancelled():
            work.exception()
        raise


def _lock(path: Path) -> int:
    """A descriptor that holds the directory until it is closed or its process dies."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
