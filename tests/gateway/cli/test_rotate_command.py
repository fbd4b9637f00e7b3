"""`cos-gateway credentials rotate` and `rewrap`: what they say, what they refuse, and that no secret is shown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from emulator.server import RunningEmulator
from emulator.server import running as running_emulator
from emulator.settings import Credential
from tests.gateway.cli.conftest import Run
from tests.support.names import ACCOUNT, EXAMPLE, SERVER_KEY
from tests.support.servers import emulator_settings, in_background

NEW_ID, NEW_SECRET = "AKIDnewnewnewnewnewnew00000000001", "canary-new-secret-000000000000001"


@pytest.fixture
def cos() -> Iterator[RunningEmulator]:
    base = emulator_settings()
    pairs = ((SERVER_KEY.secret_id, SERVER_KEY.secret_key), (NEW_ID, NEW_SECRET))
    account = replace(base.accounts[0], credentials=tuple(Credential(*pair) for pair in pairs))
    with in_background(running_emulator(replace(base, accounts=(account, *base.accounts[1:])))) as emulator:
        yield emulator


@pytest.fixture
def configured(folder: Path, cos: RunningEmulator, run: Run) -> Path:
    """A configuration in front of the COS, with the credential `main` in its store."""
    configuration = folder / "gateway.yaml"
    configuration.write_text(
        f"upstream: {{endpoint: {cos.url}}}\n"
        "store: {path: var/gateway.db}\n"
        "master_key: {file: master.key}\n"
        "audit: {path: var/audit.jsonl, durability: process}\n"
        f"buckets: [{{name: {EXAMPLE.name}, region: {EXAMPLE.region}}}]\n"
    )
    added = run("credentials", "add", "main", "--secret-id", SERVER_KEY.secret_id, "--account", ACCOUNT,
                stdin=SERVER_KEY.secret_key + "\n")  # fmt: skip
    assert added.returncode == 0, added
    return configuration


def rotate(run: Run, *arguments: str, secret: str = NEW_SECRET) -> tuple[int, str, str]:
    done = run("credentials", "rotate", "main", "--secret-id", NEW_ID, *arguments, stdin=secret + "\n")
    assert secret not in done.stdout + done.stderr
    return done.returncode, done.stdout, done.stderr


def states(run: Run) -> list[tuple[int, str]]:
    return [(item["version"], item["state"]) for item in json.loads(run("credentials", "list", "--json").stdout)]


def test_a_rotation_says_each_of_its_steps(run: Run, configured: Path, cos: RunningEmulator) -> None:
    code, output, _ = rotate(run, "--drain-seconds", "0")
    assert code == 0
    assert output.splitlines() == [
        f"probe of bucket {EXAMPLE.name}: works",
        "main version 2 is in use.",
        "Waiting 0 s until no gateway can sign with version 1.",
        "A running gateway then removes it, even if this is interrupted.",
        "main version 1 is removed; its key can be deleted in the cloud console.",
    ]
    assert states(run) == [(2, "active")]
    assert cos.emulator.log.entries[-1].access_key_id == NEW_ID


def test_a_rotation_can_be_rehearsed(run: Run, configured: Path, cos: RunningEmulator) -> None:
    code, output, _ = rotate(run, "--dry-run")
    assert code == 0
    assert f"probe of bucket {EXAMPLE.name}: works" in output
    assert "version 1 state: active -> retired" in output
    assert "version 1 remove_at: - -> 20" in output
    assert "version 2 state: - -> active" in output
    assert states(run) == [(1, "active")]
    assert cos.emulator.log.entries[-1].access_key_id == NEW_ID
    assert rotate(run, "--dry-run", secret="canary-mistyped")[0] == 1
    staged = run("credentials", "stage", "main", "--secret-id", NEW_ID, stdin="canary-mistyped\n")
    assert staged.returncode == 0
    rehearsed = run("credentials", "activate", "main", "2", "--dry-run")
    assert "version 2 state: staged -> active" in rehearsed.stdout
    assert states(run) == [(1, "active"), (2, "staged")]
    configured.write_text(configured.read_text() + "environment: production\n")
    assert run("credentials", "activate", "main", "2", "--dry-run").returncode == 1


def test_the_old_version_can_be_kept(run: Run, configured: Path) -> None:
    code, output, _ = rotate(run, "--keep-old")
    assert code == 0
    assert "main version 1 is kept" in output
    assert states(run) == [(1, "retired"), (2, "active")]


def test_a_pair_that_cos_refuses_is_not_used(run: Run, configured: Path) -> None:
    code, output, errors = rotate(run, secret="canary-mistyped")
    assert (code, output) == (1, "")
    assert "error: COS does not accept version 2 of 'main': SignatureDoesNotMatch" in errors
    assert states(run) == [(1, "active")]


def test_switching_untried_is_for_development_only(run: Run, configured: Path) -> None:
    assert rotate(run, "--no-probe", "--keep-old", secret="canary-mistyped")[0] == 0
    code, _, errors = rotate(run, "--no-probe", "--keep-old")
    assert code == 0
    configured.write_text(configured.read_text() + "environment: production\n")
    before = states(run)
    code, _, errors = rotate(run, "--no-probe")
    assert code == 1
    assert "--no-probe is refused in production" in errors
    assert states(run) == before


def test_in_production_a_staged_version_is_tried_before_it_is_used(run: Run, configured: Path) -> None:
    configured.write_text(configured.read_text() + "environment: production\n")
    for secret in ("canary-mistyped", NEW_SECRET):
        run("credentials", "stage", "main", "--secret-id", NEW_ID, stdin=f"{secret}\n")
    refused = run("credentials", "activate", "main", "2")
    assert refused.returncode == 1
    assert "COS does not accept version 2" in refused.stderr
    assert run("credentials", "activate", "main", "3").returncode == 0
    assert states(run) == [(1, "retired"), (2, "staged"), (3, "active")]


def test_the_embedded_cos_cannot_be_probed_from_outside(run: Run, folder: Path) -> None:
    code, _, errors = rotate(run)
    assert code == 1
    assert "the embedded COS is inside the gateway" in errors


def test_a_credential_that_is_not_there_is_named(run: Run, configured: Path) -> None:
    done = run("credentials", "rotate", "other", "--secret-id", NEW_ID, stdin="canary\n")
    assert (done.returncode, done.stderr) == (1, "error: There is no credential 'other'.\n")


def test_every_step_is_in_the_audit_log(run: Run, configured: Path, folder: Path) -> None:
    rotate(run, "--drain-seconds", "0")
    lines = [json.loads(line) for line in (folder / "var/audit.jsonl").read_text().rpartition("\n")[0].splitlines()]
    actions = [line["action"] for line in lines if line["type"] == "admin"]
    assert actions == ["credentials.add", "credentials.stage", "credentials.activate", "credentials.remove"]
    assert "canary" not in (folder / "var/audit.jsonl").read_text()


def test_rewrapping_shows_its_progress(run: Run, configured: Path, folder: Path) -> None:
    old = (folder / "master.key").read_text()
    (folder / "master.key").write_text("nB2rY8mVtQ0aZ4cXs7Lk1Wf6Hj3Gd9EpTuKoRi5MbSw=\n" + old)
    done = run("credentials", "rewrap")
    assert done.returncode == 0
    assert done.stdout == "0 access keys and 1 credentials were wrapped anew.\n"
    assert "credentials: 1 of 1" in done.stderr
    (folder / "master.key").write_text("nB2rY8mVtQ0aZ4cXs7Lk1Wf6Hj3Gd9EpTuKoRi5MbSw=\n")
    assert run("credentials", "rewrap").returncode == 0


def test_with_the_wrong_master_key_nothing_opens_and_nothing_changes(run: Run, configured: Path, folder: Path) -> None:
    (folder / "master.key").write_text("nB2rY8mVtQ0aZ4cXs7Lk1Wf6Hj3Gd9EpTuKoRi5MbSw=\n")
    code, _, errors = rotate(run)
    assert code == 1
    assert "was sealed by master key" in errors
    assert states(run) == [(1, "active")]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("assignments: [{credential: gone}]", "assignments[0].credential: found 'gone'"),
        ("cross_account: [{credential: gone}]", "cross_account[0].credential: found 'gone'"),
        ("discovery: {credentials: [main, gone]}", "discovery.credentials[1]: found 'gone'"),
        (
            "credentials: [{name: r, account: 1, assume_role: {credential: gone, role_arn: x}}]",
            "credentials[0]: found 'gone'",
        ),
        (
            f"credentials: [{{name: second, account: {ACCOUNT}, metadata: {{}}}}]",
            f"buckets[0]: Expected one active credential for account '{ACCOUNT}', got ['main', 'second']",
        ),
    ],
    ids=["assignment", "reach", "discovery", "base", "two of one account"],
)
def test_check_finds_a_name_that_leads_nowhere(run: Run, configured: Path, more: str, said: str) -> None:
    configured.write_text(f"{configured.read_text()}policies: {{paths: [policies.yaml]}}\n{more}\n")
    done = run("check")
    assert said in done.stderr
    assert done.returncode == 2
