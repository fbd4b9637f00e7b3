"""Where the emulator keeps what it was given: metadata tables and immutable blobs, in memory or on disk."""

from emulator.store.disk import DiskStore
from emulator.store.memory import MemoryStore
from emulator.store.ports import Store

__all__ = ["DiskStore", "MemoryStore", "Store"]
