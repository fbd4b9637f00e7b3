"""`keys show` and `keys edit`, on the local store and at a running gateway."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.stores.admin_tokens import Role
from tests.gateway.admin.commands import run
from tests.gateway.admin.conftest import Admin

BOTH = pytest.mark.parametrize("local", [True, False], ids=["local", "remote"])


@pytest.fixture
def issued(api: httpx.Client) -> dict[str, Any]:
    body = {"principal": "team:shown", "label": "ci", "labels": {"a": "b"}, "networks": ["10.0.0.0/8"]}
    answer: dict[str, Any] = api.post("/access-keys", json={**body, "expires_at": "2099-01-01T00:00:00Z"}).json()
    return answer


@BOTH
def test_a_key_is_shown_without_its_secret(admin: Admin, issued: dict[str, Any], tmp_path: Path, local: bool) -> None:
    text = run(admin, "keys", "show", issued["id"], local=local, folder=tmp_path).stdout
    lines = dict(line.split(maxsplit=1) for line in text.splitlines())
    assert (lines["id"], lines["principal"], lines["state"]) == (issued["id"], "team:shown", "active")
    assert (lines["labels"], lines["networks"], lines["last_used_at"]) == ("a=b", "10.0.0.0/8", "never")
    shown = run(admin, "keys", "show", issued["id"], "--json", local=local, folder=tmp_path).stdout
    assert json.loads(shown)["labels"] == {"a": "b"}
    assert issued["secret"] not in text + shown


@BOTH
@pytest.mark.parametrize(
    ("words", "changed"),
    [
        pytest.param(["--label", "other"], {"label": "other"}, id="label"),
        pytest.param(["--tag", "x=y", "--tag", "z=1"], {"labels": {"x": "y", "z": "1"}}, id="labels"),
        pytest.param(["--no-tags"], {"labels": {}}, id="no labels"),
        pytest.param(["--network", "::1/128"], {"networks": ["::1/128"]}, id="network"),
        pytest.param(["--any-network"], {"networks": []}, id="any network"),
        pytest.param(["--expires", "2098-01-01T00:00:00Z"], {"expires_at": "2098-01-01T00:00:00Z"}, id="expiry"),
        pytest.param(["--expires", "never"], {"expires_at": None}, id="no expiry"),
    ],
)
def test_what_is_named_is_changed_and_the_rest_stays(
    admin: Admin, api: httpx.Client, issued: dict[str, Any], tmp_path: Path,
    local: bool, words: list[str], changed: dict[str, Any],
) -> None:  # fmt: skip
    before = api.get(f"/access-keys/{issued['id']}").json()
    rehearsal = run(admin, "keys", "edit", issued["id"], *words, "--dry-run", local=local, folder=tmp_path)
    assert rehearsal.exit_code == 0, rehearsal.output
    assert api.get(f"/access-keys/{issued['id']}").json() == before
    done = run(admin, "keys", "edit", issued["id"], *words, local=local, folder=tmp_path)
    assert done.exit_code == 0, done.output
    after = api.get(f"/access-keys/{issued['id']}").json()
    assert after == {**before, **changed, "etag": after["etag"]}
    event = admin.last_change()
    assert (event["action"], event["target"]) == ("access_keys.edit", issued["id"])


@BOTH
@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        pytest.param(["edit", "KEY"], 2, "something to change", id="nothing"),
        pytest.param(["edit", "KEY", "--tag", "a=b", "--no-tags"], 2, "not both", id="both"),
        pytest.param(["edit", "KEY", "--network", "10.0.0.1/8"], 2, "10.0.0.1/8", id="no network"),
        pytest.param(["edit", "KEY", "--expires", "soon"], 2, "soon", id="no time"),
        pytest.param(["edit", "GWAKNONE", "--label", "x"], 1, "GWAKNONE", id="no such key"),
        pytest.param(["show", "GWAKNONE"], 1, "GWAKNONE", id="nothing to show"),
    ],
)
def test_what_cannot_be_done_is_said(
    admin: Admin, issued: dict[str, Any], tmp_path: Path, local: bool, words: list[str], code: int, told: str
) -> None:
    filled = [word.replace("KEY", issued["id"]) if word == "KEY" else word for word in words]
    done = run(admin, "keys", *filled, local=local, folder=tmp_path)
    assert (done.exit_code, done.stdout) == (code, "")
    assert told in done.stderr


def test_a_viewer_may_look_and_not_change(admin: Admin, issued: dict[str, Any], tmp_path: Path) -> None:
    assert run(admin, "keys", "show", issued["id"], local=False, folder=tmp_path, role=Role.VIEWER).exit_code == 0
    words = ["keys", "edit", issued["id"], "--label", "x"]
    refusal = run(admin, *words, local=False, folder=tmp_path, role=Role.VIEWER)
    assert refusal.exit_code == 1
    assert "operator" in refusal.stderr
