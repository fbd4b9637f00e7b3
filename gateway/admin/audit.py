"""Finding what the audit log holds of a decision or a request: a bounded search from the end of the file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
from pydantic import Field

from gateway.admin.operations import Call, Input, NoBody, Operation, Reply
from gateway.credentials.views import View
from gateway.ports import AuditUnavailable
from gateway.stores.admin_tokens import Role

MAX_SCANNED_BYTES = 64 * 1024**2
MAX_EVENTS = 200
IDS = ("decision_id", "request_id", "upstream_request_id")


class EventQuery(Input):
    """Which events to find."""

    id: str = Field(min_length=8, max_length=256, pattern=r"^[!#-\[\]-~]+$")
    """A decision id, or a request id of the gateway or of COS."""


class EventList(View):
    """Events of one request, in the order written."""

    items: list[dict[str, Any]]
    complete: bool
    """False: the log is longer than what was searched, or there are more events."""


def search(path: Path, identifier: str, *, max_bytes: int = MAX_SCANNED_BYTES) -> EventList:
    """The events that carry an id, and those of the same request, in the last `max_bytes` of the log.

    Blocks; call it in a thread. Raises AuditUnavailable when the log cannot be read.
    """
    try:
        start = max(0, path.stat().st_size - max_bytes)
        # An event of the same request may come before the decision was made, so the log is read twice.
        requests = {str(event["request_id"]) for event in _events(path, start, {identifier}) if "request_id" in event}
        found = _events(path, start, {identifier} | requests)
    except OSError as error:
        raise AuditUnavailable(f"cannot read the audit log: {error.strerror}") from error
    return EventList(items=found[:MAX_EVENTS], complete=start == 0 and len(found) <= MAX_EVENTS)


def audit_operations(path: Path) -> list[Operation[Any, Any]]:
    """The rows of the table."""
    # One search at a time: it reads what may not be in memory any more.
    searching = asyncio.Lock()

    async def find(call: Call[EventQuery, NoBody]) -> Reply:
        async with searching:
            return Reply(200, await asyncio.to_thread(search, path, call.query.id))

    return [
        Operation(
            method="GET", path="/audit/events", name="findAuditEvents",
            summary="What the audit log holds of a decision or a request.",
            role=Role.VIEWER, query=EventQuery, body=NoBody, status=200, answer=EventList, handle=find,
        ),
    ]  # fmt: skip


def _events(path: Path, start: int, identifiers: set[str]) -> list[dict[str, Any]]:
    needles = [identifier.encode("utf-8") for identifier in identifiers]
    found: list[dict[str, Any]] = []
    with path.open("rb") as log:
        log.seek(start)
        if start:
            # The first line is cut, unless the one before happens to end here.
            log.seek(start - 1)
            log.readline()
        for line in log:
            if not any(needle in line for needle in needles):
                continue
            try:
                event = msgspec.json.decode(line)
            except msgspec.DecodeError:
                # A line torn by a power cut: the gateway flags it when it starts again.
                continue
            if isinstance(event, dict) and any(event.get(name) in identifiers for name in IDS):
                found.append(event)
                if len(found) > MAX_EVENTS:
                    break
    return found
