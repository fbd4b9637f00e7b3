"""A store whose reading of objects stands still until told to go on: a copy that takes as long as a test needs."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator

from emulator.store import MemoryStore
from emulator.store.memory import MemoryBlobs
from emulator.store.ports import BlobReader

PATIENCE_SECONDS = 30


class HeldBlobs(MemoryBlobs):
    """Blobs of which the second reading waits, so that some bytes are read and others are not."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self.go_on = threading.Event()

    def open(self, blob: str) -> BlobReader:
        return _HeldReader(self, super().open(blob))


class HeldStore(MemoryStore):
    """A MemoryStore of HeldBlobs."""

    def __init__(self) -> None:
        super().__init__()
        self.blobs: HeldBlobs = HeldBlobs()

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """The block runs while a reading stands still, begun before; it goes on when the block ends."""
        try:
            assert await asyncio.to_thread(self.blobs.reached.wait, PATIENCE_SECONDS), "nothing was read"
            yield
        finally:
            self.blobs.go_on.set()


class _HeldReader:
    def __init__(self, held: HeldBlobs, reader: BlobReader) -> None:
        self._held = held
        self._reader = reader
        self._reads = 0

    def read(self, offset: int, length: int) -> bytes:
        self._reads += 1
        if self._reads == 2:
            self._held.reached.set()
            # Whoever reads in the event loop waits for himself, in vain.
            if not self._held.go_on.wait(PATIENCE_SECONDS):
                raise TimeoutError("nothing else was done while an object was read")
        return self._reader.read(offset, length)

    def close(self) -> None:
        self._reader.close()
