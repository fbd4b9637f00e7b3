"""Killed in the middle of a rotation or of `keys create`: the store is old or new, and goes on from there."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from secrets import token_hex

import httpx
import pytest

from emulator.faults import Delay, FaultRule
from emulator.server import RunningEmulator
from emulator.server import running as running_emulator
from emulator.settings import Credential
from gateway.credentials.access_keys import access_key_context
from gateway.credentials.master_key import parse_master_keys
from gateway.credentials.upstream_credentials import upstream_credential_context
from gateway.credentials.vault import Vault
from gateway.settings import Settings
from gateway.stores.admin_tokens import Role
from gateway.stores.contents import StoreContents, read_contents
from gateway.stores.database import Database
from gateway.stores.upstream_credentials import CredentialState
from tests.gateway.admin.conftest import issue_tokens
from tests.gateway.admin.test_admin_killed import gateway_process
from tests.support.client_process import ROOT, clean_environment
from tests.support.gateway_program import COS_GATEWAY
from tests.support.gateway_server import gateway_settings
from tests.support.names import ACCOUNT, EXAMPLE, SERVER_KEY, Key
from tests.support.servers import emulator_settings, in_background

NEW = Key("AKIDnewnewnewnewnewnew00000000001", "canary-new-secret-000000000000001")
STAGED_SECONDS = 30.0


@pytest.fixture
def cos() -> Iterator[RunningEmulator]:
    base = emulator_settings()
    pairs = tuple(Credential(key.secret_id, key.secret_key) for key in (SERVER_KEY, NEW))
    account = replace(base.accounts[0], credentials=pairs)
    with in_background(running_emulator(replace(base, accounts=(account, *base.accounts[1:])))) as emulator:
        yield emulator


def stored(path: Path) -> StoreContents:
    async def read() -> StoreContents:
        async with await Database.open(path) as database:
            return await read_contents(database)

    return asyncio.run(read())


def vault_of(settings: Settings) -> Vault:
    assert settings.master_key.value is not None
    return Vault(parse_master_keys(settings.master_key.value.reveal(), source="test"))


def test_a_rotation_killed_while_it_probes_leaves_the_old_credential_in_use(
    cos: RunningEmulator, tmp_path: Path
) -> None:
    plain = {
        "data": {"port": 0},
        "admin": {"port": 0},
        "upstream": {"endpoint": cos.url},
        "store": {"path": str(tmp_path / "gateway.db")},
        "master_key": {"value": token_hex(32)},
        "audit": {"path": str(tmp_path / "audit.jsonl"), "durability": "process"},
        "buckets": [{"name": EXAMPLE.name, "region": EXAMPLE.region}],
    }
    settings = Settings.model_validate(plain)
    token = asyncio.run(issue_tokens(settings))[Role.SECURITY]
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(plain), "utf-8")
    body = {"secret_id": NEW.secret_id, "secret_key": NEW.secret_key}
    with gateway_process(file) as (process, port), api(port, token) as client:
        pair = {"secret_id": SERVER_KEY.secret_id, "secret_key": SERVER_KEY.secret_key}
        assert client.post("/credentials", json={"name": "main", "account": ACCOUNT, **pair}).status_code == 201
        cos.emulator.faults.add(FaultRule(Delay(STAGED_SECONDS), operation="GetBucket"))

        def rotate() -> None:
            with suppress(httpx.HTTPError):
                client.post("/credentials/main/rotate", json=body, timeout=2 * STAGED_SECONDS)

        rotating = threading.Thread(target=rotate)
        rotating.start()
        until = time.monotonic() + STAGED_SECONDS
        while len(stored(settings.store.path).upstream_credentials) < 2:
            assert time.monotonic() < until, "nothing was staged"
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        rotating.join(STAGED_SECONDS)
    versions = stored(settings.store.path).upstream_credentials
    assert [item.state for item in versions] == [CredentialState.ACTIVE, CredentialState.STAGED]
    vault = vault_of(settings)
    opened = [vault.open(item.secret_sealed, upstream_credential_context(item)).reveal() for item in versions]
    assert opened == [SERVER_KEY.secret_key, NEW.secret_key]
    cos.emulator.faults.clear()
    with gateway_process(file) as (_, port), api(port, token) as client:
        # What was begun again is done whole; what was left behind can be taken away.
        assert client.post("/credentials/main/rotate", json={**body, "drain_seconds": None}).status_code == 200
        assert client.delete("/credentials/main/versions/2", headers={"If-Match": "*"}).status_code == 204
        states = [(item["version"], item["state"]) for item in client.get("/credentials/main").json()["versions"]]
    assert states == [(1, "retired"), (3, "active")]


def api(port: int, token: str) -> httpx.Client:
    return httpx.Client(
        base_url=f"http://127.0.0.1:{port}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=30
    )


@pytest.mark.parametrize("times", [6, pytest.param(100, marks=[pytest.mark.slow, pytest.mark.timeout(600)])])
def test_keys_create_killed_at_any_moment_leaves_no_half_key(tmp_path: Path, times: int) -> None:
    settings = gateway_settings("http://127.0.0.1:9", tmp_path)
    assert settings.master_key.value is not None
    configuration = tmp_path / "command.yaml"
    configuration.write_text(f"store: {{path: {settings.store.path}}}\naudit: {{path: {settings.audit.path}}}\n")
    environment = clean_environment(
        COSGW_MASTER_KEY=settings.master_key.value.reveal(), COSGW_CONFIG=str(configuration)
    )
    chance, told = random.Random(20261122), set()
    for _ in range(times):
        command = subprocess.Popen(
            [*COS_GATEWAY, "keys", "create", "team:killed"],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        with suppress(subprocess.TimeoutExpired):
            command.wait(chance.uniform(0.3, 1.3))
        command.send_signal(signal.SIGKILL)
        output, _ = command.communicate()
        if command.returncode == 0:
            told.add(output.split()[2])
    vault, contents = vault_of(settings), stored(settings.store.path)
    for record in contents.access_keys.values():
        assert len(vault.open(record.secret_sealed, access_key_context(record)).reveal()) == 40
    assert told <= set(contents.access_keys)
    if contents.access_keys:
        log = settings.audit.path.read_text("utf-8")
        assert all(key_id in log for key_id in contents.access_keys), "a key without its audit line"
