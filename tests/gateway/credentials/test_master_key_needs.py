"""A wrong master key is told before a request meets it: at the start, in readiness, by `check` and by `doctor`."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import pytest
import structlog
from typer.testing import CliRunner

from gateway.app import running as running_gateway
from gateway.cli.main import app
from gateway.credentials.access_keys import IssuedKeys
from gateway.credentials.envelope import RecordType, SecretContext, seal, wrapped_by
from gateway.credentials.master_key import parse_master_keys
from gateway.credentials.master_key_needs import UNREADABLE, MasterKeyNeeds, missing_master_keys, needed_master_keys
from gateway.credentials.vault import Vault
from gateway.credentials.watch import StoreWatch
from gateway.secret import Secret
from gateway.stores.database import Database
from tests.support.client import Client
from tests.support.gateway_server import gateway_settings
from tests.support.names import EXAMPLE, Key

CONTEXT = SecretContext(RecordType.ACCESS_KEY, "GWAK1", 1, "team:media")
FIRST, SECOND = (parse_master_keys(token_hex(32), source="test")[0] for _ in range(2))


def test_a_sealed_secret_names_its_master_key_without_being_opened() -> None:
    assert wrapped_by(seal(Secret("canary"), CONTEXT, FIRST)) == FIRST.id


@pytest.mark.parametrize("cut", [0, 3, 4, 5])
def test_what_is_no_sealed_secret_names_none(cut: int) -> None:
    sealed = seal(Secret("canary"), CONTEXT, FIRST)
    assert wrapped_by(sealed[:cut]) is None
    assert wrapped_by(b"X" + sealed[1:]) is None
    assert wrapped_by(sealed[:6] + b"\n" + sealed[7:]) is None


@pytest.mark.parametrize(
    ("needed", "loaded", "told"),
    [
        ({}, (), None),
        ({"a": 2}, ("a",), None),
        ({"a": 2}, ("a", "b"), None),
        ({"a": 1}, ("b",), "the secret needs the master key a, which is not loaded"),
        ({"a": 2, "b": 1, "c": 4}, ("b",), "6 of 7 stored secrets need the master key a, c, which is not loaded"),
    ],
)
def test_what_is_missing_is_counted(needed: dict[str, int], loaded: tuple[str, ...], told: str | None) -> None:
    assert missing_master_keys(needed, loaded) == told


def test_a_damaged_secret_is_counted_as_well() -> None:
    assert needed_master_keys([b"", seal(Secret("x"), CONTEXT, FIRST)]) == {UNREADABLE: 1, FIRST.id: 1}


@pytest.mark.parametrize(
    ("loaded", "ready"),
    [((FIRST,), True), ((SECOND,), False), ((SECOND, FIRST), True), ((), True)],
    ids=["the right one", "a wrong one", "both", "none: told elsewhere"],
)
async def test_readiness_waits_for_a_key_that_opens_something(
    database: Database, loaded: tuple[object, ...], ready: bool
) -> None:
    await IssuedKeys(database, Vault((FIRST,))).create(principal="team:media")
    watch = StoreWatch(database)
    await watch.refresh()
    needs = MasterKeyNeeds(watch, Vault([key for key in (FIRST, SECOND) if key in loaded]))
    assert needs.check().ready is ready


async def test_one_secret_of_another_key_does_not_stop_the_others(database: Database) -> None:
    watch = StoreWatch(database)
    needs = MasterKeyNeeds(watch, Vault((FIRST,)))
    assert needs.check().ready
    await IssuedKeys(database, Vault((FIRST,))).create(principal="team:media")
    await watch.refresh()
    assert needs.problem is None
    await IssuedKeys(database, Vault((SECOND,))).create(principal="team:media")
    await watch.refresh()
    check = needs.check()
    assert check.ready
    assert f"1 of 2 stored secrets need the master key {SECOND.id}" in check.detail


@pytest.fixture
def logged() -> Iterator[list[dict[str, object]]]:
    with structlog.testing.capture_logs() as events:
        yield events  # type: ignore[misc]  # mutable mappings of the log's events


async def test_a_gateway_with_a_wrong_master_key_says_so_and_answers_503(
    tmp_path: Path, logged: list[dict[str, object]]
) -> None:
    settings = gateway_settings("http://127.0.0.1:9", tmp_path).model_copy(update={"keys": ()})
    async with await Database.open(settings.store.path) as database:
        issued = await IssuedKeys(database, Vault((FIRST,))).create(principal="team:conformance")
    async with running_gateway(settings) as gateway:
        client = Client(gateway.data_port, Key(issued.record.id, issued.secret.reveal()))
        answer = await client.send("GET", EXAMPLE.host, "/key")
        (check,) = [check for check in gateway.services.checks() if check.name == "master_key"]
    assert (answer.status, answer.text("Code")) == (503, "ServiceUnavailable")
    assert answer.header("x-cos-request-id")
    assert FIRST.id.encode() not in answer.body
    assert not check.ready
    assert FIRST.id in check.detail
    assert "secrets_unopenable" in [event["event"] for event in logged]


@pytest.mark.parametrize("command", ["check", "doctor"])
def test_check_and_doctor_name_the_master_key_that_is_missing(
    tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()

    def run(*words: str, key: str) -> tuple[int, str]:
        environment = {"COSGW_MASTER_KEY": key, "COSGW_STORE__PATH": str(tmp_path / "store.db"), "COSGW_CONFIG": None}
        done = runner.invoke(app, words, env=environment)
        return done.exit_code, done.output

    right, wrong = (base64.b64encode(key.raw).decode() for key in (FIRST, SECOND))
    assert run("keys", "create", "team:media", key=right)[0] == 0
    code, output = run(command, key=wrong)
    assert code != 0
    assert f"the master key {FIRST.id}, which is not loaded" in output
    assert "not loaded" not in run(command, key=right)[1]
