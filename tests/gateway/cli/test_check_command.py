"""`cos-gateway check`, `config`, `env`, `audit`, `policy` and help: findings, exit codes and what they print."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
CANARY = "CanarySecretKey0123456789"


def replace(folder: Path, old: str, new: str, name: str = "gateway.yaml") -> None:
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))


# --- check -------------------------------------------------------------------------------------------------


def test_a_sound_configuration_passes_and_nothing_is_made(run: Any, folder: Path) -> None:
    before = sorted(folder.iterdir())
    done = run("check")
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(folder.iterdir()) == before


def test_every_wrong_setting_is_printed_with_its_line(run: Any, folder: Path) -> None:
    replace(folder, "data: {port: 0}", "data: {prot: 0}\nlog: {level: loud}")
    done = run("check")
    assert done.returncode == 2
    assert "gateway.yaml:1: data.prot: found an unknown key" in done.stderr
    assert "did you mean 'port'?" in done.stderr
    assert "gateway.yaml:2: log.level: found 'loud', expected 'debug', 'info', 'warning' or 'error'" in done.stderr


PROBLEMS = {
    "policy-missing": ("gateway.yaml", "[policies.yaml]", "[none.yaml]", "none.yaml"),
    "policy-none": ("gateway.yaml", "[policies.yaml]", "[]", "policies.paths"),
    "policy-broken": ("policies.yaml", "effect: allow", "effect: alow", "policies.yaml:4:"),
    "policy-fails-its-test": ("policies.yaml", "same_region: true", "same_region: false", "from raw"),
    "master-key-missing": ("gateway.yaml", "master.key", "none.key", "none.key"),
    "master-key-none": ("gateway.yaml", "master_key: {file: master.key}", "", "master-key create"),
    "master-key-weak": ("master.key", "kq9o3VfzXxJ1Zr8mB5cUe0aTgYwH2LsNdPiRb7QjWfE=", "0" * 64, "repeats"),
    "no-credential": ("gateway.yaml", "account: 1250000000", "account: 1250000009", "buckets[0]"),
    "unknown-credential": ("gateway.yaml", "ap-shanghai}", "ap-shanghai, credential: other}", "buckets[2].credential"),
    "store-nowhere": ("gateway.yaml", "var/gateway.db", "policies.yaml/gateway.db", "store.path"),
    "audit-nowhere": ("gateway.yaml", "var/audit.jsonl", "policies.yaml/audit.jsonl", "audit.path"),
    "certificate": ("gateway.yaml", "data:", "tls: {certificate: none.pem, key: none.key}\ndata:", "none.pem"),
    "ca-file": ("gateway.yaml", "data:", "upstream: {ca_file: policies.yaml}\ndata:", "upstream.ca_file"),
}


@pytest.mark.parametrize(("name", "old", "new", "named"), PROBLEMS.values(), ids=PROBLEMS)
def test_a_problem_is_found(run: Any, folder: Path, name: str, old: str, new: str, named: str) -> None:
    replace(folder, old, new, name)
    done = run("check")
    assert done.returncode == 2
    assert named in done.stderr


def test_a_store_that_is_none_is_found(run: Any, folder: Path) -> None:
    (folder / "var").mkdir()
    store = folder / "var" / "gateway.db"
    store.write_bytes(b"this is not a database, and long enough to be looked at" * 20)
    store.chmod(0o600)
    done = run("check")
    assert done.returncode == 2
    assert "store.path" in done.stderr


def test_a_stored_credential_satisfies_its_buckets(run: Any, folder: Path) -> None:
    replace(folder, "account: 1250000000", "account: 1250000009")
    add = ("credentials", "add", "store", "--account", "1250000000", "--secret-id", "AKIDabcdefgh")
    assert run(*add, stdin=CANARY).returncode == 0
    assert run("check").returncode == 0


def test_a_missing_configuration_file_is_named(run: Any) -> None:
    done = run("check", "--config", "none.yaml")
    assert done.returncode == 2
    assert "none.yaml" in done.stderr


# --- config, env, help -------------------------------------------------------------------------------------


def test_the_settings_in_effect_are_shown_without_secrets(run: Any, folder: Path) -> None:
    replace(folder, "TestSecretKey", CANARY)
    done = run("config", "show", "--json", COSGW_DATA__MAX_IN_FLIGHT="7")
    assert json.loads(done.stdout)["data"]["max_in_flight"] == 7
    assert CANARY not in done.stdout + run("config", "show").stdout


def test_the_schema_is_json_schema(run: Any) -> None:
    schema = json.loads(run("config", "schema").stdout)
    assert "buckets" in schema["properties"]
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("sdk", ["python", "boto3"])
@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:8080", "https://cos.example.com"])
def test_a_snippet_is_a_program_that_names_the_endpoint(run: Any, sdk: str, endpoint: str) -> None:
    text = run("env", sdk, "--endpoint", endpoint, "--key-id", "GWAKEXAMPLE").stdout
    ast.parse(text)
    assert endpoint.partition("//")[2] in text
    assert "GWAKEXAMPLE" in text


def test_an_endpoint_without_names_is_used_as_a_proxy(run: Any) -> None:
    assert "http_proxy=http://127.0.0.1:8080" in run("env", "coscmd").stdout
    assert "-e cos.example.com" in run("env", "coscmd", "--endpoint", "https://cos.example.com").stdout


def test_an_unknown_command_is_a_usage_error(run: Any) -> None:
    assert run("frobnicate").returncode == 2


def test_the_program_ends_with_lines_and_exit_codes(run_process: Any, folder: Path) -> None:
    assert run_process("check").returncode == 0
    (folder / "gateway.yaml").write_text("data: {port: http}")
    wrong = run_process("check")
    assert (wrong.returncode, wrong.stderr) == (
        2, "gateway.yaml:1: data.port: found 'http', expected a whole number\n1 problem found.\n",
    )  # fmt: skip
    assert "Traceback" not in run_process("keys", "list", COSGW_STORE__PATH="gateway.yaml").stderr


def test_help_waits_for_no_heavy_import() -> None:
    code = "import sys, gateway.cli.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"pydantic", "sqlalchemy", "httpx", "uvicorn", "cryptography", "yaml"} & set(done.stdout.split())


# --- audit -------------------------------------------------------------------------------------------------


def test_a_decision_brings_every_record_of_its_request(run: Any, folder: Path) -> None:
    (folder / "var").mkdir()
    events = [
        {"type": "intent", "request_id": "r1", "note": "before the decision"},
        {"type": "intent", "request_id": "r1", "decision_id": "d-1"},
        {"type": "outcome", "request_id": "r2", "decision_id": "d-2", "key": "d-1"},
        {"type": "outcome", "request_id": "r1", "decision_id": "d-1", "status": 200},
    ]
    lines = [json.dumps(event) for event in events]
    (folder / "var" / "audit.jsonl").write_text("\n".join([*lines, '{"torn": "d-1']))
    done = run("audit", "find", "d-1", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == [events[0], events[1], events[3]]
    assert len(run("audit", "find", "r1").stdout.splitlines()) == 3


def test_an_unknown_decision_is_a_finding(run: Any, folder: Path) -> None:
    assert run("audit", "find", "d-1").returncode == 1
    (folder / "var").mkdir()
    (folder / "var" / "audit.jsonl").write_text("")
    done = run("audit", "find", "d-1", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (1, [])


# --- policy ------------------------------------------------------------------------------------------------

EXPLAIN = ("policy", "explain", "--principal", "team:media", "--action", "cos:UploadPartCopy")
HERE = ("--destination", "media-1250000000/b")


def test_documents_that_pass_their_tests(run: Any) -> None:
    done = run("policy", "test")
    assert (done.returncode, done.stdout) == (0, "1 of 1 tests passed.\n")


def test_a_failing_test_is_a_finding_with_its_line(run: Any, folder: Path) -> None:
    replace(folder, "expect: allow", "expect: deny", "policies.yaml")
    done = run("policy", "test")
    assert done.returncode == 1
    assert "policies.yaml:11:" in done.stdout
    (outcome,) = json.loads(run("policy", "test", "--json").stdout)
    assert (outcome["name"], outcome["passed"]) == ("from raw", False)


@pytest.mark.parametrize("command", ["lint", "test"])
def test_a_broken_document_is_described(run: Any, folder: Path, command: str) -> None:
    replace(folder, "effect: allow", "efect: allow", "policies.yaml")
    done = run("policy", command)
    assert done.returncode == 2
    assert "policies.yaml:4:" in done.stderr
    assert "did you mean 'effect'?" in done.stderr


def test_an_allowed_copy_is_explained_with_the_registered_regions(run: Any) -> None:
    done = run(*EXPLAIN, "--source", "raw-1250000000/a", *HERE, "--json")
    assert done.returncode == 0
    answer = json.loads(done.stdout)
    assert (answer["verdict"], answer["statement"], answer["trace"][0]["matched"]) == ("allow", "copy-in-region", True)


def test_a_refused_copy_is_explained(run: Any) -> None:
    done = run(*EXPLAIN, "--source", "archive-1250000000/a", *HERE)
    assert done.returncode == 1
    assert "same_region" in done.stdout
    assert "ap-shanghai" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--source", "raw", *HERE), "--source"),
        (("--source", "raw-1250000000/a", *HERE, "--range", "bytes=9-1"), "--range"),
        (("--source", "raw-1250000000/a", *HERE, "--part-number", "10001"), "--part-number"),
        (("--source", "raw-1250000000/a", *HERE, "--size", "1GB"), "--size"),
    ],
    ids=["bucket", "range", "part-number", "size"],
)
def test_a_flag_that_does_not_parse_is_named(run: Any, arguments: tuple[str, ...], named: str) -> None:
    done = run(*EXPLAIN, *arguments)
    assert done.returncode == 2
    assert named in done.stderr
