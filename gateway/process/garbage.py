"""What the start leaves behind, and how often the process looks for garbage after it.

A request makes next to no cyclic garbage, so the defaults only cost.

Measured with small part copies: with Python's defaults, a fifth of the CPU went into looking at objects that
live as long as the process.
"""

from __future__ import annotations

import ctypes
import gc
import sys

from gateway.process.pages import leave_pages_of_files, use_large_pages

YOUNG_OBJECTS = 10_000
"""Containers made and not yet freed that start a look at the young ones (Python's default: 700)."""


def settle() -> None:
    """Call once, when everything that lives as long as the process is there: it is not looked at again."""
    gc.collect()
    gc.freeze()
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "malloc_trim"):
        # What reading policies and settings took goes back to the system: glibc would keep it.
        library.malloc_trim(0)
    use_large_pages()
    leave_pages_of_files()
    gc.set_threshold(YOUNG_OBJECTS, 20, 50)
