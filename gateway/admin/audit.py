"""Finding what the audit log holds of a decision or a request, within a bounded part of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from pydantic import Field

from gateway.admin.operations import Call, Input, NoBody, Operation, Reply
from gateway.audit_search import find_events
from gateway.credentials.views import View
from gateway.ports import AuditUnavailable
from gateway.stores.admin_tokens import Role

MAX_SCANNED_BYTES = 64 * 1024**2
MAX_EVENTS = 200


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
    """The events that carry an id, and those of the same request; at most `max_bytes` of the log are read.

    Blocks; call it in a thread. Raises AuditUnavailable when the log cannot be read.
    """
    try:
        found = find_events(path, identifier, max_bytes=max_bytes, max_events=MAX_EVENTS)
    except OSError as error:
        raise AuditUnavailable(f"cannot read the audit log: {error.strerror}") from error
    return EventList(items=found.events, complete=found.complete)


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
