"""`--dry-run`: what a command would do is said in the same words by the local store and by a gateway, and not done."""

from __future__ import annotations

import json
import re
from pathlib import Path
from secrets import token_hex

import httpx
import pytest

from gateway.stores.admin_tokens import Role
from tests.gateway.admin.commands import SECRET, run
from tests.gateway.admin.conftest import Admin
from tests.support.names import ACCOUNT

PAIR = ["--secret-id", "AKIDexampleexample0011"]
MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T[0-9:+Z.]+")


@pytest.fixture
def key_id(api: httpx.Client) -> str:
    issued = api.post("/access-keys", json={"principal": "team:rehearsed", "labels": {"a": "b"}})
    return str(issued.json()["id"])


@pytest.fixture
def credential(api: httpx.Client) -> str:
    name = f"rehearsed-{token_hex(4)}"
    pair = {"secret_id": "AKIDexampleexample0010", "secret_key": SECRET}
    assert api.post("/credentials", json={"name": name, "account": ACCOUNT, **pair}).status_code == 201
    assert api.post(f"/credentials/{name}/versions", json={**pair, "secret_key": SECRET + "x"}).status_code == 201
    return name


def revision(admin: Admin) -> int:
    return admin.gateway.services.watch.contents.revision


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        pytest.param(
            ["keys", "create", "team:new", "--tag", "x=y", "--network", "10.0.0.0/8", "--network", "::1/128"],
            ["This would be created:", "  principal: team:new", "  state: active", "  labels.x: y",
             "  networks: 10.0.0.0/8, ::1/128"],
            id="keys create",
        ),
        pytest.param(["keys", "disable", "KEY"], ["become different:", "  state: active -> disabled"], id="disable"),
        pytest.param(["keys", "enable", "KEY"], ["Nothing would become different."], id="enable"),
        pytest.param(["keys", "rotate", "KEY"], ["become different:", "  expires_at: - -> TIME"], id="keys rotate"),
        pytest.param(["keys", "delete", "KEY"], ["be removed:", "  id: KEY", "  labels.a: b"], id="keys delete"),
        pytest.param(
            ["credentials", "add", "brand-new", "--account", ACCOUNT, *PAIR],
            ["be created:", "  name: brand-new", f"  account: {ACCOUNT}", "  version 1 secret_id: AKID…0011"],
            id="credentials add",
        ),
        pytest.param(
            ["credentials", "stage", "NAME", *PAIR],
            ["become different:", "  version 3 state: - -> staged"],
            id="credentials stage",
        ),
        pytest.param(
            ["credentials", "activate", "NAME", "2"],
            ["become different:", "  version 1 state: active -> retired", "  version 2 state: staged -> active"],
            id="credentials activate",
        ),
        pytest.param(
            ["credentials", "remove", "NAME", "--version", "2"],
            ["become different:", "  version 2 state: staged -> -"],
            id="one version",
        ),
        pytest.param(["credentials", "remove", "NAME"], ["be removed:", "  name: NAME"], id="credentials remove"),
        pytest.param(
            ["admin-tokens", "create", "somebody", "--role", "viewer"],
            ["be created:", "  name: somebody", "  role: viewer"],
            id="admin-tokens create",
        ),
        pytest.param(["sessions", "end", "GWTK" + "A" * 32], ["  ended: False -> True"], id="sessions end"),
    ],
)  # fmt: skip
def test_what_would_change_is_said_and_nothing_is_changed(
    admin: Admin, key_id: str, credential: str, tmp_path: Path, words: list[str], lines: list[str]
) -> None:
    filled = [word.replace("KEY", key_id).replace("NAME", credential) for word in words]
    before, events = revision(admin), len(admin.events())
    told = []
    for local in (True, False):
        done = run(admin, *filled, "--dry-run", local=local, folder=tmp_path)
        assert done.exit_code == 0, done.output
        assert SECRET not in done.output
        told.append(MOMENT.sub("TIME", done.stdout))
    assert told[0] == told[1]
    assert told[0].startswith("Nothing is changed. ")
    for line in lines:
        assert line.replace("KEY", key_id).replace("NAME", credential) in told[0]
    assert revision(admin) == before
    assert len(admin.events()) == events


@pytest.mark.parametrize("local", [True, False], ids=["local", "remote"])
def test_json_is_what_the_admin_api_answers(admin: Admin, key_id: str, tmp_path: Path, local: bool) -> None:
    done = run(admin, "keys", "create", "team:new", "--dry-run", "--json", local=local, folder=tmp_path)
    would = json.loads(done.stdout)
    assert (would["dry_run"], would["before"], would["after"]["principal"]) == (True, None, "team:new")
    assert "secret" not in would["after"]
    rotated = run(admin, "keys", "rotate", key_id, "--dry-run", "--json", local=local, folder=tmp_path)
    would = json.loads(rotated.stdout)
    assert would["before"]["id"] == would["after"]["id"] == key_id


@pytest.mark.parametrize("local", [True, False], ids=["local", "remote"])
@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["keys", "disable", "GWAKNONE"], 1, "GWAKNONE"),
        (["keys", "create", "team:x", "--network", "10.0.0.1/8"], 2, "10.0.0.1/8"),
        (["credentials", "activate", "nothing-here", "1"], 1, "nothing-here"),
        (["admin-tokens", "create", "test-viewer", "--role", "viewer"], 1, "test-viewer"),
    ],
    ids=["no such key", "bad network", "no such credential", "name taken"],
)
def test_a_rehearsal_meets_the_refusals_of_the_change(
    admin: Admin, tmp_path: Path, local: bool, words: list[str], code: int, told: str
) -> None:
    done = run(admin, *words, "--dry-run", local=local, folder=tmp_path)
    assert (done.exit_code, done.stdout) == (code, "")
    assert told in done.stderr


def test_a_role_that_may_not_change_may_not_rehearse(admin: Admin, key_id: str, tmp_path: Path) -> None:
    done = run(admin, "keys", "delete", key_id, "--dry-run", local=False, folder=tmp_path, role=Role.VIEWER)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "operator" in done.stderr
