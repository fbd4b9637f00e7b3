"""The audit log on real files: durable before it answers, whole lines only, and back after a full disk."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.audit import SLOW_AGAIN_SECONDS, JsonLinesAuditLog
from gateway.ports import AuditUnavailable, Outcome
from tests.support.waiting import PATIENCE_SECONDS


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line]


async def test_a_recorded_event_is_in_the_file_when_record_returns(tmp_path: Path) -> None:
    log = JsonLinesAuditLog(tmp_path / "audit.jsonl", sync=True)
    await log.record({"type": "intent", "key": 'a"}\n{"type":"forged'})
    [event] = lines(log.path)
    assert event["key"] == 'a"}\n{"type":"forged'
    assert event["time"]
    await log.aclose()


async def test_events_of_many_requests_are_all_there_in_order(tmp_path: Path) -> None:
    log = JsonLinesAuditLog(tmp_path / "audit.jsonl", sync=False)
    await asyncio.gather(*(log.record({"n": n}) for n in range(500)))
    assert [event["n"] for event in lines(log.path)] == list(range(500))
    await log.aclose()


async def test_notes_are_written_before_the_log_is_closed(tmp_path: Path) -> None:
    log = JsonLinesAuditLog(tmp_path / "audit.jsonl", sync=False)
    for n in range(10):
        log.note({"n": n})
    await log.aclose()
    assert len(lines(log.path)) == 10


async def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    log = JsonLinesAuditLog(tmp_path / "deep" / "audit.jsonl", sync=False)
    assert log.path.stat().st_mode & 0o777 == 0o600
    await log.aclose()


async def test_a_device_that_is_full_refuses_intents() -> None:
    log = JsonLinesAuditLog(Path("/dev/full"), sync=False)
    with pytest.raises(AuditUnavailable, match="No space left"):
        await log.record({"type": "intent"})
    assert log.failing


async def test_after_a_failed_write_outcomes_are_kept_and_written_later(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = JsonLinesAuditLog(path, sync=False)
    await log.record({"n": 0})
    # The file descriptor is replaced by one that is always full, then by the file again: a real full device.
    descriptor, full = log._file, os.open("/dev/full", os.O_RDWR)
    log._file = full
    log.note({"n": "outcome"})
    with pytest.raises(AuditUnavailable):
        await log.record({"n": "intent"})
    log._file = descriptor
    os.close(full)
    await log.record({"n": 1})
    assert [event["n"] for event in lines(path)] == [0, "outcome", 1]
    assert not log.failing
    await log.aclose()


@pytest.mark.parametrize("sync", [False, True], ids=["process", "disk"])
async def test_what_does_not_fit_is_cut_off_again(tmp_path: Path, sync: bool) -> None:
    log = JsonLinesAuditLog(tmp_path / "audit.jsonl", sync=sync)
    await log.record({"n": 0})
    whole = log.path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The kernel writes as much as may be, then says that the file is too large: as on a disk that fills up.
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 10, hard))
    try:
        log.note({"n": "outcome"})
        with pytest.raises(AuditUnavailable, match="too large"):
            await log.record({"n": "intent"})
        assert log.path.read_bytes() == whole
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    await log.record({"n": 1})
    assert [event["n"] for event in lines(log.path)] == [0, "outcome", 1]
    await log.aclose()


async def test_what_two_events_share_is_rendered_once_and_stands_in_both(tmp_path: Path) -> None:
    log = JsonLinesAuditLog(tmp_path / "audit.jsonl", sync=False)
    described = b"," + json.dumps({"request_id": "r", "resource": {"key": 'a"}\n{'}}).encode()[1:] + b"\n"
    await log.record({"type": "intent"}, described)
    log.conclude(Outcome(datetime.now(UTC), "completed", 200, None, 200, None, 0, 0, 0.5), described)
    await log.aclose()
    intent, outcome = lines(log.path)
    assert next(iter(intent)) == next(iter(outcome)) == "time"
    assert intent.items() >= {"type": "intent", "request_id": "r"}.items()
    assert outcome.items() >= {"type": "outcome", "status": 200, "request_id": "r"}.items()
    assert intent["resource"] == outcome["resource"] == {"key": 'a"}\n{'}


async def test_what_one_turn_of_the_loop_brings_is_written_at_its_end(tmp_path: Path) -> None:
    log = JsonLinesAuditLog(tmp_path / "audit.jsonl", sync=False)
    log.note({"n": 0})
    log.note({"n": 1})
    assert lines(log.path) == []
    await asyncio.sleep(0)
    assert [event["n"] for event in lines(log.path)] == [0, 1]
    await log.aclose()


async def test_an_intent_whose_request_has_gone_disturbs_no_other(tmp_path: Path) -> None:
    log = JsonLinesAuditLog(tmp_path / "audit.jsonl", sync=True)
    gone, stays = (asyncio.ensure_future(log.record({"n": n})) for n in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait_for(stays, PATIENCE_SECONDS)
    assert gone.cancelled()
    assert [event["n"] for event in lines(log.path)] == [0, 1]
    await log.aclose()


async def test_a_torn_last_line_is_closed_and_flagged(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b'{"n":0}\n{"n":1,"to')
    log = JsonLinesAuditLog(path, sync=False)
    await log.record({"n": 2})
    await log.aclose()
    raw = path.read_bytes().splitlines()
    assert raw[1] == b'{"n":1,"to'
    assert json.loads(raw[2])["type"] == "repaired"
    assert json.loads(raw[3])["n"] == 2


async def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(AuditUnavailable, match="cannot open"):
        JsonLinesAuditLog(tmp_path / "file" / "audit.jsonl", sync=False)


def fill(writer: int) -> None:
    """Fill a pipe, so that the next write waits, as on a disk that cannot keep up."""
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)


async def _record_slowly(log: JsonLinesAuditLog, reader: int, writer: int) -> None:
    """Record an event into a pipe that takes it a fifth of a second later."""
    fill(writer)
    threading.Timer(0.2, os.read, (reader, 1 << 20)).start()
    await log.record({"n": 0})


async def test_a_disk_that_makes_the_loop_wait_twice_is_left_to_the_thread(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    log = JsonLinesAuditLog(tmp_path / "audit.jsonl", sync=False)
    descriptor, log._file = log._file, writer
    await _record_slowly(log, reader, writer)
    assert log._threaded_until < time.monotonic(), "one slow write alone may be the processor's"
    await _record_slowly(log, reader, writer)
    assert log._threaded_until > time.monotonic()
    fill(writer)
    waiting = asyncio.ensure_future(log.record({"n": 1}))
    await asyncio.sleep(0.05)
    assert not waiting.done(), "the loop goes on while the thread waits"
    os.read(reader, 1 << 20)
    await waiting
    log._file = descriptor
    await log.aclose()
    os.close(reader)
    os.close(writer)


async def test_slow_writes_that_are_far_apart_are_not_the_disk(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    log = JsonLinesAuditLog(tmp_path / "audit.jsonl", sync=False)
    descriptor, log._file = log._file, writer
    await _record_slowly(log, reader, writer)
    log._was_slow_at -= SLOW_AGAIN_SECONDS
    await _record_slowly(log, reader, writer)
    assert log._threaded_until < time.monotonic()
    await _record_slowly(log, reader, writer)
    assert log._threaded_until > time.monotonic(), "the second of them was followed at once"
    log._file = descriptor
    await log.aclose()
    os.close(reader)
    os.close(writer)


async def test_an_intent_that_comes_while_a_write_fails_is_refused_as_well(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    log = JsonLinesAuditLog(tmp_path / "audit.jsonl", sync=True)
    descriptor, log._file = log._file, writer
    fill(writer)
    first = asyncio.ensure_future(log.record({"n": 1}))
    while log._flushing is None or log._intents:
        await asyncio.sleep(0)
    second = asyncio.ensure_future(log.record({"n": 2}))
    while not log._intents:
        await asyncio.sleep(0)
    os.close(reader)
    for waiting in (first, second):
        with pytest.raises(AuditUnavailable, match="Broken pipe"):
            await asyncio.wait_for(waiting, PATIENCE_SECONDS)
    log._file = descriptor
    os.close(writer)
    await log.record({"n": 3})
    assert [event["n"] for event in lines(log.path)] == [3]
    await log.aclose()
