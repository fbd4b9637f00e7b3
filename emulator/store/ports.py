"""What the emulator needs of a store: transactions over tables, blobs, and leases that keep blobs readable."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from emulator.store.model import Extent
from emulator.store.tables import Tables

T = TypeVar("T")


class BlobWriter(Protocol):
    """One blob being written. Nothing is visible before `seal`; `discard` may be called at any time."""

    def write(self, data: bytes) -> None: ...
    def seal(self) -> str:
        """Make the blob durable and return its id."""
        ...

    def discard(self) -> None: ...


class BlobReader(Protocol):
    """An open blob; it stays readable until closed, even when the blob is deleted."""

    def read(self, offset: int, length: int) -> bytes: ...
    def close(self) -> None: ...


class Blobs(Protocol):
    """Immutable byte sequences by id. Calls may block, except `create`."""

    def create(self) -> BlobWriter: ...
    def open(self, blob: str) -> BlobReader: ...
    def delete(self, blobs: Iterable[str]) -> None: ...


class Store(Protocol):
    """A transactional store. `transact` and `call` never block the event loop."""

    @property
    def blobs(self) -> Blobs: ...

    async def transact(self, work: Callable[[Tables], T]) -> T:
        """Run `work` in one transaction: all of it happens or, when it raises, none of it.

        Blobs that lost their last reference and are not leased are deleted after the commit. When the caller is
        cancelled, the transaction has ended, either way, before CancelledError is raised.
        """
        ...

    async def call(self, work: Callable[[], T]) -> T:
        """Run blob work where it may block."""
        ...

    def lease(self, extents: Iterable[Extent]) -> None:
        """Keep the blobs of these extents until `release`; to be called inside a transaction's work."""
        ...

    def release(self, extents: Iterable[Extent]) -> None: ...

    async def close(self) -> None: ...
