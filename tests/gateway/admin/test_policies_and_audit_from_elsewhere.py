"""`policy explain`, `status` and `reload`, and `audit find`, at a running gateway: what its files would tell."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from typer.testing import CliRunner, Result

from gateway.cli.main import app
from gateway.stores.admin_tokens import Role
from tests.gateway.admin.conftest import Admin
from tests.support.client import Client, target
from tests.support.gateway_server import ALLOW_EVERYTHING, PRINCIPAL
from tests.support.names import BUCKETS, EXAMPLE, FOREIGN, SOURCE, Key

FLAGS = [
    "policy", "explain", "--principal", PRINCIPAL, "--action", "cos:UploadPartCopy",
    "--source", f"{SOURCE.name}/a", "--destination", f"{EXAMPLE.name}/b",
]  # fmt: skip


def run(admin: Admin, *arguments: str, role: Role | None = None, folder: Path | None = None) -> Result:
    """A command at the gateway with a token of a role, or with its configuration in a folder when there is none."""
    environment: dict[str, str | None] = {name: None for name in os.environ if name.startswith("COSGW_")}
    if role is not None:
        environment["COSGW_ADMIN_TOKEN"] = admin.tokens[role]
        arguments = (*arguments, "--server", admin.gateway.admin_endpoint)
    elif folder is not None:
        configuration = folder / "local.yaml"
        settings = {
            "policies": {"paths": [str(path) for path in admin.settings.policies.paths]},
            "audit": {"path": str(admin.settings.audit.path)},
            "buckets": [{"name": bucket.name, "region": bucket.region} for bucket in BUCKETS if bucket != FOREIGN],
        }
        configuration.write_text(yaml.safe_dump(settings))
        environment["COSGW_CONFIG"] = str(configuration)
    return CliRunner().invoke(app, arguments, env=environment)


@pytest.fixture
def document(admin: Admin, api: httpx.Client) -> Iterator[Path]:
    """The policy file, put back as it was."""
    (path,) = admin.settings.policies.paths
    yield path
    path.write_text(ALLOW_EVERYTHING, "utf-8")
    assert api.post("/policies/reload").status_code == 200


@pytest.mark.parametrize(
    ("more", "code"),
    [
        pytest.param([], 0, id="allowed"),
        pytest.param(["--range", "bytes=0-1048575", "--part-number", "3", "--size", "10GiB"], 0, id="every kind"),
        pytest.param(["--range", f"bytes=0-{6 * 1024**3}"], 1, id="COS itself refuses"),
        pytest.param(["--principal", "team:nobody"], 1, id="denied"),
        pytest.param(["--condition", "if-match=abc", "--header", "acl", "--address", "10.0.0.1"], 0, id="headers"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_a_gateway_explains_as_its_documents_do(
    admin: Admin, tmp_path: Path, more: list[str], code: int, as_json: bool
) -> None:
    words = [*FLAGS, *more, "--time", "2030-01-01T00:00:00Z", *(["--json"] if as_json else [])]
    here = run(admin, *words, folder=tmp_path)
    there = run(admin, *words, role=Role.VIEWER)
    assert (here.exit_code, there.exit_code) == (code, code), there.output
    assert there.stdout == here.stdout
    assert ("principal: no statement names" if "team:nobody" in words else "copies") in there.stdout


def test_a_request_in_a_file_is_explained(admin: Admin, tmp_path: Path) -> None:
    file = tmp_path / "request.yaml"
    file.write_text(f"principal: team:nobody\naction: cos:GetObject\nresource: {EXAMPLE.name}/a\n")
    words = ["policy", "explain", "--request", str(file)]
    here, there = run(admin, *words, folder=tmp_path), run(admin, *words, role=Role.VIEWER)
    assert there.exit_code == 1
    assert there.stdout == here.stdout


def test_a_denied_request_is_found_and_explained_by_its_decision_id(
    admin: Admin, api: httpx.Client, tmp_path: Path
) -> None:
    issued = api.post("/access-keys", json={"principal": "team:nobody"}).json()
    caller = Key(issued["id"], issued["secret"])
    answer = asyncio.run(Client(admin.gateway.data_port, caller).send("GET", EXAMPLE.host, target("a")))
    decision_id = answer.text("DecisionId")
    for words, code in ((["audit", "find", decision_id], 0), (["policy", "explain", "--decision", decision_id], 1)):
        there = run(admin, *words, role=Role.VIEWER)
        for _ in range(100):
            if there.exit_code == code and there.stdout:
                break
            there = run(admin, *words, role=Role.VIEWER)
        here = run(admin, *words, folder=tmp_path)
        assert (here.exit_code, there.exit_code) == (code, code), there.output
        assert there.stdout == here.stdout
        assert issued["secret"] not in there.stdout
    assert there.stdout.startswith("recorded: deny")


def test_an_id_that_nothing_was_recorded_of_is_a_finding(admin: Admin) -> None:
    assert run(admin, "audit", "find", "d-0000000000000000", role=Role.VIEWER).exit_code == 1
    unknown = run(admin, "policy", "explain", "--decision", "d-0000000000000000", role=Role.VIEWER)
    assert unknown.exit_code == 1
    assert "holds no request for the decision" in unknown.stderr
    assert json.loads(run(admin, "audit", "find", "d-0000000000000000", "--json", role=Role.VIEWER).stdout) == []
    impossible = run(admin, "audit", "find", "two words", role=Role.VIEWER)
    assert (impossible.exit_code, impossible.stdout) == (1, "")


def test_what_decides_is_told(admin: Admin) -> None:
    text = run(admin, "policy", "status", role=Role.VIEWER)
    version = admin.gateway.services.policies.active.version
    assert text.stdout.splitlines()[0] == f"version {version}"
    assert "policy.yaml" in text.stdout
    shown = json.loads(run(admin, "policy", "status", "--json", role=Role.VIEWER).stdout)
    assert (shown["version"], shown["healthy"]) == (version, True)


def test_documents_are_read_anew_whole_or_not_at_all(admin: Admin, document: Path) -> None:
    before = admin.gateway.services.policies.active.version
    document.write_text(ALLOW_EVERYTHING + "# changed\n", "utf-8")
    rehearsal = run(admin, "policy", "reload", "--dry-run", role=Role.SECURITY)
    assert rehearsal.exit_code == 0
    assert f"version: {before} -> " in rehearsal.stdout
    assert admin.gateway.services.policies.active.version == before
    assert run(admin, "policy", "reload", role=Role.SECURITY).exit_code == 0
    changed = admin.gateway.services.policies.active.version
    assert f"version: {before} -> {changed}" in rehearsal.stdout
    document.write_text("version: 1\nstatements:\n  - id: x\n    effect: alow\n", "utf-8")
    for words in (["policy", "reload", "--dry-run"], ["policy", "reload"]):
        refusal = run(admin, *words, role=Role.SECURITY)
        assert refusal.exit_code == 2
        assert "policy.yaml:4" in refusal.stderr
        assert "alow" in refusal.stderr
    assert admin.gateway.services.policies.active.version == changed
    assert "stays active" in run(admin, "policy", "status", role=Role.VIEWER).stdout


@pytest.mark.parametrize(
    ("words", "role", "code", "told"),
    [
        pytest.param(["policy", "reload"], Role.OPERATOR, 1, "security", id="role"),
        pytest.param([*FLAGS, "--policy", "p.yaml"], Role.VIEWER, 2, "--policy or --server", id="own documents"),
        pytest.param([*FLAGS, "--part-number", "0"], Role.VIEWER, 2, "--part-number", id="no part number"),
        pytest.param(["policy", "reload"], None, 2, "--server", id="nowhere"),
        pytest.param(["policy", "status"], None, 2, "--server", id="of nothing"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    admin: Admin, words: list[str], role: Role | None, code: int, told: str
) -> None:
    refusal = run(admin, *words, role=role)
    assert (refusal.exit_code, refusal.stdout) == (code, "")
    assert told in refusal.stderr


def test_every_member_of_a_written_request_can_be_asked(api: httpx.Client) -> None:
    asked: dict[str, Any] = {
        "principal": PRINCIPAL, "action": "cos:UploadPartCopy",
        "source": {"bucket": SOURCE.name, "key": "a", "region": SOURCE.region, "version": "v1"},
        "destination": {"bucket": EXAMPLE.name, "key": "b"}, "range": "bytes=0-9", "part_number": 1,
        "conditions": {"if-match": '"e"'}, "headers": ["acl"], "storage_class": "ARCHIVE", "encryption": "sse-cos",
        "length": 1, "address": "::1", "time": "2030-01-01T00:00:00+00:00", "size": 5, "etag": "e", "upload_size": 9,
    }  # fmt: skip
    assert api.post("/policies/explain", json=asked).status_code == 200
