"""`cos-gateway keys` and `credentials`: what is stored, what is shown, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

CANARY = "CanarySecretKey0123456789"


def listed(run: Any, group: str) -> list[dict[str, Any]]:
    done = run(group, "list", "--json")
    assert done.returncode == 0, done.stderr
    items: list[dict[str, Any]] = json.loads(done.stdout)
    return items


def test_a_key_goes_through_its_life(run: Any) -> None:
    created = json.loads(
        run("keys", "create", "team:media", "--label", "nightly", "--tag", "env=test", "--json").stdout
    )
    assert len(created["secret"]) >= 32
    (key,) = listed(run, "keys")
    assert (key["id"], key["principal"], key["state"]) == (created["id"], "team:media", "active")
    assert (key["label"], key["labels"]) == ("nightly", {"env": "test"})
    assert run("keys", "disable", key["id"]).returncode == 0
    assert listed(run, "keys")[0]["state"] == "disabled"
    assert run("keys", "enable", key["id"]).returncode == 0
    assert listed(run, "keys")[0]["state"] == "active"
    assert run("keys", "delete", key["id"]).returncode == 0
    assert listed(run, "keys") == []


def test_a_keys_secret_is_shown_once(run: Any, folder: Path) -> None:
    secret = json.loads(run("keys", "create", "team:media", "--json").stdout)["secret"]
    assert secret not in run("keys", "list").stdout + run("keys", "list", "--json").stdout
    assert not any(secret.encode() in path.read_bytes() for path in (folder / "var").iterdir())


@pytest.mark.parametrize("command", ["disable", "enable", "delete"])
def test_an_unknown_key_is_refused(run: Any, command: str) -> None:
    done = run("keys", command, "GWAKNOBODY")
    assert done.returncode == 1
    assert "GWAKNOBODY" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("create",), "principal"),
        (("create", "a", "--expires", "tomorrow"), "tomorrow"),
        (("create", "a", "--expires", "2030-01-01T00:00:00"), "zone"),
        (("create", "a", "--expires", "2020-01-01T00:00:00Z"), "future"),
        (("create", "a", "--network", "10.0.0.1/8"), "10.0.0.1/8"),
        (("create", "a", "--tag", "env"), "env"),
        (("create", " a"), "principal"),
        (("create", "a", "--secret", "b"), "--secret"),
    ],
    ids=["no-principal", "no-time", "no-zone", "past", "host-bits", "no-value", "space", "secret-from-argv"],
)
def test_wrong_arguments_are_usage_errors(run: Any, arguments: tuple[str, ...], named: str) -> None:
    done = run("keys", *arguments)
    assert done.returncode == 2
    assert named in done.stderr


@pytest.mark.parametrize("expires", ["90d", "12h", "2999-01-01T00:00:00Z"])
def test_an_expiry_is_a_time_or_a_while(run: Any, expires: str) -> None:
    done = run("keys", "create", "team:media", "--expires", expires, "--json")
    assert json.loads(done.stdout)["expires_at"] is not None


def test_without_a_master_key_nothing_is_issued_and_the_way_out_is_named(run: Any, folder: Path) -> None:
    (folder / "gateway.yaml").write_text("store: {path: var/gateway.db}")
    done = run("keys", "create", "team:media")
    assert done.returncode == 1
    assert "master-key create" in done.stderr


def test_a_new_master_key_opens_what_the_old_one_sealed(run: Any, folder: Path) -> None:
    run("keys", "create", "team:media")
    assert run("master-key", "create", "new.key").returncode == 0
    new, old = (folder / "new.key").read_text(), (folder / "master.key").read_text()
    (folder / "master.key").write_text(new + old)
    assert "1 access keys" in run("master-key", "rewrap").stdout
    (folder / "master.key").write_text(new)
    assert run("check").returncode == 0
    assert "0 access keys" in run("master-key", "rewrap").stdout


def test_a_master_key_is_never_overwritten(run: Any, folder: Path) -> None:
    before = (folder / "master.key").read_bytes()
    assert run("master-key", "create", "master.key").returncode == 2
    assert (folder / "master.key").read_bytes() == before


# --- credentials -------------------------------------------------------------------------------------------

ADD = ("credentials", "add", "store", "--account", "1250000001", "--secret-id", "AKIDabcdefghijklmnop1234")


def test_a_credential_takes_its_secret_from_a_pipe(run: Any, folder: Path) -> None:
    assert run(*ADD, stdin=f"{CANARY}\n").returncode == 0
    (credential,) = listed(run, "credentials")
    assert (credential["name"], credential["account"], credential["state"]) == ("store", "1250000001", "active")
    shown = run("credentials", "list").stdout + json.dumps(credential)
    assert CANARY not in shown
    assert "AKIDabcdefghijklmnop1234" not in shown
    assert not any(CANARY.encode() in path.read_bytes() for path in (folder / "var").iterdir())


def test_a_credential_takes_its_secret_from_a_file(run: Any, folder: Path) -> None:
    (folder / "secret").write_text(CANARY)
    (folder / "secret").chmod(0o600)
    assert run(*ADD, "--secret-file", "secret").returncode == 0


def test_a_secret_file_that_others_may_read_is_refused(run: Any, folder: Path) -> None:
    (folder / "secret").write_text(CANARY)
    (folder / "secret").chmod(0o644)
    done = run(*ADD, "--secret-file", "secret")
    assert done.returncode == 2
    assert "0644" in done.stderr
    assert CANARY not in done.stderr


@pytest.mark.parametrize("option", ["--secret-key", "--secret", "--password"])
def test_no_option_takes_a_secret(run: Any, option: str) -> None:
    assert run(*ADD, option, CANARY).returncode == 2


@pytest.mark.parametrize("stdin", ["", "\n", "two words\n", "k\u00e9y\n"], ids=["nothing", "blank", "space", "accent"])
def test_what_is_no_secret_is_refused(run: Any, stdin: str) -> None:
    done = run(*ADD, stdin=stdin)
    assert done.returncode == 2
    assert "SecretKey" in done.stderr


def test_a_taken_name_is_refused(run: Any) -> None:
    run(*ADD, stdin=CANARY)
    done = run(*ADD, stdin=CANARY)
    assert done.returncode == 1
    assert "store" in done.stderr


def test_a_credential_is_replaced_in_two_steps_and_removed(run: Any) -> None:
    run(*ADD, stdin=CANARY)
    assert run("credentials", "stage", "store", "--secret-id", "AKIDnew", stdin=f"{CANARY}2").returncode == 0
    assert [item["state"] for item in listed(run, "credentials")] == ["active", "staged"]
    assert run("credentials", "activate", "store", "2").returncode == 0
    assert [item["state"] for item in listed(run, "credentials")] == ["retired", "active"]
    assert run("credentials", "remove", "store").returncode == 0
    assert listed(run, "credentials") == []
    assert run("credentials", "remove", "store").returncode == 1
