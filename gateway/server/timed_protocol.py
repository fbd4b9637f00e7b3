"""The deadlines of one connection that need no HTTP, and its end.

For a client that drips its body, or does not read, or has gone, or says nothing more.

Source: threat model C14, C15.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable

from gateway.server.deadlines import Deadlines
from gateway.server.flow import Flow

WATCH_SECONDS = 1.0
"""How often a client that is not read from is looked at: has it gone?"""


class TimedProtocol(asyncio.Protocol):
    """A connection with named timers, one of each name. Those set here: `body`, `write`, `watch`, `rest`, `linger`."""

    __slots__ = (
        "_deaf", "_ending", "_last_body_time", "_loop", "_period_bytes", "_period_start", "_receiving_body",
        "_resting_since", "_timers", "flow", "transport",
    )  # fmt: skip

    deadlines: Deadlines

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._receiving_body = False
        # The body's last byte; the period in which its rate is measured, and its bytes in that period.
        self._last_body_time = self._period_start = 0.0
        self._period_bytes = 0
        # Since when nothing at all came after an answer.
        self._resting_since: float | None = None
        # What still arrives is thrown away; nothing more is written.
        self._deaf = self._ending = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # a connection has both ways
        self.transport = transport
        self.flow = Flow(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self.flow.resume_writing()

    def _set_timer(self, name: str, seconds: float, action: Callable[[], None]) -> None:
        self._clear_timer(name)
        self._timers[name] = self._loop.call_later(seconds, action)

    def _clear_timer(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    # --- the body of a request ---------------------------------------------------------------------------------

    def _time_body(self) -> None:
        """A body has begun to arrive: hold it to its deadlines."""
        self._last_body_time = self._loop.time()
        self._begin_period()
        self._set_timer("body", self.deadlines.body_idle_seconds, self._judge_body)

    def _begin_period(self) -> None:
        self._period_start = self._loop.time()
        self._period_bytes = 0
        self.flow.paused_meanwhile = self.flow.read_paused

    def _judge_body(self) -> None:
        """Looked at again after each period without offence: one timer per body, however many pieces it has."""
        self._clear_timer("body")
        if not self._receiving_body or self._deaf or self.transport.is_closing():
            return
        now, period = self._loop.time(), self.deadlines.body_idle_seconds
        if self.flow.paused_meanwhile:
            # It was we who did not read, because the upstream did not.
            self._last_body_time = now if self.flow.read_paused else max(self._last_body_time, self._period_start)
            self._begin_period()
        slow = False
        if now - self._period_start >= period:
            slow = self._period_bytes < self.deadlines.min_upload_bytes_per_second * (now - self._period_start)
            self._begin_period()
        idle_seconds = now - self._last_body_time
        if slow or idle_seconds >= period:
            self.transport.abort()
        else:
            self._set_timer("body", period - idle_seconds, self._judge_body)

    # --- a client that does not read, or is not read from ------------------------------------------------------

    def pause_writing(self) -> None:
        self.flow.write_paused = True
        self._set_timer("write", self.deadlines.body_idle_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        self.flow.resume_writing()
        self._clear_timer("write")

    def _pause_reading(self) -> None:
        self.flow.pause_reading()
        if "watch" not in self._timers:
            self._set_timer("watch", WATCH_SECONDS, self._watch_client)

    def _watch_client(self) -> None:
        """A socket that is not read from does not tell that its peer has gone: ask it."""
        self._clear_timer("watch")
        if self.transport.is_closing() or not self.flow.read_paused:
            return
        poll = select.poll()
        poll.register(self.transport.get_extra_info("socket").fileno(), select.POLLRDHUP)
        if poll.poll(0):
            self.transport.abort()
        else:
            self._set_timer("watch", WATCH_SECONDS, self._watch_client)

    # --- the end -------------------------------------------------------------------------------------------------

    def close_gently(self) -> None:
        """Close after what was written has left, reading on for a while so that it is not lost to a reset."""
        if self._ending or self.transport.is_closing():
            return
        self._ending = True
        if self._deaf or self._receiving_body:
            self._deaf = True
            if self.transport.can_write_eof():
                self.transport.write_eof()
            self.flow.resume_reading()
            self._set_timer("linger", self.deadlines.linger_seconds, self.transport.abort)
        else:
            self.transport.close()
            self._set_timer("linger", self.deadlines.body_idle_seconds, self.transport.abort)

    def _rested(self) -> None:
        """Nothing may have come since the last answer, or since an earlier one."""
        self._clear_timer("rest")
        if self._resting_since is None or self.transport.is_closing():
            return
        left = self._resting_since + self.deadlines.keepalive_seconds - self._loop.time()
        if left <= 0:
            self.close_gently()
        else:
            self._set_timer("rest", left, self._rested)
