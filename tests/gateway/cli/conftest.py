"""`cos-gateway` commands in a folder with a configuration, a policy document and a master key."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.main import app

ROOT = Path(__file__).parents[3]
PROGRAM = (sys.executable, "-c", "from gateway.cli.main import main; main()")

CONFIGURATION = """\
data: {port: 0}
admin: {port: 0}
embedded: {enabled: true}
store: {path: var/gateway.db}
master_key: {file: master.key}
audit: {path: var/audit.jsonl, durability: process}
policies: {paths: [policies.yaml]}
buckets:
  - {name: raw-1250000000, region: ap-guangzhou}
  - {name: media-1250000000, region: ap-guangzhou}
  - {name: archive-1250000000, region: ap-shanghai}
credentials:
  - {name: main, account: 1250000000, secret_id: AKIDTESTTESTTESTTEST, secret_key: TestSecretKey}
"""
POLICIES = """\
version: 1
statements:
  - id: copy-in-region
    effect: allow
    principals: ["team:media"]
    actions: ["cos:UploadPartCopy"]
    source: {bucket: "*"}
    destination: {bucket: media-1250000000}
    when: {same_region: true}
tests:
  - name: from raw
    request:
      principal: team:media
      action: cos:UploadPartCopy
      source: raw-1250000000/a@ap-guangzhou
      destination: media-1250000000/b@ap-guangzhou
    expect: allow
"""

Run = Callable[..., "Done"]


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def environment(**variables: str) -> dict[str, str]:
    """What the program starts with: no COSGW_ variable of the machine, no colours, wide lines."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COSGW_")}
    return {**kept, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "COLUMNS": "200", "TERM": "dumb", **variables}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory with a valid configuration, and no store yet."""
    (tmp_path / "gateway.yaml").write_text(CONFIGURATION)
    (tmp_path / "policies.yaml").write_text(POLICIES)
    key = tmp_path / "master.key"
    key.write_text("kq9o3VfzXxJ1Zr8mB5cUe0aTgYwH2LsNdPiRb7QjWfE=\n")
    key.chmod(0o600)
    return tmp_path


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command to its end inside this process; an error that is not a line and an exit code is raised."""
    monkeypatch.chdir(folder)
    for name in [name for name in os.environ if name.startswith("COSGW_")]:
        monkeypatch.delenv(name)

    def run(*arguments: str, stdin: str = "", **variables: str) -> Done:
        result = CliRunner().invoke(
            app,
            arguments,
            input=stdin,
            env={"COSGW_CONFIG": "gateway.yaml", "NO_COLOR": "1", "COLUMNS": "200", "TERM": "dumb", **variables},
            catch_exceptions=False,
        )
        return Done(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def run_process(folder: Path) -> Run:
    """Run a command to its end as a program of its own."""

    def run_process(*arguments: str, stdin: str = "", **variables: str) -> Done:
        done = subprocess.run(
            [*PROGRAM, *arguments],
            cwd=folder,
            env=environment(COSGW_CONFIG="gateway.yaml", **variables),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return run_process
