"""The access log: one line per request on standard error.

As JSON a line is rendered and leaves with those of the requests around it: one write every `FLUSH_SECONDS`,
not one per request. The audit log, not this one, is what must survive a crash.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import BinaryIO, TypeAlias

import msgspec
import structlog

FLUSH_SECONDS = 0.05
MAX_WAITING_LINES = 32
"""Lines after which a write does not wait for its time. With more, what they are made of went cold until then."""


class Answered(msgspec.Struct, gc=False):
    """One finished exchange, in the order the fields are written."""

    request_id: str
    client: str
    principal: str | None
    operation: str
    status: int
    code: str | None
    result: str
    decision_id: str | None
    bytes_in: int
    bytes_out: int
    milliseconds: float
    certificate: str | msgspec.UnsetType = msgspec.UNSET
    """The client certificate's subject and serial number; not written without one."""
    event: str = "request"
    level: str = "info"
    timestamp: datetime | None = None


AccessLog: TypeAlias = Callable[[Answered], None]


class JsonAccessLog:
    """Writes lines to a stream. Use from one event loop; `close` writes what is waiting."""

    def __init__(self, stream: BinaryIO, *, shared: bool = False) -> None:
        """`shared`: other processes write to the same stream, so that lines leave in writes that a pipe keeps whole."""
        self._stream = stream
        self._write_bytes = select.PIPE_BUF if shared else None
        self._encode_lines = msgspec.json.Encoder().encode_lines
        self._waiting: list[Answered] = []
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self, answered: Answered) -> None:
        self._waiting.append(answered)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.close)
        elif len(self._waiting) >= MAX_WAITING_LINES:
            self.close()

    def close(self) -> None:
        """Write what is waiting. Later lines are written as well."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        lines = self._encode_lines(waiting)
        # Nobody reads the log any more: not a reason to stop serving.
        with suppress(OSError, ValueError):
            for piece in [lines] if self._write_bytes is None else _pieces(lines, self._write_bytes):
                self._stream.write(piece)
                self._stream.flush()


def _pieces(lines: bytes, max_bytes: int) -> Iterator[bytes]:
    """Whole lines, as many together as fit into `max_bytes`; one that does not fit alone."""
    start = 0
    while start < len(lines):
        end = lines.rfind(b"\n", start, start + max_bytes) + 1 or lines.index(b"\n", start) + 1
        yield lines[start:end]
        start = end


def structured_access_log(answered: Answered) -> None:
    """Through structlog like every other line: for people, and wherever nothing else was configured."""
    fields = msgspec.structs.asdict(answered)
    del fields["event"], fields["level"], fields["timestamp"]
    if answered.certificate is msgspec.UNSET:
        del fields["certificate"]
    structlog.get_logger("gateway.access").info("request", **fields)


def no_access_log(answered: Answered) -> None:
    """For a log level above info."""
