"""`serve --profile FILE`: where the event loop's time goes, function by function. Guide: docs/performance.md."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def profiled(file: Path | None) -> Iterator[None]:
    """Profile this thread and write the statistics when it ends, for `python3 -m pstats FILE`; None: do nothing.

    Requests take about twice as long meanwhile. Raises OSError before anything runs when the file cannot be
    written.
    """
    if file is None:
        yield
        return
    import cProfile

    file.touch()
    profile = cProfile.Profile()
    profile.enable()
    try:
        yield
    finally:
        profile.disable()
        profile.dump_stats(file)
