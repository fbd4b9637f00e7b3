"""Two gateway programs that share nothing but a database and a master key: what one withdraws, the other refuses."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from emulator.faults import Delay, FaultRule
from emulator.server import RunningEmulator
from emulator.server import running as running_emulator
from emulator.settings import Credential
from tests.support.client import Client
from tests.support.client_process import ROOT, clean_environment
from tests.support.gateway_program import COS_GATEWAY, GatewayProgram
from tests.support.gateway_server import ALLOW_EVERYTHING, PRINCIPAL
from tests.support.http1 import Response
from tests.support.names import ACCOUNT, EXAMPLE, SERVER_KEY, Key
from tests.support.postgresql import PASSWORD, USER, PostgresqlServer, postgresql_server, programs
from tests.support.servers import emulator_settings, in_background

WITHIN_SECONDS = 30.0
"""How soon a busy machine makes a withdrawal known everywhere; that its polls lie within 5 s is tested beside one."""
NEW = Key("AKIDnewnewnewnewnewnew00000000001", "canary-new-secret-000000000000001")


@dataclass(slots=True)
class Machine:
    """A gateway with a folder of its own, as on a machine of its own."""

    program: GatewayProgram
    token: str = ""

    def run(self, *words: str, given: str = "") -> Any:
        """What a command prints here, on the shared database, as JSON."""
        done = subprocess.run(
            [*COS_GATEWAY, *words, "--config", str(self.program.configuration)],
            cwd=ROOT, env=clean_environment(), input=given, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if "--json" in words else done.stdout

    async def get(self, key: Key) -> Response:
        return await Client(self.program.port, key).send("GET", EXAMPLE.host, "/?max-keys=1")

    def api(self) -> httpx.Client:
        port = re.search(r"admin http://127\.0\.0\.1:(\d+)", "".join(self.program.output))
        assert port is not None
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=f"http://127.0.0.1:{port[1]}/api/v1", headers=headers, timeout=30)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresqlServer]:
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL is not installed")
    with postgresql_server(found) as running:
        yield running


@pytest.fixture(scope="module")
def cos() -> Iterator[RunningEmulator]:
    base = emulator_settings()
    pairs = tuple(Credential(key.secret_id, key.secret_key) for key in (SERVER_KEY, NEW))
    account = replace(base.accounts[0], credentials=pairs)
    with in_background(running_emulator(replace(base, accounts=(account, *base.accounts[1:])))) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def machines(
    server: PostgresqlServer, cos: RunningEmulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Machine, Machine]]:
    place = server.new_database()
    made = []
    for name in ("one", "other"):
        folder = tmp_path_factory.mktemp(name)
        program = GatewayProgram(folder, cos.url, ALLOW_EVERYTHING)
        password = folder / "password"
        password.touch(mode=0o600)
        password.write_text(PASSWORD)
        settings = yaml.safe_load(program.configuration.read_text())
        settings["store"] = {
            "postgresql": {
                "host": "127.0.0.1", "port": place.port, "database": place.database, "user": USER,
                "password_file": str(password), "ca_file": str(server.ca_file),
            }
        }  # fmt: skip
        settings |= {"keys": [], "credentials": []}
        program.configuration.write_text(yaml.safe_dump(settings))
        made.append(Machine(program))
    one, other = made
    shutil.copy2(one.program.folder / "master.key", other.program.folder / "master.key")
    pair = ("--secret-id", SERVER_KEY.secret_id, "--account", ACCOUNT)
    one.run("credentials", "add", "main", *pair, given=SERVER_KEY.secret_key + "\n")
    for machine in made:
        machine.token = machine.run(
            "admin-tokens", "create", machine.program.folder.name, "--role", "security", "--json"
        )["token"]
        machine.program.start()
    try:
        yield one, other
    finally:
        for machine in made:
            if machine.program.process is not None and machine.program.process.poll() is None:
                machine.program.stop(kill=True)


@pytest.fixture
def key(machines: tuple[Machine, Machine]) -> Key:
    issued = machines[0].run("keys", "create", PRINCIPAL, "--json")
    return Key(issued["id"], issued["secret"])


async def until(
    wanted: Callable[[Response], bool], machine: Machine, key: Key, *, seconds: float = WITHIN_SECONDS
) -> float:
    """How many seconds it took until a request is answered as wanted. Raises AssertionError after `seconds`."""
    started = time.monotonic()
    while True:
        asked = time.monotonic() - started
        answer = await machine.get(key)
        if wanted(answer):
            return time.monotonic() - started
        assert asked < seconds, answer


def accepted(answer: Response) -> bool:
    return answer.status == 200


def refused(answer: Response) -> bool:
    return answer.status == 403 and answer.text("Code") in ("AccessDenied", "InvalidAccessKeyId")


@pytest.mark.parametrize("how", ["disable", "delete", "expire"])
async def test_a_key_withdrawn_at_one_is_refused_at_the_other_within_five_seconds(
    machines: tuple[Machine, Machine], key: Key, how: str
) -> None:
    one, other = machines
    for machine in machines:
        await until(accepted, machine, key)
    with one.api() as api:
        path, anything = f"/access-keys/{key.secret_id}", {"If-Match": "*"}
        match how:
            case "disable":
                answer = api.patch(path, json={"state": "disabled"}, headers=anything)
            case "delete":
                answer = api.delete(path, headers=anything)
            case _:
                answer = api.post(f"{path}/rotate", json={"overlap_seconds": 0})
    assert answer.is_success, answer.text
    # In force at once where it was said, within the poll elsewhere.
    assert refused(await one.get(key))
    await until(refused, other, key)
    for _ in range(20):
        assert refused(await other.get(key))


async def test_a_command_on_one_machine_reaches_the_gateway_of_the_other(
    machines: tuple[Machine, Machine], key: Key
) -> None:
    one, other = machines
    await until(accepted, other, key)
    one.run("keys", "disable", key.secret_id)
    await until(refused, other, key)
    other.run("keys", "enable", key.secret_id)
    await until(accepted, one, key)


async def test_a_credential_rotated_at_one_is_used_by_the_other_and_drained(
    machines: tuple[Machine, Machine], key: Key, cos: RunningEmulator
) -> None:
    one, other = machines
    await until(accepted, other, key)
    assert cos.emulator.log.entries[-1].access_key_id == SERVER_KEY.secret_id
    with one.api() as api:
        body = {"secret_id": NEW.secret_id, "secret_key": NEW.secret_key, "drain_seconds": 1}
        answer = api.post("/credentials/main/rotate", json=body)
        assert answer.status_code == 200, answer.text
        started = time.monotonic()
        while (await other.get(key)).status == 200 and cos.emulator.log.entries[-1].access_key_id != NEW.secret_id:
            assert time.monotonic() - started < WITHIN_SECONDS
        while len(api.get("/credentials/main").json()["versions"]) > 1:
            assert time.monotonic() - started < 2 * WITHIN_SECONDS
        cos.emulator.log.clear()
    for machine in machines:
        assert accepted(await machine.get(key))
    assert {entry.access_key_id for entry in cos.emulator.log.entries} == {NEW.secret_id}


async def test_of_two_rotations_at_once_on_two_machines_one_wins(
    machines: tuple[Machine, Machine], cos: RunningEmulator
) -> None:
    # Slow enough that each has staged its pair before the other switches.
    cos.emulator.faults.add(FaultRule(Delay(0.7), operation="GetBucket"))
    body = {"secret_id": NEW.secret_id, "secret_key": NEW.secret_key, "drain_seconds": None}

    def rotate(machine: Machine) -> int:
        with machine.api() as api:
            return api.post("/credentials/main/rotate", json=body).status_code

    answers = await asyncio.gather(*(asyncio.to_thread(rotate, machine) for machine in machines))
    cos.emulator.faults.clear()
    assert sorted(answers) == [200, 409]
    with machines[1].api() as api:
        states = [item["state"] for item in api.get("/credentials/main").json()["versions"]]
    assert states.count("active") == 1
    assert "staged" not in states


def test_nothing_in_the_shared_database_is_a_secret(
    machines: tuple[Machine, Machine], key: Key, server: PostgresqlServer
) -> None:
    one, other = machines
    database = yaml.safe_load(one.program.configuration.read_text())["store"]["postgresql"]["database"]
    tables = server.run("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", database=database).split()
    assert len(tables) == 8
    content = "".join(server.run(f"SELECT * FROM {table}", database=database) for table in tables)
    content += "".join(bytes.fromhex(text).decode("latin-1") for text in re.findall(r"\\x([0-9a-f]+)", content))
    assert key.secret_id in content
    told = content + "".join(one.program.output + other.program.output)
    secrets = (key.secret_key, SERVER_KEY.secret_key, NEW.secret_key, one.token, other.token, PASSWORD)
    assert [secret for secret in (*secrets, one.program.master_key) if secret in told] == []


async def test_without_the_database_requests_are_served_and_changes_are_not(
    cos: RunningEmulator, tmp_path: Path
) -> None:
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL is not installed")
    program = GatewayProgram(tmp_path, cos.url, ALLOW_EVERYTHING)
    settings = yaml.safe_load(program.configuration.read_text())
    password = tmp_path / "password"
    password.touch(mode=0o600)
    password.write_text(PASSWORD)
    machine = Machine(program)
    try:
        with postgresql_server(found) as short_lived:
            place = short_lived.new_database()
            settings["store"] = {
                "postgresql": {"host": "127.0.0.1", "port": place.port, "database": place.database, "user": USER,
                               "password_file": str(password)},
                "stale_seconds": 8,
            }  # fmt: skip
            program.configuration.write_text(yaml.safe_dump(settings))
            machine.token = machine.run("admin-tokens", "create", "one", "--role", "security", "--json")["token"]
            issued = machine.run("keys", "create", PRINCIPAL, "--json")
            key = Key(issued["id"], issued["secret"])
            program.start()
            await until(accepted, machine, key)
        # From memory, for as long as it may be trusted, and then no more.
        for _ in range(20):
            assert accepted(await machine.get(key))
        with machine.api() as api:
            refusal = api.post("/access-keys", json={"principal": "team:late"})
        assert (refusal.status_code, refusal.json()["type"]) == (503, "urn:cos-gateway:problem:unavailable")
        assert accepted(await machine.get(key))
        await until(lambda answer: answer.status == 503 and bool(answer.text("RequestId")), machine, key, seconds=60)
    finally:
        if program.process is not None:
            program.stop(kill=True)
    assert PASSWORD not in "".join(program.output)
