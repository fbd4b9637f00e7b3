"""An event loop whose clock a test may stop and move: deadlines come when the test says so, not when a machine is busy.

A module asks for it with `anyio_backend`: `return "asyncio", {"loop_factory": SteppedLoop}`. While the clock stands
still no timer fires, so `asyncio.sleep` and `asyncio.timeout` wait until a test passes the time.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator


class SteppedLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop, but for its clock."""

    def __init__(self) -> None:
        self._ahead_seconds = 0.0
        self._stopped_at: float | None = None
        super().__init__()

    def time(self) -> float:
        return time.monotonic() + self._ahead_seconds if self._stopped_at is None else self._stopped_at

    @property
    def is_stopped(self) -> bool:
        return self._stopped_at is not None

    def pass_time(self, seconds: float) -> None:
        """Move the clock on, stopped or not; timers that are due fire in the loop's next turn."""
        if self._stopped_at is None:
            self._ahead_seconds += seconds
        else:
            self._stopped_at += seconds

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """The clock stands still during the block, and goes on from where it was then."""
        self._stopped_at = self.time()
        try:
            yield
        finally:
            self._ahead_seconds = self._stopped_at - time.monotonic()
            self._stopped_at = None


def stepped_loop() -> SteppedLoop:
    """The running loop of a test that asked for one."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SteppedLoop), f"expected a SteppedLoop, got {loop!r}"
    return loop
