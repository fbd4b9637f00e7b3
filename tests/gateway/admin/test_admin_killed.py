"""The gateway killed during admin writes: the store opens, no key is half issued, nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex

import httpx
import pytest

from gateway.credentials.access_keys import access_key_context
from gateway.credentials.master_key import parse_master_keys
from gateway.credentials.upstream_credentials import upstream_credential_context
from gateway.credentials.vault import Vault
from gateway.settings import Settings
from gateway.stores.admin_tokens import Role
from gateway.stores.contents import StoreContents, read_contents
from gateway.stores.database import Database
from gateway.stores.upstream_credentials import CredentialState
from tests.gateway.admin.conftest import NOWHERE, issue_tokens
from tests.support.gateway_server import ALLOW_EVERYTHING

ROOT = Path(__file__).parents[3]
WRITERS = 3
START_SECONDS = 60.0


@dataclass(slots=True)
class Written:
    """What one writer was told, and what it last asked without hearing the end of it."""

    secrets: dict[str, str] = field(default_factory=dict)
    labels: dict[str, set[str]] = field(default_factory=dict)
    """Per key what its label may be: one acknowledged, or one that was under way."""
    deleted: set[str] = field(default_factory=set)
    perhaps_deleted: set[str] = field(default_factory=set)
    versions: int = 0
    acknowledged: int = 0


def write(api: httpx.Client, written: Written, name: str, choose: random.Random) -> None:
    """One change after the other, until the gateway is gone."""
    with suppress(httpx.HTTPError):
        while True:
            kept = [key for key in written.secrets if key not in written.deleted | written.perhaps_deleted]
            match choose.choice(["create", "create", "edit", "rotate", "delete", "stage"]) if kept else "create":
                case "create":
                    issued = api.post("/access-keys", json={"principal": name, "label": "0"}).json()
                    written.secrets[issued["id"]] = issued["secret"]
                    written.labels[issued["id"]] = {"0"}
                case "edit":
                    key, label = choose.choice(kept), str(choose.random())
                    written.labels[key].add(label)
                    assert api.patch(f"/access-keys/{key}", json={"label": label}, headers={"If-Match": "*"}).is_success
                    written.labels[key] = {label}
                case "rotate":
                    key = choose.choice(kept)
                    rotated = api.post(f"/access-keys/{key}/rotate", json={"overlap_seconds": 7_776_000}).json()
                    written.secrets[rotated["key"]["id"]] = rotated["key"]["secret"]
                    written.labels[rotated["key"]["id"]] = {rotated["key"]["label"]}
                case "delete":
                    key = choose.choice(kept)
                    written.perhaps_deleted.add(key)
                    assert api.delete(f"/access-keys/{key}", headers={"If-Match": "*"}).status_code == 204
                    written.deleted.add(key)
                case "stage":
                    pair = {"secret_id": "AKIDexample", "secret_key": token_hex(16)}
                    assert api.post(f"/credentials/{name}/versions", json=pair).status_code == 201
                    written.versions += 1
            written.acknowledged += 1


@contextmanager
def gateway_process(settings_file: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    complaints = settings_file.with_name("stderr.txt")
    with complaints.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.gateway.admin.gateway_process", settings_file],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=stderr, text=True,
        )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"the gateway did not start: {complaints.read_text()}"
        yield process, int(line)
    finally:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def wait_for(written: list[Written], acknowledged: int) -> None:
    """Until that many changes were acknowledged in all. Raises AssertionError after START_SECONDS."""
    end = time.monotonic() + START_SECONDS
    while sum(one.acknowledged for one in written) < acknowledged:
        assert time.monotonic() < end, "the gateway acknowledges no change"
        time.sleep(0.002)


async def contents_of(path: Path) -> StoreContents:
    async with await Database.open(path) as database:
        return await read_contents(database)


def check(settings: Settings, vault: Vault, written: list[Written]) -> None:
    """What must hold of the store and the log, whenever the gateway was killed."""
    with sqlite3.connect(settings.store.path) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    raw.close()
    contents = asyncio.run(contents_of(settings.store.path))
    for one in written:
        for key, secret in one.secrets.items():
            if key in one.deleted:
                assert key not in contents.access_keys
            elif key not in one.perhaps_deleted or key in contents.access_keys:
                record = contents.access_keys[key]
                assert vault.open(record.secret_sealed, access_key_context(record)).reveal() == secret
                assert record.label in one.labels[key]
    # A key nobody heard of is whole all the same: it opens.
    for record in contents.access_keys.values():
        assert len(vault.open(record.secret_sealed, access_key_context(record)).reveal()) == 40
    for number, one in enumerate(written):
        versions = [item for item in contents.upstream_credentials if item.name == f"writer-{number}"]
        assert len(versions) >= 1 + one.versions
        assert [item.version for item in versions if item.state is CredentialState.ACTIVE] == [1]
        for item in versions:
            assert vault.open(item.secret_sealed, upstream_credential_context(item)).reveal()
    lines = settings.audit.path.read_text("utf-8").splitlines()
    events = []
    for line in lines:
        with suppress(ValueError):
            events.append(json.loads(line))
    audited = {event["target"] for event in events if event.get("type") == "admin"}
    assert set(contents.access_keys) <= audited, "a change without its audit line"


def kill_repeatedly(folder: Path, times: int) -> int:
    """Kill a gateway that is being written to, `times` over; gives how many changes were acknowledged."""
    master_key = token_hex(32)
    policy = folder / "policy.yaml"
    policy.write_text(ALLOW_EVERYTHING, "utf-8")
    plain = {
        "data": {"port": 0},
        "admin": {"port": 0},
        "upstream": {"endpoint": NOWHERE},
        "store": {"path": str(folder / "gateway.db")},
        "master_key": {"value": master_key},
        "audit": {"path": str(folder / "audit.jsonl"), "durability": "process"},
        "policies": {"paths": [str(policy)]},
    }
    settings_file = folder / "settings.json"
    settings_file.write_text(json.dumps(plain), "utf-8")
    settings = Settings.model_validate(plain)
    tokens = asyncio.run(issue_tokens(settings))
    vault = Vault(parse_master_keys(master_key, source="test"))
    written = [Written() for _ in range(WRITERS)]
    choose = random.Random(20260701)
    for attempt in range(times):
        with gateway_process(settings_file) as (process, port):
            clients = [
                httpx.Client(
                    base_url=f"http://127.0.0.1:{port}/api/v1",
                    headers={"Authorization": f"Bearer {tokens[Role.SECURITY]}"},
                    timeout=START_SECONDS,
                )
                for _ in written
            ]
            if attempt == 0:
                for number, client in enumerate(clients):
                    body = {"name": f"writer-{number}", "account": "1250000000", "secret_id": "AKIDfirst"}
                    assert client.post("/credentials", json={**body, "secret_key": token_hex(16)}).status_code == 201
            threads = [
                threading.Thread(target=write, args=(client, one, f"writer-{number}", random.Random(choose.random())))
                for number, (client, one) in enumerate(zip(clients, written, strict=True))
            ]
            for thread in threads:
                thread.start()
            # However slow the machine is, some changes are through and others under way.
            wait_for(written, sum(one.acknowledged for one in written) + choose.randint(1, 6))
            time.sleep(choose.uniform(0, 0.05))
            os.kill(process.pid, signal.SIGKILL)
            for thread in threads:
                thread.join(START_SECONDS)
                assert not thread.is_alive()
            for client in clients:
                client.close()
        check(settings, vault, written)
    return sum(one.acknowledged for one in written)


@pytest.mark.timeout(600)
def test_a_gateway_killed_while_it_writes_loses_nothing(tmp_path: Path) -> None:
    assert kill_repeatedly(tmp_path, 6) >= 6


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_two_hundred_kills_while_it_writes_lose_nothing(tmp_path: Path) -> None:
    assert kill_repeatedly(tmp_path, 200) >= 200
