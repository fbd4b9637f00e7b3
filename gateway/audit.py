"""The audit log: JSON lines in one append-only file, durable before anything is sent.

With `sync` events that arrive together are written together (group commit): a thread writes and waits for the disk,
and what arrives meanwhile is the next batch. Without, a line only has to leave the process: the event loop hands an
intent to the kernel itself, there and then, together with the outcomes that wait for the end of the loop's turn. That
costs less than to ask a thread, or to wake up whoever waits. Should the kernel ever make it wait, the thread takes over
for a while.

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

import msgspec

from gateway.ports import AuditUnavailable

MAX_WAITING_EVENTS = 20_000
"""Events held in memory while the file cannot be written. Beyond this new intents are refused."""
MAX_WAITING_OUTCOMES = 2 * MAX_WAITING_EVENTS
"""Beyond this outcomes are lost, and counted as failures."""
SLOW_WRITE_SECONDS = 0.02
"""A write by the event loop that takes this long is the last one for `SLOW_DISK_SECONDS`."""
SLOW_DISK_SECONDS = 10.0


class JsonLinesAuditLog:
    """Implements ports.AuditLog on one file. Use from one event loop."""

    def __init__(self, path: Path, *, sync: bool) -> None:
        """Open or create the file (mode 0600). Raises AuditUnavailable.

        With `sync` a recorded event survives a power cut, without it the end of this process.
        """
        self.path = path
        self._sync = sync
        self._encode = msgspec.json.Encoder().encode
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="audit")
        self._outcomes: list[bytes] = []
        self._intents: list[tuple[bytes, asyncio.Future[None]]] = []
        self._flushing: asyncio.Task[None] | None = None
        self._flush_is_due = False
        self._threaded_until = math.inf if sync else 0.0
        """Until then (monotonic seconds) the thread writes."""
        self.failures = 0
        self.failing = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self._close_torn_line()
        except OSError as error:
            raise AuditUnavailable(f"cannot open the audit log {path}: {error.strerror}") from error

    async def record(self, event: Mapping[str, Any], described: bytes | None = None) -> None:
        """Append one event and wait until it is durable. Raises AuditUnavailable."""
        started = time.monotonic()
        if self._flushing is not None or started < self._threaded_until or self.failing:
            await self._record_slowly(self._line(event, described), started)
        else:
            self._write_now(self._line(event, described), started)

    async def _record_slowly(self, line: bytes, now: float) -> None:
        if len(self._outcomes) + len(self._intents) >= MAX_WAITING_EVENTS:
            raise AuditUnavailable("too many audit events are waiting to be written")
        if self._flushing is None and now >= self._threaded_until:
            self._write_now(line, now)
            return
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._intents.append((line, written))
        if self._flushing is None:
            self._start_flushing()
        await written

    def note(self, event: Mapping[str, Any], described: bytes | None = None) -> None:
        """Append one event soon. It is kept and tried again while the file cannot be written."""
        if len(self._outcomes) >= MAX_WAITING_OUTCOMES:
            self.failures += 1
            return
        self._outcomes.append(self._line(event, described))
        if self._flush_is_due or self._flushing is not None:
            return
        if time.monotonic() < self._threaded_until:
            self._start_flushing()
        else:
            # At the end of this turn of the loop, unless an intent takes it along before.
            self._flush_is_due = True
            asyncio.get_running_loop().call_soon(self._flush_now)

    async def aclose(self) -> None:
        """Write what is waiting, then close the file."""
        if self._outcomes and self._flushing is None:
            self._start_flushing()
        while self._flushing is not None:
            await self._flushing
        self._executor.shutdown(wait=True)
        os.close(self._file)

    def _line(self, event: Mapping[str, Any], described: bytes | None) -> bytes:
        now = datetime.now(UTC)
        if described is None:
            return self._encode({"time": now, **event}) + b"\n"
        return b'{"time":%b,%b,%b\n' % (self._encode(now), self._encode(event)[1:-1], described[1:])

    def _flush_now(self) -> None:
        """Write the outcomes that no intent took along."""
        self._flush_is_due = False
        if self._outcomes and self._flushing is None:
            with suppress(AuditUnavailable):
                self._write_now(b"", time.monotonic())

    def _write_now(self, line: bytes, started: float) -> None:
        """Hand the kernel the outcomes that wait, and one line more. Raises AuditUnavailable; the outcomes wait on."""
        try:
            self._write(b"".join(self._outcomes) + line)
        except OSError as error:
            self.failures += 1
            self.failing = True
            raise _unavailable(error) from error
        self._outcomes.clear()
        self.failing = False
        ended = time.monotonic()
        if ended - started >= SLOW_WRITE_SECONDS:
            self._threaded_until = ended + SLOW_DISK_SECONDS

    def _start_flushing(self) -> None:
        self._flushing = asyncio.get_running_loop().create_task(self._flush())

    async def _flush(self) -> None:
        """Let the thread write batches until no line is waiting, or one fails and no other intent has come."""
        loop = asyncio.get_running_loop()
        try:
            while self._outcomes or self._intents:
                outcomes, self._outcomes = self._outcomes, []
                intents, self._intents = self._intents, []
                lines = b"".join([*outcomes, *(line for line, _ in intents)])
                try:
                    await loop.run_in_executor(self._executor, self._write, lines)
                except OSError as error:
                    # An outcome is a fact that must not be lost; an intent is refused and so never happened.
                    self._outcomes[:0] = outcomes
                    self.failures += 1
                    self.failing = True
                    for _, written in intents:
                        if not written.done():
                            written.set_exception(_unavailable(error))
                    if not self._intents:
                        return
                else:
                    self.failing = False
                    for _, written in intents:
                        if not written.done():
                            written.set_result(None)
        finally:
            self._flushing = None

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


def _unavailable(error: OSError) -> AuditUnavailable:
    return AuditUnavailable(f"cannot write the audit log: {error.strerror}")
