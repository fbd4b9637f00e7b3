"""Where the store is: a file or a database, and how long what was read of it is trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.configuration.errors import SettingsErrors
from gateway.ports import StoreUnavailable
from gateway.settings import load_settings
from gateway.store_services import postgresql_place

DATABASE = {"host": "db.example.org", "database": "cosgw", "user": "cosgw"}


def loaded(tmp_path: Path, **store: Any) -> Any:
    file = tmp_path / "gateway.yaml"
    file.write_text("")
    return load_settings(file, {f"store.{name}": value for name, value in store.items()}).store


@pytest.mark.parametrize("seconds", [3, 5, 60])
def test_what_was_read_may_be_trusted_for_some_seconds(tmp_path: Path, seconds: int) -> None:
    assert loaded(tmp_path, stale_seconds=seconds).stale_seconds == seconds


@pytest.mark.parametrize("seconds", [0, 2, 61, -1, 4.5, "soon"])
def test_but_neither_for_less_than_a_poll_takes_nor_for_longer_than_a_rotation_drains(
    tmp_path: Path, seconds: object
) -> None:
    with pytest.raises(SettingsErrors, match=r"store\.stale_seconds"):
        loaded(tmp_path, stale_seconds=seconds)


def test_a_database_is_named_by_its_parts(tmp_path: Path) -> None:
    settings = loaded(tmp_path, postgresql=DATABASE)
    assert str(postgresql_place(settings.postgresql)) == "postgresql://cosgw@db.example.org:5432/cosgw"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        pytest.param({"host": None}, "host", id="no host"),
        pytest.param({"host": "db.example.org/cosgw"}, "host", id="a path in the host"),
        pytest.param({"host": "user@db.example.org"}, "host", id="a user in the host"),
        pytest.param({"host": ""}, "host", id="an empty host"),
        pytest.param({"port": 0}, "port", id="port 0"),
        pytest.param({"port": 65536}, "port", id="port too high"),
        pytest.param({"database": ""}, "database", id="no database"),
        pytest.param({"password": "canary"}, "password", id="a password in the file"),
        pytest.param({"sslmode": "disable"}, "sslmode", id="no encryption"),
    ],
)
def test_what_names_no_database_is_refused(tmp_path: Path, changes: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingsErrors, match=rf"store\.postgresql\.{named}") as refusal:
        loaded(tmp_path, postgresql={**DATABASE, **changes})
    assert "canary" not in str(refusal.value)


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o604])
def test_a_password_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "password"
    file.write_text("canary-password")
    file.chmod(mode)
    settings = loaded(tmp_path, postgresql={**DATABASE, "password_file": str(file)})
    with pytest.raises(StoreUnavailable, match=f"{mode:04o}") as refusal:
        postgresql_place(settings.postgresql)
    assert "canary" not in str(refusal.value)
