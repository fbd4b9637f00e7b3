"""A worker's part of the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.settings import Settings
from gateway.workers.share import settings_of_worker


@pytest.mark.parametrize(("workers", "limit", "share"), [(1, 10, 10), (2, 10, 5), (3, 10, 4), (4, 1, 1), (4, 3, 1)])
def test_limits_are_divided_and_never_nothing(workers: int, limit: int, share: int) -> None:
    names = ("max_in_flight", "max_in_flight_per_principal", "max_connections", "max_connections_per_address")
    settings = Settings.model_validate(
        {
            "workers": workers,
            "data": dict.fromkeys(names, limit),
            "upstream": {"connections_per_origin": limit},
        }
    )
    own = settings_of_worker(settings, 1)
    assert {getattr(own.data, name) for name in names} == {share}
    assert own.upstream.connections_per_origin == share
    assert own.data.drain_seconds == settings.data.drain_seconds


@pytest.mark.parametrize(("number", "name"), [(1, "audit.jsonl"), (2, "audit.2.jsonl"), (12, "audit.12.jsonl")])
def test_each_worker_writes_an_audit_file_of_its_own(number: int, name: str) -> None:
    settings = Settings.model_validate({"workers": 12, "audit": {"path": Path("var/audit.jsonl")}})
    assert settings_of_worker(settings, number).audit.path == Path("var") / name
