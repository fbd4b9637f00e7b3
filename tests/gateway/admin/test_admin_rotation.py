"""Rotating a COS credential through the admin API of a gateway that reaches COS."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import httpx
import pytest
from typer.testing import CliRunner, Result

from emulator.server import RunningEmulator
from emulator.server import running as running_emulator
from emulator.settings import Credential
from gateway.app import running as running_gateway
from gateway.cli.main import app
from gateway.credentials.rotation import DRAIN_SECONDS
from tests.gateway.admin.asserting import refused
from tests.gateway.admin.conftest import Admin, issue_tokens
from tests.support.gateway_server import gateway_settings
from tests.support.names import ACCOUNT, SERVER_KEY
from tests.support.servers import emulator_settings, in_background

NEW = {"secret_id": "AKIDnewnewnewnewnewnew00000000001", "secret_key": "CanaryNewSecret00000000000000001"}
OLD = {"secret_id": SERVER_KEY.secret_id, "secret_key": SERVER_KEY.secret_key}


@pytest.fixture(scope="module")
def cos() -> Iterator[RunningEmulator]:
    base = emulator_settings()
    pairs = tuple(Credential(pair["secret_id"], pair["secret_key"]) for pair in (OLD, NEW))
    account = replace(base.accounts[0], credentials=pairs)
    with in_background(running_emulator(replace(base, accounts=(account, *base.accounts[1:])))) as emulator:
        yield emulator


@pytest.fixture(params=["development", "production"])
def api(
    request: pytest.FixtureRequest, cos: RunningEmulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("rotation")
    settings = gateway_settings(cos.url, folder)
    settings = settings.model_copy(update={"credentials": (), "environment": type(settings.environment)(request.param)})
    tokens = asyncio.run(issue_tokens(settings))
    with (
        in_background(running_gateway(settings)) as gateway,
        Admin(gateway, settings, folder, tokens).client() as client,
    ):
        assert client.post("/credentials", json={"name": "main", "account": ACCOUNT, **OLD}).status_code == 201
        yield client


def states(api: httpx.Client) -> list[tuple[int, str]]:
    return [(item["version"], item["state"]) for item in api.get("/credentials/main").json()["versions"]]


def test_a_pair_cos_accepts_is_switched_to_and_another_is_not(api: httpx.Client, cos: RunningEmulator) -> None:
    answer = api.post("/credentials/main/rotate", json={**NEW, "secret_key": "CanaryMistyped"})
    refused(answer, 409, "conflict")
    assert "Canary" not in answer.text
    assert states(api) == [(1, "active")]

    dry = api.post("/credentials/main/rotate", params={"dry_run": "true"}, json=NEW)
    assert dry.status_code == 200
    assert states(api) == [(1, "active")]

    answer = api.post("/credentials/main/rotate", json=NEW)
    assert answer.status_code == 200, answer.text
    assert "Canary" not in answer.text
    assert states(api) == [(1, "retired"), (2, "active")]
    assert cos.emulator.log.entries[-1].access_key_id == NEW["secret_id"]


def test_the_gateway_removes_the_old_version_by_itself(api: httpx.Client) -> None:
    answer = api.post("/credentials/main/rotate", json={**NEW, "drain_seconds": 0})
    assert answer.status_code == 200, answer.text
    for _ in range(600):
        if states(api) == [(2, "active")]:
            break
        time.sleep(0.05)
    assert states(api) == [(2, "active")]


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        pytest.param({}, DRAIN_SECONDS, id="left out"),
        pytest.param({"drain_seconds": 3600}, 3600, id="an hour"),
        pytest.param({"drain_seconds": None}, None, id="kept"),
    ],
)
def test_a_rotation_says_when_the_old_version_goes(
    api: httpx.Client, given: dict[str, int | None], seconds: float | None
) -> None:
    before = time.time()
    old, new = api.post("/credentials/main/rotate", json={**NEW, **given}).json()["versions"]
    assert new["remove_at"] is None
    if seconds is None:
        assert old["remove_at"] is None
    else:
        told = datetime.fromisoformat(old["remove_at"]).timestamp()
        assert before + seconds - 1 <= told <= time.time() + seconds
    # Back again: the way back needs no second rotation, and is not drained any more.
    if api.post("/credentials/main/versions/1/activate").status_code == 200:
        assert [item["remove_at"] for item in api.get("/credentials/main").json()["versions"]] == [None, None]


@pytest.mark.parametrize("seconds", [-1, 30 * 86_400 + 1, 1.5, "65", True])
def test_a_drain_that_is_none_is_refused(api: httpx.Client, seconds: object) -> None:
    answer = api.post("/credentials/main/rotate", json={**NEW, "drain_seconds": seconds})
    refused(answer, 422, "invalid")
    assert states(api) == [(1, "active")]


def test_in_production_a_staged_version_is_tried_before_it_is_used(
    api: httpx.Client, request: pytest.FixtureRequest
) -> None:
    production = request.node.callspec.params["api"] == "production"
    assert api.post("/credentials/main/versions", json={**NEW, "secret_key": "CanaryMistyped"}).status_code == 201
    answer = api.post("/credentials/main/versions/2/activate")
    if production:
        refused(answer, 409, "conflict")
    else:
        assert answer.status_code == 200
    assert states(api) == ([(1, "active"), (2, "staged")] if production else [(1, "retired"), (2, "active")])


def at(api: httpx.Client, *arguments: str, secret: str) -> Result:
    """A command line that asks the gateway of `api`."""
    server = str(api.base_url).removesuffix("/").removesuffix("/api/v1")
    token = api.headers["Authorization"].removeprefix("Bearer ")
    words = ["credentials", "rotate", "main", "--secret-id", NEW["secret_id"], "--server", server, *arguments]
    return CliRunner().invoke(app, words, input=f"{secret}\n", env={"COSGW_ADMIN_TOKEN": token})


def test_the_command_line_rotates_at_a_running_gateway(api: httpx.Client, cos: RunningEmulator) -> None:
    refusal = at(api, secret="CanaryMistyped")
    assert refusal.exit_code == 1
    assert "Canary" not in refusal.output
    assert states(api) == [(1, "active")]
    kept = at(api, "--keep-old", secret=NEW["secret_key"])
    assert kept.exit_code == 0, kept.output
    assert "main version 1 is kept" in kept.output
    assert states(api) == [(1, "retired"), (2, "active")]
    assert cos.emulator.log.entries[-1].access_key_id == NEW["secret_id"]
    removed = at(api, "--drain-seconds", "0", secret=NEW["secret_key"])
    assert "main version 2 is removed" in removed.output
    assert states(api) == [(1, "retired"), (3, "active")]


def test_a_remote_rotation_can_be_rehearsed(api: httpx.Client, cos: RunningEmulator) -> None:
    refusal = at(api, "--dry-run", secret="CanaryMistyped")
    assert refusal.exit_code == 1
    assert "SignatureDoesNotMatch" in refusal.output
    rehearsal = at(api, "--dry-run", secret=NEW["secret_key"])
    assert rehearsal.exit_code == 0, rehearsal.output
    assert "version 1 state: active -> retired" in rehearsal.output
    assert "version 2 state: - -> active" in rehearsal.output
    assert "Canary" not in rehearsal.output
    assert cos.emulator.log.entries[-1].access_key_id == NEW["secret_id"]
    assert states(api) == [(1, "active")]


def test_a_remote_rotation_is_never_untried(api: httpx.Client) -> None:
    refusal = at(api, "--no-probe", secret=NEW["secret_key"])
    assert refusal.exit_code == 1
    assert "--no-probe goes with the local store" in refusal.output
    assert states(api) == [(1, "active")]
