"""The search of the audit log: from its end, within bounds, over torn lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.admin.audit import MAX_EVENTS, search
from gateway.ports import AuditUnavailable


def write(path: Path, *events: dict[str, Any] | bytes) -> Path:
    lines = [event if isinstance(event, bytes) else json.dumps(event).encode() for event in events]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def test_the_events_of_the_same_request_are_found_together(tmp_path: Path) -> None:
    log = write(
        tmp_path / "audit.jsonl",
        {"type": "facts", "request_id": "request-1"},
        {"type": "intent", "request_id": "request-1", "decision_id": "decision-1"},
        {"type": "intent", "request_id": "request-2", "decision_id": "decision-2"},
        {"type": "outcome", "request_id": "request-1"},
    )
    assert [event["type"] for event in search(log, "decision-1").items] == ["facts", "intent", "outcome"]


def test_an_id_inside_another_field_or_id_is_not_found(tmp_path: Path) -> None:
    log = write(tmp_path / "audit.jsonl", {"key": "decision-1"}, {"decision_id": "decision-11"}, [1], b"decision-1")
    assert search(log, "decision-1").items == []


@pytest.mark.parametrize("cut", [0, 1, 5])
def test_what_lies_before_the_bound_is_not_searched_and_said(tmp_path: Path, cut: int) -> None:
    lines = [{"request_id": f"request-{number:04}"} for number in range(100)]
    log = write(tmp_path / "audit.jsonl", *lines)
    line_bytes = log.stat().st_size // 100
    bound = line_bytes * 10 + cut
    assert search(log, "request-0090", max_bytes=bound).items == [{"request_id": "request-0090"}]
    missed = search(log, "request-0089", max_bytes=bound)
    assert (missed.items, missed.complete) == ([], False)
    assert search(log, "request-0089", max_bytes=line_bytes * 100).complete is True


def test_too_many_events_are_cut_and_said(tmp_path: Path) -> None:
    log = write(tmp_path / "audit.jsonl", *({"request_id": "request-1", "n": n} for n in range(MAX_EVENTS + 1)))
    found = search(log, "request-1")
    assert (len(found.items), found.complete) == (MAX_EVENTS, False)


def test_a_torn_line_is_passed_over(tmp_path: Path) -> None:
    log = write(tmp_path / "audit.jsonl", b'{"request_id": "request-1", "ty', {"request_id": "request-1", "type": "x"})
    assert [event["type"] for event in search(log, "request-1").items] == ["x"]


def test_a_log_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(AuditUnavailable):
        search(tmp_path / "none.jsonl", "request-1")
