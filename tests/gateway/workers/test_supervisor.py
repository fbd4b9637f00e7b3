"""Who watches the workers: what it does when they end, when they do not, and when they cannot start."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAM = Path(__file__).with_name("supervised.py")
ROOT = Path(__file__).parents[3]


@contextmanager
def supervised(case: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), case], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=30)


def test_a_worker_that_keeps_ending_is_started_again_later_and_later() -> None:
    delays = []
    with supervised("ends_soon") as process:
        assert process.stderr is not None
        for line in process.stderr:
            event = json.loads(line)
            if event["event"] == "worker_ended":
                assert (event["worker"], event["exit_code"]) == (2, 7)
                delays.append(event["starts_again_in_seconds"])
            if len(delays) == 4:
                break
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert delays == [0.0, 1.0, 2.0, 4.0]


def test_a_worker_that_does_not_end_in_time_is_killed() -> None:
    with supervised("ignores_term") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "serving\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "stopping\n"
        assert process.wait(30) == 1


def test_the_exit_code_tells_that_a_worker_ended_badly() -> None:
    with supervised("ends_badly") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "serving\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 3


def test_a_first_worker_that_cannot_start_ends_the_program_and_shows_why() -> None:
    with supervised("raises") as process:
        output, errors = process.communicate(timeout=30)
        assert process.returncode == 1
    assert output == "ended 1\nstopping\n"
    assert errors.count("ValueError: a worker's own mistake") == 1
