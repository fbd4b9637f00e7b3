"""`--server`: the command line at a running gateway does what it does on the local store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from gateway.cli.main import app
from gateway.stores.admin_tokens import Role
from tests.gateway.admin.conftest import Admin

ROOT = Path(__file__).parents[3]
SECRET = "CanarySecretKeyOfTheCloud0000000009"


def command(
    *arguments: str, token: str | None = None, given: str = "", folder: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COSGW_")}
    if token is not None:
        kept["COSGW_ADMIN_TOKEN"] = token
    return subprocess.run(
        [sys.executable, "-c", "from gateway.cli.main import main; main()", *arguments],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT), **environment},
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def at(admin: Admin, *arguments: str, role: Role = Role.SECURITY, given: str = "") -> Result:
    return asked(*arguments, "--server", admin.gateway.admin_endpoint, token=admin.tokens[role], given=given)


def asked(*arguments: str, token: str | None = None, given: str = "", **environment: str) -> Result:
    """The same in this process, which saves the start of one."""
    unset = {name: None for name in os.environ if name.startswith("COSGW_")}
    chosen = {**unset, "COSGW_ADMIN_TOKEN": token, **environment}
    return CliRunner().invoke(app, arguments, input=given, env=chosen)


def said(outcome: Result | subprocess.CompletedProcess[str]) -> Any:
    code = outcome.returncode if isinstance(outcome, subprocess.CompletedProcess) else outcome.exit_code
    assert code == 0, outcome.stderr
    return json.loads(outcome.stdout)


def test_a_key_lives_its_life_at_a_remote_gateway(admin: Admin, api: httpx.Client) -> None:
    flags = ["--label", "x", "--tag", "a=b", "--network", "10.0.0.0/8", "--expires", "30d", "--json"]
    issued = said(at(admin, "keys", "create", "team:remote", *flags))
    shown = api.get(f"/access-keys/{issued['id']}").json()
    assert (shown["label"], shown["labels"], shown["networks"]) == ("x", {"a": "b"}, ["10.0.0.0/8"])
    found = admin.gateway.services.keys.find(issued["id"])
    assert found is not None
    assert found.secret.reveal() == issued["secret"]
    rotated = said(at(admin, "keys", "rotate", issued["id"], "--overlap", "1h", "--json"))
    listed = said(at(admin, "keys", "list", "--principal", "team:remote", "--json"))
    assert [item["id"] for item in listed] == sorted(
        [issued["id"], rotated["id"]], key=[item["id"] for item in listed].index
    )
    assert at(admin, "keys", "disable", issued["id"]).stdout == f"{issued['id']} is disabled.\n"
    assert api.get(f"/access-keys/{issued['id']}").json()["state"] == "disabled"
    assert at(admin, "keys", "enable", issued["id"]).stdout == f"{issued['id']} is active.\n"
    assert at(admin, "keys", "delete", issued["id"]).exit_code == 0
    gone = at(admin, "keys", "delete", issued["id"])
    assert (gone.exit_code, gone.stdout) == (1, "")
    assert issued["id"] in gone.stderr
    assert admin.last_change()["actor"] == "test-security"


def test_a_credential_is_kept_at_a_remote_gateway(admin: Admin) -> None:
    flags = ["--secret-id", "AKIDexampleexample0009"]
    assert at(admin, "credentials", "add", "remote", "--account", "1251111111", *flags, given=SECRET).exit_code == 0
    staged = at(admin, "credentials", "stage", "remote", *flags, given=SECRET + "x")
    assert "version 2 is staged" in staged.stdout
    assert at(admin, "credentials", "activate", "remote", "2").exit_code == 0
    listed = at(admin, "credentials", "list", "--json")
    states = [(item["version"], item["state"]) for item in said(listed) if item["name"] == "remote"]
    assert states == [(1, "retired"), (2, "active")]
    assert SECRET not in listed.stdout
    assert at(admin, "credentials", "remove", "remote").exit_code == 0


def test_tokens_are_made_at_a_remote_gateway(admin: Admin) -> None:
    made = said(at(admin, "admin-tokens", "create", "remote-ci", "--role", "viewer", "--json"))
    whoami = httpx.get(
        f"{admin.gateway.admin_endpoint}/api/v1/whoami", headers={"Authorization": f"Bearer {made['token']}"}
    )
    assert whoami.json()["name"] == "remote-ci"
    assert made["id"] in at(admin, "admin-tokens", "list").stdout
    assert at(admin, "admin-tokens", "delete", made["id"]).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["keys", "create", "team:x", "--network", "10.0.0.1/8"], 2, "10.0.0.1/8"),
        (["keys", "create", ""], 2, "principal"),
        (["keys", "delete", "GWAKNONE"], 1, "GWAKNONE"),
        (["keys", "delete", "../credentials"], 1, "not"),
        (["credentials", "activate", "none", "1"], 1, "none"),
        (["admin-tokens", "create", "test-viewer", "--role", "viewer"], 1, "test-viewer"),
    ],
)
def test_a_refusal_is_one_line_and_an_exit_code(admin: Admin, arguments: list[str], code: int, words: str) -> None:
    outcome = at(admin, *arguments)
    assert (outcome.exit_code, outcome.stdout) == (code, "")
    assert words in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_a_role_that_may_not_is_told_which_may(admin: Admin) -> None:
    outcome = at(admin, "keys", "create", "team:x", role=Role.VIEWER)
    assert outcome.exit_code == 1
    assert "operator" in outcome.stderr


@pytest.mark.parametrize(
    ("server", "words"),
    [
        ("http://gateway.example", "https"),
        ("http://10.0.0.1:8081", "https"),
        ("http://localhost.attacker.example", "https"),
        ("127.0.0.1:8081", "URL"),
        ("ftp://127.0.0.1", "URL"),
        ("http://user:pw@127.0.0.1:8081", "URL"),
        ("http://127.0.0.1:port", "URL"),
        ("", "URL"),
        ("http://127.0.0.1:9", "did not answer"),
    ],
)
def test_a_server_that_is_none_or_would_show_the_token_is_refused(server: str, words: str) -> None:
    outcome = asked("keys", "list", "--server", server, token="GWATSOMETHING")
    assert (outcome.exit_code, outcome.stdout) == (1, "")
    assert words in outcome.stderr
    assert "GWATSOMETHING" not in outcome.stderr


def test_a_server_that_is_no_admin_port_is_said(admin: Admin) -> None:
    outcome = asked("keys", "list", "--server", admin.gateway.endpoint, token="GWATSOMETHING")
    assert outcome.exit_code == 1
    assert "admin port" in outcome.stderr


def test_without_a_token_nothing_is_asked(admin: Admin) -> None:
    outcome = asked("keys", "list", "--server", admin.gateway.admin_endpoint)
    assert outcome.exit_code == 1
    assert "COSGW_ADMIN_TOKEN" in outcome.stderr


def test_the_token_may_stand_in_a_file_for_its_owner_only(admin: Admin, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(admin.tokens[Role.VIEWER] + "\n")
    file.chmod(0o600)
    arguments = ["keys", "list", "--server", admin.gateway.admin_endpoint, "--token-file", str(file)]
    assert asked(*arguments).exit_code == 0
    file.chmod(0o644)
    assert asked(*arguments).exit_code == 2


def test_a_proxy_of_the_environment_does_not_see_the_token(admin: Admin) -> None:
    outcome = command(
        "keys", "list", "--server", admin.gateway.admin_endpoint, token=admin.tokens[Role.VIEWER],
        HTTP_PROXY="http://127.0.0.1:9", ALL_PROXY="http://127.0.0.1:9",
    )  # fmt: skip
    assert outcome.returncode == 0, outcome.stderr


def test_the_same_commands_work_on_the_local_store_and_are_audited(tmp_path: Path) -> None:
    local = {"COSGW_MASTER_KEY": token_hex(32)}
    made = said(command("admin-tokens", "create", "first", "--role", "security", "--json", folder=tmp_path, **local))
    issued = said(command("keys", "create", "team:local", "--json", folder=tmp_path, **local))
    rotated = said(command("keys", "rotate", issued["id"], "--json", folder=tmp_path, **local))
    listed = said(command("keys", "list", "--json", folder=tmp_path, **local))
    assert {item["id"] for item in listed} == {issued["id"], rotated["id"]}
    events = [json.loads(line) for line in (tmp_path / "var/audit.jsonl").read_text().rpartition("\n")[0].splitlines()]
    assert [event["action"] for event in events] == ["admin_tokens.create", "access_keys.create", "access_keys.rotate"]
    assert {event["actor"].partition(":")[0] for event in events} == {"local"}
    log = (tmp_path / "var/audit.jsonl").read_text()
    for secret in (made["token"][20:], issued["secret"], rotated["secret"]):
        assert secret not in log


def test_a_token_in_the_environment_is_no_setting(tmp_path: Path) -> None:
    outcome = command("keys", "list", token="GWATSOMETHING", folder=tmp_path)
    assert outcome.returncode == 0, outcome.stderr
