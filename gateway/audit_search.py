"""Finding the events of one request in audit files of any size.

Lines are written in the order of their times, and the ids of decisions and requests begin with a time. So the place
to look is found by bisection, and reading ends soon after the request's outcome. An id that says no time, or a time
at which nothing is found because a clock was set, is looked for in all that may be read.

Blocks: call it in a thread where others wait.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import msgspec

from gateway.audit_files import audit_files
from gateway.identifiers import time_of_id

IDS = ("decision_id", "request_id", "upstream_request_id")
"""The fields an id may stand in."""
WINDOWS_SECONDS = ((5, 60), (1200, 3600))
"""How far before and after its time an id must be met for the first time: by our clock, or by COS's, which may differ
by a quarter of an hour. Else it is looked for everywhere."""
SETTLED_SECONDS = 5
"""How far after a request's last event it is still looked for more."""
OPEN_TYPES = frozenset({"intent", "measure"})
"""Events after which an outcome is still to come, unless the process was killed."""

_Match: TypeAlias = tuple[dict[str, Any] | None, float | None]

_CHUNK_BYTES = 4 * 1024 * 1024
_NEAR_BYTES = 64 * 1024
"""Bisection ends this close: reading on costs less than another look."""


@dataclass(frozen=True, slots=True)
class Found:
    """Events in the order written. `complete`: everything they could be in was read."""

    events: list[dict[str, Any]]
    complete: bool


def find_events(path: Path, identifier: str, *, max_bytes: int | None = None, max_events: int | None = None) -> Found:
    """The events that carry an id, and those of the same request, in the files of the audit log at `path`.

    At most `max_bytes` are read; where it is not known where to look, they are the last ones. Raises OSError when the
    log cannot be read.
    """
    search = _Search(audit_files(path), max_bytes)
    first = search.events({identifier}, time_of_id(identifier))
    requests = {str(event["request_id"]) for event in first if "request_id" in event} - {identifier}
    events = first
    if requests:
        # An event of the same request may come before the one that carries the id.
        times = [time for request in requests if (time := time_of_id(request)) is not None]
        events = search.events({identifier} | requests, min(times) if len(times) == len(requests) else None)
    complete = search.complete and (max_events is None or len(events) <= max_events)
    return Found(events[:max_events], complete)


@dataclass(slots=True)
class _Search:
    """A search through files. Each look through them may read `max_bytes`, or everything when that is None."""

    files: list[Path]
    max_bytes: int | None
    complete: bool = True
    left: int | None = None
    """What this look may still read."""

    def events(self, ids: set[str], time: int | None) -> list[dict[str, Any]]:
        """The events that carry one of the ids, of requests that began at a time, if that is known."""
        self._begin()
        if time is not None:
            for before, after in WINDOWS_SECONDS:
                for file in self.files:
                    with file.open("rb") as log:
                        start = _first_at(log, time - before)
                        if found := self._read_on(log, start, ids, until=time + after):
                            # All events of a request stand in one file.
                            self.files = [file]
                            return found
        self._begin()
        found, homes = [], []
        for number, file in enumerate(self.files):
            with file.open("rb") as log:
                share = None if self.max_bytes is None else (self.left or 0) // (len(self.files) - number)
                if here := [event for event, _ in self._matches(log, self._tail(log, share), ids) if event is not None]:
                    homes.append(file)
                    found += here
        self.files = homes or self.files
        return found

    def _begin(self) -> None:
        self.left, self.complete = self.max_bytes, True

    def _tail(self, log: BinaryIO, share: int | None) -> int:
        """Where the last `share` bytes begin, at the beginning of a line."""
        start = 0 if share is None else max(0, os.fstat(log.fileno()).st_size - share)
        if start:
            self.complete = False
            # The first line is cut, unless the one before happens to end here.
            log.seek(start - 1)
            log.readline()
        return log.tell()

    def _read_on(self, log: BinaryIO, start: int, ids: set[str], *, until: int) -> list[dict[str, Any]]:
        """The events from `start` until the request is over; none if the first does not come by `until`."""
        found: list[dict[str, Any]] = []
        last: float = until
        for event, time in self._matches(log, start, ids):
            if event is not None:
                found.append(event)
                last = float("inf") if event.get("type") in OPEN_TYPES else (time or until) + SETTLED_SECONDS
            elif time is not None and time > last:
                break
        return found

    def _matches(
        self, log: BinaryIO, start: int, ids: set[str]
    ) -> Iterator[tuple[dict[str, Any] | None, float | None]]:
        """Each event that carries one of the ids with its time; between them, None with a time that was reached."""
        needles = [identifier.encode("utf-8") for identifier in ids]
        log.seek(start)
        while chunk := log.read(_CHUNK_BYTES if self.left is None else min(_CHUNK_BYTES, self.left)):
            if not chunk.endswith(b"\n"):
                chunk += log.readline()
            if self.left is not None:
                self.left = max(0, self.left - len(chunk))
            for line in _lines_with(chunk, needles):
                event = _event(line)
                if event is not None and any(event.get(name) in ids for name in IDS):
                    yield event, _time(event)
            yield None, _time(_event(chunk[chunk.rfind(b"\n", 0, -1) + 1 :]))
            if self.left == 0 and log.read(1):
                self.complete = False
                return


def _lines_with(chunk: bytes, needles: list[bytes]) -> list[bytes]:
    """The lines that hold a needle, in their order."""
    places: set[tuple[int, int]] = set()
    for needle in needles:
        at = chunk.find(needle)
        while at >= 0:
            end = chunk.find(b"\n", at)
            end = len(chunk) if end < 0 else end
            places.add((chunk.rfind(b"\n", 0, at) + 1, end))
            at = chunk.find(needle, end)
    return [chunk[start:end] for start, end in sorted(places)]


def _first_at(log: BinaryIO, time: float) -> int:
    """Where lines of that time begin, or some earlier place: the offset of a line's beginning."""
    low, high = 0, os.fstat(log.fileno()).st_size
    while high - low > _NEAR_BYTES:
        middle = (low + high) // 2
        log.seek(middle)
        log.readline()
        found = None
        while found is None and log.tell() < high and (line := log.readline()):
            found = _time(_event(line))
        if found is None or found >= time:
            high = middle
        else:
            low = middle
    if low:
        log.seek(low)
        log.readline()
        low = log.tell()
    return low


def _event(line: bytes) -> dict[str, Any] | None:
    """None for a line torn by a power cut: the gateway flags it when it starts again."""
    try:
        event = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return event if isinstance(event, dict) else None


def _time(event: dict[str, Any] | None) -> float | None:
    """Unix seconds."""
    try:
        return datetime.fromisoformat(event["time"]).timestamp() if event is not None else None
    except (KeyError, TypeError, ValueError):
        return None
