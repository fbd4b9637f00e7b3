"""The audit log: JSON lines in one append-only file, durable before anything is sent.

Events that arrive together are written together (group commit). With `sync` a thread writes and waits for the
disk, and what arrives meanwhile is the next batch. Without, the lines only have to leave the process: the event
loop hands them to the kernel itself once per turn, which costs less than asking a thread to. Should the kernel
ever make it wait, the thread takes over for a while.

A line is whole or absent: a failed write is cut off again, and a torn last line of a killed process is closed
and flagged at the next start.

Source: threat model C18; DESIGN §2 step 10.
"""

from __future__ import annotations

import asyncio
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
        self._waiting: list[tuple[bytes, asyncio.Future[None] | None]] = []
        self._flushing: asyncio.Task[None] | None = None
        self._flush_is_due = False
        self._slow_until = 0.0
        self.failures = 0
        self.failing = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self._close_torn_line()
        except OSError as error:
            raise AuditUnavailable(f"cannot open the audit log {path}: {error.strerror}") from error

    async def record(self, event: Mapping[str, Any]) -> None:
        """Append one event and wait until it is durable. Raises AuditUnavailable."""
        if len(self._waiting) >= MAX_WAITING_EVENTS:
            raise AuditUnavailable("too many audit events are waiting to be written")
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._append(event, written)
        await written

    def note(self, event: Mapping[str, Any]) -> None:
        """Append one event soon. It is kept and tried again while the file cannot be written."""
        if len(self._waiting) >= 2 * MAX_WAITING_EVENTS:
            self.failures += 1
            return
        self._append(event, None)

    async def aclose(self) -> None:
        """Write what is waiting, then close the file."""
        self._flush_now()
        while self._flushing is not None:
            await self._flushing
        self._executor.shutdown(wait=True)
        os.close(self._file)

    def _append(self, event: Mapping[str, Any], written: asyncio.Future[None] | None) -> None:
        line = self._encode({"time": datetime.now(UTC), **event}) + b"\n"
        self._waiting.append((line, written))
        if self._flush_is_due or self._flushing is not None:
            return
        loop = asyncio.get_running_loop()
        if self._sync or time.monotonic() < self._slow_until:
            self._flushing = loop.create_task(self._flush())
        else:
            # At the end of this turn of the loop, when the other requests of the turn have said theirs.
            self._flush_is_due = True
            loop.call_soon(self._flush_now)

    def _flush_now(self) -> None:
        """Write what this turn of the loop brought, here and now."""
        self._flush_is_due = False
        if not self._waiting or self._flushing is not None:
            return
        batch, self._waiting = self._waiting, []
        started = time.monotonic()
        try:
            self._write(b"".join([line for line, _ in batch]))
        except OSError as error:
            self._failed(batch, error)
            return
        if time.monotonic() - started >= SLOW_WRITE_SECONDS:
            self._slow_until = time.monotonic() + SLOW_DISK_SECONDS
        self._succeeded(batch)

    async def _flush(self) -> None:
        """Write batches until none is waiting or one fails; the next event starts over."""
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                try:
                    await loop.run_in_executor(self._executor, self._write, b"".join(line for line, _ in batch))
                except OSError as error:
                    self._failed(batch, error)
                    return
                self._succeeded(batch)
        finally:
            self._flushing = None

    def _succeeded(self, batch: list[tuple[bytes, asyncio.Future[None] | None]]) -> None:
        self.failing = False
        for _, written in batch:
            if written is not None and not written.done():
                written.set_result(None)

    def _failed(self, batch: list[tuple[bytes, asyncio.Future[None] | None]], error: OSError) -> None:
        self.failures += 1
        self.failing = True
        # An outcome is a fact that must not be lost; an intent is refused and so never happened.
        self._waiting[:0] = [(line, None) for line, written in batch if written is None]
        for _, written in batch:
            if written is not None and not written.done():
                written.set_exception(AuditUnavailable(f"cannot write the audit log: {error.strerror}"))

    def _write(self, lines: bytes) -> None:
        start = os.fstat(self._file).st_size
        try:
            view = memoryview(lines)
            while view:
                view = view[os.write(self._file, view) :]
            if self._sync:
                os.fdatasync(self._file)
        except OSError:
            # Where even this fails the torn line stays, and is flagged at the next start.
            with suppress(OSError):
                os.ftruncate(self._file, start)
            raise

    def _close_torn_line(self) -> None:
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            repaired = self._encode({"time": datetime.now(UTC), "type": "repaired", "reason": "torn last line"})
            self._write(b"\n" + repaired + b"\n")
