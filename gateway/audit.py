"""The audit log: JSON lines in one append-only file, durable before anything is sent.

Events that arrive together are written together (group commit). With `sync` a thread writes and waits for the
disk, and what arrives meanwhile is the next batch. Without, the lines only have to leave the process: the event
loop hands them to the kernel itself, once at the end of each turn, which costs less than asking a thread to. It also
costs less than a write for each intent, as measured under load: 165 µs of CPU for a copy instead of 191. Should the
kernel make it wait twice in a moment, the thread takes over for a while.

A line is whole or absent: a failed write is cut off again, and a torn last line of a killed process is closed
and flagged at the next start.

Source: threat model C18; DESIGN §2 step 10.
"""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.json import Encoder

from gateway.ports import AuditUnavailable, Outcome

MAX_WAITING_EVENTS = 20_000
"""Events held in memory while the file cannot be written. Beyond this new intents are refused."""
MAX_WAITING_OUTCOMES = 2 * MAX_WAITING_EVENTS
"""Beyond this outcomes are lost, and counted as failures."""
SLOW_WRITE_SECONDS = 0.02
"""A write by the event loop that takes this long is slow. One alone may be the work of a busy processor."""
SLOW_AGAIN_SECONDS = 1.0
"""A slow write that begins so soon after another is the loop's last one for `SLOW_DISK_SECONDS`."""
SLOW_DISK_SECONDS = 10.0


class _Batch(Struct, gc=False):
    """What is written at once."""

    lines: bytes
    outcomes: list[bytes]
    waiting: list[asyncio.Future[None]]


class JsonLinesAuditLog:
    """Implements ports.AuditLog on one file. Use from one event loop."""

    def __init__(self, path: Path, *, sync: bool) -> None:
        """Open or create the file (mode 0600). Raises AuditUnavailable.

        With `sync` a recorded event survives a power cut, without it the end of this process.
        """
        self.path = path
        self._sync = sync
        self._encode = Encoder().encode
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="audit")
        # Two pieces for each line, joined when they are written and not before: copying costs more than encoding.
        self._outcomes: list[bytes] = []
        self._intents: list[bytes] = []
        self._waiting: list[asyncio.Future[None]] = []
        """For the intents."""
        self._loop: asyncio.AbstractEventLoop
        self._flushing: asyncio.Task[None] | None = None
        self._flush_is_due = False
        self._threaded_until = math.inf if sync else 0.0
        """Until then (monotonic seconds) the thread writes."""
        self._was_slow_at = -math.inf
        """When the loop's last slow write ended (monotonic seconds)."""
        self.failures = 0
        self.failing = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self._close_torn_line()
        except OSError as error:
            raise AuditUnavailable(f"cannot open the audit log {path}: {error.strerror}") from error

    def record(self, event: Mapping[str, Any], described: bytes | None = None) -> asyncio.Future[None]:
        """Append one event, to be awaited until it is durable. Raises AuditUnavailable, and so does awaiting it."""
        if len(self._intents) + len(self._outcomes) >= 2 * MAX_WAITING_EVENTS:
            raise AuditUnavailable("too many audit events are waiting to be written")
        self._intents += self._line(event, described)
        if not self._flush_is_due:
            self._flush_soon()
        written = self._loop.create_future()
        self._waiting.append(written)
        return written

    def note(self, event: Mapping[str, Any]) -> None:
        """Append one event soon. It is kept and tried again while the file cannot be written."""
        self._append(self._line(event, None))

    def conclude(self, outcome: Outcome, described: bytes) -> None:
        """Append an outcome, as `note` does."""
        self._append((self._encode(outcome)[:-1], described))

    async def aclose(self) -> None:
        """Write what is waiting, then close the file."""
        if self._flushing is None:
            self._flush_now()
        while self._flushing is not None:
            await self._flushing
        self._executor.shutdown(wait=True)
        os.close(self._file)

    def _line(self, event: Mapping[str, Any], described: bytes | None) -> tuple[bytes, bytes]:
        return self._encode({"time": datetime.now(UTC), **event})[:-1], described or b"}\n"

    def _append(self, line: tuple[bytes, bytes]) -> None:
        if len(self._outcomes) >= 2 * MAX_WAITING_OUTCOMES:
            self.failures += 1
            return
        self._outcomes += line
        if not self._flush_is_due:
            self._flush_soon()

    def _flush_soon(self) -> None:
        self._flush_is_due = True
        self._loop = asyncio.get_running_loop()
        if time.monotonic() < self._threaded_until:
            self._flushing = self._loop.create_task(self._flush())
        else:
            # At the end of this turn of the loop, when the other requests of the turn have said theirs.
            self._loop.call_soon(self._flush_now)

    def _flush_now(self) -> None:
        """Write what this turn of the loop brought, here and now."""
        self._flush_is_due = False
        if not self._outcomes and not self._intents:
            return
        batch = self._take()
        started = time.monotonic()
        try:
            self._write(batch.lines)
        except OSError as error:
            self._failed(batch, error)
            return
        ended = time.monotonic()
        if ended - started >= SLOW_WRITE_SECONDS:
            if started - self._was_slow_at <= SLOW_AGAIN_SECONDS:
                self._threaded_until = max(self._threaded_until, ended + SLOW_DISK_SECONDS)
            self._was_slow_at = ended
        self._succeeded(batch)

    async def _flush(self) -> None:
        """Let the thread write batches until no line is waiting, or one fails and no other intent has come."""
        try:
            while self._outcomes or self._intents:
                batch = self._take()
                try:
                    await self._loop.run_in_executor(self._executor, self._write, batch.lines)
                except OSError as error:
                    self._failed(batch, error)
                    if not self._intents:
                        return
                else:
                    self._succeeded(batch)
        finally:
            self._flushing = None
            self._flush_is_due = False

    def _take(self) -> _Batch:
        batch = _Batch(b"".join(self._outcomes + self._intents), self._outcomes, self._waiting)
        self._outcomes, self._intents, self._waiting = [], [], []
        return batch

    def _succeeded(self, batch: _Batch) -> None:
        self.failing = False
        for written in batch.waiting:
            if not written.done():
                written.set_result(None)

    def _failed(self, batch: _Batch, error: OSError) -> None:
        self.failures += 1
        self.failing = True
        # An outcome is a fact that must not be lost; an intent is refused and so never happened.
        self._outcomes[:0] = batch.outcomes
        for written in batch.waiting:
            if not written.done():
                written.set_exception(AuditUnavailable(f"cannot write the audit log: {error.strerror}"))

    def _write(self, lines: bytes) -> None:
        written = 0
        try:
            written = os.write(self._file, lines)
            while written < len(lines):
                written += os.write(self._file, memoryview(lines)[written:])
            if self._sync:
                os.fdatasync(self._file)
        except OSError:
            # Where even this fails the torn line stays, and is flagged at the next start.
            with suppress(OSError):
                if written:
                    os.ftruncate(self._file, os.lseek(self._file, 0, os.SEEK_CUR) - written)
            raise

    def _close_torn_line(self) -> None:
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            repaired = self._encode({"time": datetime.now(UTC), "type": "repaired", "reason": "torn last line"})
            self._write(b"\n" + repaired + b"\n")
