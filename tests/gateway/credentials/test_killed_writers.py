"""SIGKILL in the middle of `keys create` and of a rotation: the store is old or new, never half."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from gateway.credentials.access_keys import access_key_context
from gateway.credentials.master_key import generate_master_key_file
from gateway.credentials.upstream_credentials import HeldCredentials, upstream_credential_context
from gateway.credentials.vault import Vault
from gateway.secret import Secret
from gateway.stores.access_keys import AccessKeyTable
from gateway.stores.database import Database
from gateway.stores.upstream_credentials import CredentialState, UpstreamCredentialTable

ROOT = Path(__file__).parents[3]
PROGRAM = Path(__file__).with_name("killed_writer.py")


@pytest.mark.parametrize("kills", [25, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(600)])])
async def test_after_every_kill_the_store_opens_and_holds_whole_changes(tmp_path: Path, kills: int) -> None:
    vault = Vault([generate_master_key_file(tmp_path / "master.key")])
    async with await Database.open(tmp_path / "store.db") as database:
        await HeldCredentials(database, vault).add(
            name="main", account="1250000000", secret_id="AKIDfirst", secret_key=Secret("first-secret")
        )
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAM), str(tmp_path), str(kills), cwd=ROOT, env={"PYTHONPATH": str(ROOT), "PATH": ""},
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()

    committed = [json.loads(line) for line in (tmp_path / "committed").read_bytes().splitlines(keepends=False)]
    audited = [json.loads(line) for line in _whole_lines(tmp_path / "audit.jsonl")]
    async with await Database.open(tmp_path / "store.db") as database:
        keys = {record.id: record for record in await AccessKeyTable(database).list()}
        versions = await UpstreamCredentialTable(database).versions("main")
        async with database.read() as connection:
            check = (await connection.fetch("PRAGMA integrity_check"))[0][0]
    assert check == "ok"
    # What was said to be done is done.
    issued = {entry["key"] for entry in committed if "key" in entry}
    assert issued
    assert issued <= keys.keys()
    assert max(entry["version"] for entry in committed if "version" in entry) <= max(
        record.version for record in versions
    )
    # Nothing is half done: every key and version opens, one version is in use, each has its line in the audit log.
    for key in keys.values():
        assert len(vault.open(key.secret_sealed, access_key_context(key)).reveal()) == 40
    for version in versions:
        assert vault.open(version.secret_sealed, upstream_credential_context(version)).reveal()
    assert [version.state for version in versions].count(CredentialState.ACTIVE) == 1
    assert keys.keys() <= {event["target"] for event in audited if event["type"] == "admin"}


def _whole_lines(path: Path) -> list[bytes]:
    """The lines of a log; a line that was cut off by a kill is followed by another or is the last."""
    lines = []
    for line in path.read_bytes().split(b"\n"):
        try:
            json.loads(line)
        except ValueError:
            continue
        lines.append(line)
    return lines
