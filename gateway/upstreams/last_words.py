"""What the kernel still holds of an answer when the event loop has given its connection up.

A server that refuses an upload and closes with bytes unread sends a reset right behind its answer; when a write meets
the reset first, asyncio and uvloop give the connection up with the answer unread. Both close the socket only after they
told its protocol.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

_READ_BYTES = 65536


def identity(descriptor: int) -> int:
    """What tells an open socket from a later one of the same number."""
    return os.fstat(descriptor).st_ino


def last_words(descriptor: int, inode: int, max_bytes: int) -> Iterator[bytes]:
    """The bytes that wait in the socket if it still is that one; about so many at most."""
    left = max_bytes
    with contextlib.suppress(OSError):
        while left > 0 and identity(descriptor) == inode and (data := os.read(descriptor, _READ_BYTES)):
            left -= len(data)
            yield data
