"""Finding events in a log of several files, of which each may be huge: quickly, and never less than reading it all."""

from __future__ import annotations

import json
import random
from base64 import b64encode
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.audit_files import audit_files, worker_file
from gateway.audit_search import find_events
from gateway.identifiers import new_decision_id, new_request_id, time_of_id

START = 1_800_000_000


def decision_at(time: int, number: int) -> str:
    return f"d-{time:08x}{number:012x}"


def request_at(time: int, number: int) -> str:
    return b64encode(f"{time:x}_1_2_{number:x}".encode()).decode()


def event(time: float, kind: str, request_id: str, **more: Any) -> dict[str, Any]:
    moment = datetime.fromtimestamp(time, UTC).isoformat()
    return {"time": moment, "type": kind, "request_id": request_id, **more}


def write(path: Path, events: Iterable[dict[str, Any]]) -> Path:
    path.write_bytes(b"".join(json.dumps(line).encode() + b"\n" for line in events))
    return path


def requests(numbers: Iterable[int], *, padding: int = 0) -> list[dict[str, Any]]:
    """One request a second: its intent, and its outcome half a second later."""
    lines = []
    for number in numbers:
        decision, request = decision_at(START + number, number), request_at(START + number, number)
        lines.append(event(START + number, "intent", request, decision_id=decision, key="x" * padding))
        lines.append(event(START + number + 0.5, "outcome", request, decision_id=decision, key="x" * padding))
    return lines


def types(path: Path, identifier: str, **bounds: int) -> list[str]:
    return [found["type"] for found in find_events(path, identifier, **bounds).events]


@pytest.mark.parametrize("number", [0, 1, 1999, 3998, 3999])
def test_a_decision_is_found_wherever_it_stands(tmp_path: Path, number: int) -> None:
    log = write(tmp_path / "audit.jsonl", requests(range(4000), padding=500))
    assert types(log, decision_at(START + number, number)) == ["intent", "outcome"]
    assert types(log, request_at(START + number, number)) == ["intent", "outcome"]


def test_a_decision_in_a_large_log_is_found_by_reading_a_small_part(tmp_path: Path) -> None:
    log = write(tmp_path / "audit.jsonl", requests(range(40_000), padding=500))
    assert log.stat().st_size > 40_000_000
    found = find_events(log, decision_at(START + 3000, 3000), max_bytes=5_000_000)
    assert [line["type"] for line in found.events] == ["intent", "outcome"]
    assert found.complete


def test_a_decision_of_a_log_whose_clock_was_set_back_is_found(tmp_path: Path) -> None:
    later = requests(range(100_000, 102_000), padding=300)
    log = write(tmp_path / "audit.jsonl", [*later, *requests(range(2000), padding=300)])
    assert types(log, decision_at(START + 100_001, 100_001)) == ["intent", "outcome"]
    assert types(log, decision_at(START + 1, 1)) == ["intent", "outcome"]


def test_an_outcome_hours_after_its_intent_is_found(tmp_path: Path) -> None:
    lines = requests(range(20_000), padding=300)
    decision = decision_at(START + 5, 999_999)
    lines.insert(10, event(START + 5, "intent", "request-late", decision_id=decision))
    lines.append(event(START + 20_000, "outcome", "request-late", decision_id=decision))
    log = write(tmp_path / "audit.jsonl", lines)
    assert types(log, decision) == ["intent", "outcome"]


def test_an_intent_without_an_outcome_is_found(tmp_path: Path) -> None:
    decision = decision_at(START + 5, 999_999)
    lines = requests(range(2000))
    lines.insert(10, event(START + 5, "intent", "request-open", decision_id=decision))
    assert types(write(tmp_path / "audit.jsonl", lines), decision) == ["intent"]


def test_events_of_each_worker_are_found(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    write(path, requests(range(0, 4000, 2), padding=300))
    write(worker_file(path, 2), requests(range(1, 4000, 2), padding=300))
    write(worker_file(path, 12), requests(range(5000, 5010)))
    for number in (0, 1, 2000, 2001, 3998, 3999, 5003):
        assert types(path, decision_at(START + number, number)) == ["intent", "outcome"]
        assert types(path, request_at(START + number, number)) == ["intent", "outcome"]


def test_what_no_file_holds_is_not_found(tmp_path: Path) -> None:
    path = write(tmp_path / "audit.jsonl", requests(range(100)))
    write(worker_file(path, 2), requests(range(100, 200)))
    assert types(path, decision_at(START + 5, 777)) == []
    assert types(path, "request-99999999") == []


def test_the_search_of_any_log_finds_what_reading_all_of_it_finds(tmp_path: Path) -> None:
    dice = random.Random(20260801)
    for case in range(40):
        lines, time = [], float(START)
        for _ in range(dice.randrange(1, 400)):
            number = dice.randrange(60)
            time += dice.choice([0, 0.1, 1, 30, 4000, -50])
            lines.append(
                event(
                    time,
                    dice.choice(["intent", "outcome", "measure"]),
                    f"request-{number:04}",
                    decision_id=f"decision-{number:04}",
                )
            )
        path = write(tmp_path / f"audit{case}.jsonl", lines)
        wanted = dice.randrange(60)
        expected = [line for line in lines if line["request_id"] == f"request-{wanted:04}"]
        assert find_events(path, f"decision-{wanted:04}").events == expected


def test_the_files_of_a_log_are_its_workers_in_order(tmp_path: Path) -> None:
    for name in ("audit.jsonl", "audit.2.jsonl", "audit.10.jsonl", "audit.jsonl.1", "audit.02.jsonl", "audit.1.jsonl",
                 "other.2.jsonl", "audit.x.jsonl", "audit.2.jsonl.gz"):  # fmt: skip
        (tmp_path / name).touch()
    names = [file.name for file in audit_files(tmp_path / "audit.jsonl")]
    assert names == ["audit.jsonl", "audit.2.jsonl", "audit.10.jsonl"]


@pytest.mark.parametrize(
    ("identifier", "time"),
    [
        ("d-6b49d200000000000001", 0x6B49D200),
        ("d-6b49d20000000000000", None),
        ("d-6b49d20000000000000G", None),
        ("NjRkYjNkZTZfMTIzNDU2Nzg5MF8xMjM0NV82Nzg5MA==", 0x64DB3DE6),
        ("NjRkYjNkZTZfMTIzNDU2Nzg5MF8xMjM0NV82Nzg5MA", None),
        ("request-00000001", None),
        ("日", None),
        ("", None),
    ],
)
def test_an_id_says_its_time_or_nothing(identifier: str, time: int | None) -> None:
    assert time_of_id(identifier) == time


def test_new_ids_say_the_present_time() -> None:
    before = int(datetime.now(UTC).timestamp())
    for identifier in (new_decision_id(), new_request_id()):
        found = time_of_id(identifier)
        assert found is not None
        assert before <= found <= datetime.now(UTC).timestamp()
