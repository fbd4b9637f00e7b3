"""`cos-gateway doctor` against a real embedded COS: what it finds, what it does not, and what it never shows."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.diagnosis import Diagnosis, State, diagnose
from gateway.settings import Settings, load_settings
from tests.support.certificates import DAY, Authority
from tests.support.client_process import ROOT, clean_environment
from tests.support.gateway_program import COS_GATEWAY, GatewayProgram
from tests.support.identity_provider import identity_provider
from tests.support.names import CALLER_KEY, SERVER_KEY
from tests.support.site import Site

NOBODY = "http://127.0.0.1:9"
Change = Callable[[dict[str, Any]], object]


def healthy(endpoint: str, folder: Path) -> dict[str, Any]:
    program = GatewayProgram(folder, endpoint, "version: 1\nstatements: []\n")
    return program._settings(endpoint)


async def looked(settings: dict[str, Any], *, skew: float = 0.0) -> list[Diagnosis]:
    path = Path(settings["store"]["path"]).parent / "doctor.yaml"
    path.write_text(json.dumps(settings))
    read: Settings = load_settings(path, environment={})
    return [found async for found in diagnose(read, clock=lambda: time.time() + skew)]


def problems(found: list[Diagnosis]) -> set[tuple[str, str]]:
    return {(one.check, one.subject) for one in found if one.state is State.PROBLEM}


async def test_nothing_is_wrong_with_a_healthy_gateway(emulator_site: Site, tmp_path: Path) -> None:
    found = await looked(healthy(f"http://127.0.0.1:{emulator_site.port}", tmp_path))
    assert problems(found) == set(), [one for one in found if one.state is State.PROBLEM]
    assert {"files", "master key", "dns", "reach", "clock", "credentials"} <= {one.check for one in found}
    regions = {one.subject for one in found if one.check == "reach"}
    assert {"ap-shanghai", "ap-guangzhou", "ap-singapore"} <= regions
    assert not (tmp_path / "gateway.db").exists(), "it was only to look"


@pytest.mark.parametrize(
    ("skew", "wrong"), [(-3600, True), (3600, True), (-40, True), (40, True), (20, False), (-20, False)]
)
async def test_a_wrong_clock_is_told(emulator_site: Site, tmp_path: Path, skew: float, wrong: bool) -> None:
    found = await looked(healthy(f"http://127.0.0.1:{emulator_site.port}", tmp_path), skew=skew)
    clocks = [one for one in found if one.check == "clock"]
    assert clocks
    assert all((one.state is State.PROBLEM) is wrong for one in clocks), clocks
    direction = "ahead of" if skew > 0 else "behind"
    assert all(direction in one.detail for one in clocks)


async def test_a_region_that_cannot_be_reached_is_told(tmp_path: Path) -> None:
    found = await looked(healthy(NOBODY, tmp_path))
    assert {("reach", "ap-shanghai"), ("reach", "ap-guangzhou"), ("credentials", "server")} <= problems(found)


async def test_a_name_that_nobody_knows_is_told(tmp_path: Path) -> None:
    settings = healthy("http://no-such-host.invalid:80", tmp_path)
    settings["upstream"]["unsafe_allow_http"] = True
    assert ("dns", "ap-shanghai") in problems(await looked(settings))


async def test_what_answers_and_is_not_cos_is_told(tmp_path: Path) -> None:
    with identity_provider() as somebody:
        found = await looked(healthy(f"http://127.0.0.1:{somebody.port}", tmp_path))
    assert ("reach", "ap-shanghai") in problems(found)


def wrong_secret(settings: dict[str, Any]) -> None:
    Path(settings["credentials"][0]["secret_key_file"]).write_text("WrongSecretWrongSecret")


def unknown_id(settings: dict[str, Any]) -> None:
    settings["credentials"][0]["secret_id"] = "AKIDNOBODYKNOWS"


def without_credential(settings: dict[str, Any]) -> None:
    settings["credentials"] = []


def open_store(settings: dict[str, Any]) -> None:
    Path(settings["store"]["path"]).touch(mode=0o644)
    Path(settings["store"]["path"]).chmod(0o644)


def no_store(settings: dict[str, Any]) -> None:
    path = Path(settings["store"]["path"])
    path.write_text("this is no database, whatever its name says")
    path.chmod(0o600)


def open_audit(settings: dict[str, Any]) -> None:
    Path(settings["audit"]["path"]).touch()
    Path(settings["audit"]["path"]).chmod(0o644)


def writable_policy(settings: dict[str, Any]) -> None:
    Path(settings["policies"]["paths"][0]).chmod(0o666)


def open_master_key(settings: dict[str, Any]) -> None:
    Path(settings["master_key"]["file"]).chmod(0o640)


def no_master_key(settings: dict[str, Any]) -> None:
    del settings["master_key"]


def deaf_provider(settings: dict[str, Any]) -> None:
    settings["sts"] = {"port": 0}
    settings["identity_providers"] = [provider(f"{NOBODY}/keys")]


def provider(url: str) -> dict[str, Any]:
    return {
        "name": "ci",
        "issuer": "https://issuer.example.com",
        "audiences": ["a"],
        "jwks_url": url,
        "principals": {"*": "team:ci"},
    }


def closed_sts(settings: dict[str, Any]) -> None:
    deaf_provider(settings)
    del settings["sts"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (wrong_secret, ("credentials", "server")),
        (unknown_id, ("credentials", "server")),
        (without_credential, ("credentials", "examplebucket-1250000000")),
        (open_store, ("store", "{folder}/gateway.db")),
        (no_store, ("store", "{folder}/gateway.db")),
        (open_audit, ("files", "audit log")),
        (writable_policy, ("files", "policies")),
        (open_master_key, ("master key", "master_key")),
        (no_master_key, ("master key", "master_key")),
        (deaf_provider, ("sessions", "ci")),
        (closed_sts, ("sessions", "sts.port")),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_what_is_wrong_is_told(
    emulator_site: Site, tmp_path: Path, change: Change, expected: tuple[str, str]
) -> None:
    settings = healthy(f"http://127.0.0.1:{emulator_site.port}", tmp_path)
    change(settings)
    check, subject = expected
    found = await looked(settings)
    assert (check, subject.format(folder=tmp_path)) in problems(found), found
    shown = repr(found)
    assert SERVER_KEY.secret_key not in shown
    assert CALLER_KEY.secret_key not in shown


async def test_a_providers_keys_are_counted(emulator_site: Site, tmp_path: Path) -> None:
    settings = healthy(f"http://127.0.0.1:{emulator_site.port}", tmp_path)
    settings["sts"] = {"port": 0}
    with identity_provider() as issuer:
        settings["identity_providers"] = [provider(issuer.jwks_url)]
        found = await looked(settings)
        (told,) = [one for one in found if one.subject == "ci"]
        assert "3 usable keys" in told.detail
        issuer.key_set = b'{"keys": []}'
        assert ("sessions", "ci") in problems(await looked(settings))


@pytest.mark.parametrize(("secret", "code"), [(SERVER_KEY.secret_key, 0), ("WrongSecretWrongSecret", 1)])
def test_the_exit_code_says_whether_there_is_a_problem(
    emulator_site: Site, tmp_path: Path, secret: str, code: int
) -> None:
    program = GatewayProgram(tmp_path, f"http://127.0.0.1:{emulator_site.port}", "version: 1\nstatements: []\n")
    (tmp_path / "server.secret").write_text(secret)
    done = subprocess.run(
        [*COS_GATEWAY, "doctor", "--json", "--config", str(program.configuration)],
        cwd=ROOT, env=clean_environment(), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert {one["state"] for one in found} <= {"fine", "note", "problem"}
    for hidden in (secret, program.master_key, CALLER_KEY.secret_key):
        assert hidden not in done.stdout + done.stderr


# --- the certificate ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("starts", "ends", "state"),
    [
        (-DAY, 30 * DAY, State.FINE),
        (-DAY, 15 * DAY, State.FINE),
        (-DAY, 13 * DAY, State.NOTE),
        (-3 * DAY, -DAY, State.PROBLEM),
        (DAY, 3 * DAY, State.PROBLEM),
    ],
    ids=["good", "more than two weeks", "less than two weeks", "over", "not yet"],
)
async def test_the_certificates_time_is_told(
    emulator_site: Site, tmp_path: Path, starts: timedelta, ends: timedelta, state: State
) -> None:
    Authority().server(starts=starts, ends=ends).write(tmp_path / "tls.pem", tmp_path / "tls.key")
    settings = healthy(f"http://127.0.0.1:{emulator_site.port}", tmp_path)
    settings["tls"] = {"certificate": str(tmp_path / "tls.pem"), "key": str(tmp_path / "tls.key")}
    (found,) = [one for one in await looked(settings) if one.check == "tls"]
    assert (found.state, "CN=localhost" in found.detail) == (state, True)
    (tmp_path / "tls.key").chmod(0o644)
    assert ("tls", "tls") in problems(await looked(settings))


@pytest.mark.parametrize(("host", "state"), [("127.0.0.1", State.FINE), ("0.0.0.0", State.NOTE)])
async def test_a_port_for_all_without_a_certificate_is_told(
    emulator_site: Site, tmp_path: Path, host: str, state: State
) -> None:
    settings = healthy(f"http://127.0.0.1:{emulator_site.port}", tmp_path)
    settings["data"]["host"] = host
    assert [one.state for one in await looked(settings) if one.check == "tls"] == [state]
