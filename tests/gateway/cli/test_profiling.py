"""`serve --profile`: statistics that pstats reads, and a file that is found unwritable before anything runs."""

from __future__ import annotations

import pstats
from pathlib import Path

import pytest

from gateway.cli.profiling import profiled


def worked_on() -> int:
    return sum(range(1000))


def fails() -> None:
    worked_on()
    raise KeyError


def functions(file: Path) -> set[str]:
    return set(pstats.Stats(str(file)).get_stats_profile().func_profiles)


def test_a_profile_names_the_functions_that_ran(tmp_path: Path) -> None:
    with profiled(tmp_path / "profile"):
        worked_on()
    assert "worked_on" in functions(tmp_path / "profile")


def test_a_profile_is_written_when_the_run_fails(tmp_path: Path) -> None:
    with pytest.raises(KeyError), profiled(tmp_path / "profile"):
        fails()
    assert "worked_on" in functions(tmp_path / "profile")


def test_without_a_file_nothing_is_profiled(tmp_path: Path) -> None:
    with profiled(None):
        worked_on()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_found_before_anything_runs(tmp_path: Path) -> None:
    ran = False
    with pytest.raises(FileNotFoundError), profiled(tmp_path / "missing" / "profile"):
        ran = True
    assert not ran
