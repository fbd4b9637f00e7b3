"""A parent that forks workers, starts them again when they end, and ends with them.

The parent takes the ports, reads the settings and then does nothing but wait: no event loop, no thread, so that a
fork is safe at any time and a worker that starts again has the very settings that the others have. What was imported
before the fork is in memory once.

    TERM, INT   to every worker, which drains; what is left after `grace_seconds` is killed
    HUP         to every worker, which reads the policy documents anew
    a worker ends   another one takes its seat, at once or, when it keeps ending, after 1, 2, 4 … 30 s
    the parent ends, however   the workers see the end of a pipe only it can write to, and drain
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
"""Blocked in a worker until it handles them itself: none is lost, and none ends it while it starts."""
SETTLED_SECONDS = 60.0
"""A worker that lived this long starts again at once."""
MAX_DELAY_SECONDS = 30.0

_log = structlog.get_logger("gateway.workers")


@dataclass(frozen=True, slots=True)
class Seat:
    """A worker's place. `number` counts from 1; `again` tells that it takes the place of one that has ended.

    `ready` is a descriptor to write a byte to when it serves, `lifeline` one that ends when the supervisor has.
    """

    number: int
    again: bool
    ready: int
    lifeline: int


@dataclass(slots=True)
class _Worker:
    """What the supervisor knows of a seat. `pid` 0: nobody sits there."""

    pid: int = 0
    ready: int = -1
    started_at: float = 0.0
    start_at: float = 0.0
    ended: int = 0
    """How often in a row it ended before it had settled."""
    was_ready: bool = False


class Supervisor:
    """Keeps `count` workers running. Use from the main thread of a process that has no other.

    `work` is called in each forked process and gives its exit code. `serving` is called once, when all are ready;
    `stopping` once, before the workers are told to end: close what listens there, or new clients wait for nobody.
    `ended` is called with the number of each worker that has ended.
    """

    def __init__(
        self,
        count: int,
        work: Callable[[Seat], int],
        *,
        grace_seconds: float,
        serving: Callable[[], None],
        stopping: Callable[[], None],
        ended: Callable[[int], None],
    ) -> None:
        self._work = work
        self._grace_seconds = grace_seconds
        self._serving = serving
        self._stopping = stopping
        self._on_end = ended
        self._workers = {number: _Worker() for number in range(1, count + 1)}
        self._selector = selectors.DefaultSelector()
        self._announced = False
        self._kill_at: float | None = None
        self._code = 0

    def run(self) -> int:
        """Fork, watch, and return the exit code when every worker has ended: 0 when all ended well."""
        lifeline, self._lifeline_end = os.pipe()
        self._lifeline = lifeline
        wake, woken = socket.socketpair()
        for end in (wake, woken):
            end.setblocking(False)
        self._woken = woken
        self._selector.register(wake, selectors.EVENT_READ)
        signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        for number in SIGNALS:
            signal.signal(number, lambda *_: None)
        # The first alone: it brings the store up to date, and says what is wrong once.
        self._fork(1)
        while self._kill_at is None or any(worker.pid for worker in self._workers.values()):
            found = self._selector.select(self._timeout())
            for key, _ in found:
                if key.fileobj is wake:
                    with suppress(BlockingIOError):
                        for received in wake.recv(4096):
                            self._signalled(received)
                else:
                    self._told(int(key.fd))
            self._reap()
            self._start_due()
            if self._kill_at is not None and time.monotonic() >= self._kill_at:
                self._send(signal.SIGKILL)
                self._kill_at = float("inf")
        return self._code

    # --- one worker --------------------------------------------------------------------------------------------

    def _fork(self, number: int) -> None:
        worker = self._workers[number]
        ready, ready_end = os.pipe()
        again = worker.started_at > 0
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        pid = os.fork()
        if pid == 0:
            self._be_worker(Seat(number, again, ready_end, self._lifeline), ready)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        os.close(ready_end)
        worker.pid, worker.ready, worker.started_at, worker.was_ready = pid, ready, time.monotonic(), False
        self._selector.register(ready, selectors.EVENT_READ)

    def _be_worker(self, seat: Seat, ready: int) -> None:
        """In the child: give up what is the supervisor's, work, and never come back."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            self._selector.close()
            self._woken.close()
            for descriptor in (self._lifeline_end, ready, *(w.ready for w in self._workers.values() if w.ready >= 0)):
                os.close(descriptor)
            code = self._work(seat)
        finally:
            if sys.exc_info()[0] is not None:
                sys.excepthook(*sys.exc_info())
            with suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _told(self, ready: int) -> None:
        """A worker serves, or ended before it did."""
        number = next(number for number, worker in self._workers.items() if worker.ready == ready)
        worker = self._workers[number]
        worker.was_ready = os.read(ready, 1) != b""
        self._forget(worker)
        if not worker.was_ready or self._announced or self._kill_at is not None:
            return
        if number == 1:
            for other in range(2, len(self._workers) + 1):
                self._fork(other)
        if all(found.was_ready for found in self._workers.values()):
            self._announced = True
            self._serving()

    def _forget(self, worker: _Worker) -> None:
        if worker.ready >= 0:
            self._selector.unregister(worker.ready)
            os.close(worker.ready)
            worker.ready = -1

    def _reap(self) -> None:
        for number, worker in self._workers.items():
            if not worker.pid:
                continue
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid:
                if worker.ready >= 0:
                    # It may have served before it ended.
                    self._told(worker.ready)
                worker.pid = 0
                self._on_end(number)
                self._ended(number, worker, os.waitstatus_to_exitcode(status), pid)

    def _ended(self, number: int, worker: _Worker, code: int, pid: int) -> None:
        """A worker has ended: by itself, by a signal (`code` negative), or because it was told to."""
        if self._kill_at is not None:
            self._code = self._code or (0 if code == 0 else max(code, 1))
            return
        if not self._announced:
            # It could not start, and has said why: nor could it a second time.
            self._code = max(code, 1)
            self._stop()
            return
        settled = time.monotonic() - worker.started_at >= SETTLED_SECONDS
        worker.ended = 1 if settled else worker.ended + 1
        delay = 0.0 if worker.ended == 1 else min(MAX_DELAY_SECONDS, 2.0 ** (worker.ended - 2))
        worker.start_at = time.monotonic() + delay
        cause = {"signal": signal.Signals(-code).name} if code < 0 else {"exit_code": code}
        _log.error("worker_ended", worker=number, pid=pid, **cause, starts_again_in_seconds=delay)

    def _start_due(self) -> None:
        if not self._announced or self._kill_at is not None:
            return
        for number, worker in self._workers.items():
            if not worker.pid and worker.start_at <= time.monotonic():
                self._fork(number)
                _log.info("worker_started_again", worker=number, pid=worker.pid)

    # --- all of them -------------------------------------------------------------------------------------------

    def _signalled(self, number: int) -> None:
        match number:
            case signal.SIGTERM | signal.SIGINT if self._kill_at is None:
                self._stop()
            case signal.SIGHUP:
                self._send(signal.SIGHUP)
            case _:
                pass

    def _stop(self) -> None:
        self._kill_at = time.monotonic() + self._grace_seconds
        self._stopping()
        self._send(signal.SIGTERM)

    def _send(self, number: signal.Signals) -> None:
        for worker in self._workers.values():
            if worker.pid:
                with suppress(ProcessLookupError):
                    os.kill(worker.pid, number)

    def _timeout(self) -> float | None:
        """Seconds until something is due; None: only an event can be next."""
        due = [worker.start_at for worker in self._workers.values() if not worker.pid and self._announced]
        if self._kill_at is not None:
            due = [self._kill_at]
        first = min(due, default=float("inf"))
        return None if first == float("inf") else max(0.0, first - time.monotonic())
