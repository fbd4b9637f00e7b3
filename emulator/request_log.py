"""What was asked of the emulator, as JSON lines and as values. Never a secret, signature or token."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

MAX_ENTRIES = 10_000
"""How many of the latest requests are kept in memory."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One request. Fields that were not known when it was answered are empty; `time` is Unix seconds."""

    time: float
    request_id: str
    method: str
    host: str
    operation: str = ""
    bucket: str = ""
    key: str = ""
    access_key_id: str = ""
    status: int = 0
    error_code: str = ""
    copy_source: str = ""


class RequestLog:
    """The latest requests in order; each is also appended to a file and given to the listeners."""

    def __init__(self, path: Path | None = None) -> None:
        self._entries: deque[LogEntry] = deque(maxlen=MAX_ENTRIES)
        self._listeners: list[Callable[[LogEntry], None]] = []
        self._file = path.open("a", encoding="utf-8", buffering=1) if path is not None else None

    @property
    def entries(self) -> list[LogEntry]:
        return list(self._entries)

    def of(self, operation: str) -> list[LogEntry]:
        """The entries of one operation."""
        return [entry for entry in self._entries if entry.operation == operation]

    def listen(self, listener: Callable[[LogEntry], None]) -> None:
        """Call `listener` with every later entry, in the emulator's event loop."""
        self._listeners.append(listener)

    def add(self, entry: LogEntry) -> None:
        self._entries.append(entry)
        if self._file is not None:
            self._file.write(json.dumps(asdict(entry), ensure_ascii=False) + "\n")
        for listener in self._listeners:
            listener(entry)

    def clear(self) -> None:
        """Forget the entries in memory; the file stays."""
        self._entries.clear()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
