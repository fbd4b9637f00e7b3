"""The end of a rotation: the version that was replaced goes when it has drained, whoever is still there to see it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from emulator.server import running as running_emulator
from emulator.settings import Credential
from gateway.app import running as running_gateway
from gateway.credentials.administration import Administration
from gateway.credentials.changes import Author, Terms
from gateway.credentials.credential_administration import CredentialSecret
from gateway.credentials.drain import Drain
from gateway.credentials.vault import Vault
from gateway.credentials.watch import StoreWatch
from gateway.ports import AuditUnavailable
from gateway.secret import Secret
from gateway.stores.database import Database
from tests.support.client_process import ROOT, clean_environment
from tests.support.fakes import RecordingAudit
from tests.support.gateway_program import COS_GATEWAY
from tests.support.gateway_server import gateway_settings
from tests.support.names import ACCOUNT, EXAMPLE, SERVER_KEY
from tests.support.servers import emulator_settings, in_background

TERMS = Terms(Author("tests"))
OLD = CredentialSecret(SERVER_KEY.secret_id, Secret(SERVER_KEY.secret_key))
NEW = CredentialSecret("AKIDnewnewnewnewnewnew00000000001", Secret("canary-new-secret-000000000000001"))
DUE = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)


async def replaced(database: Database, vault: Vault, audit: RecordingAudit, remove_at: datetime | None) -> Drain:
    """A store whose credential was switched from version 1 to 2, and what looks after it."""
    administration = Administration(database, vault, audit)
    await administration.credentials.add("main", ACCOUNT, OLD, TERMS)
    await administration.credentials.stage("main", NEW, TERMS)
    await administration.credentials.activate("main", 2, TERMS, remove_previous_at=remove_at)
    return await drain_of(database, vault, audit, DUE)


async def drain_of(database: Database, vault: Vault, audit: RecordingAudit, now: datetime) -> Drain:
    watch = StoreWatch(database)
    await watch.refresh()
    credentials = Administration(database, vault, audit, applied=watch.refresh_soon).credentials
    return Drain(watch, credentials, clock=lambda: now)


async def versions(database: Database, vault: Vault) -> list[tuple[int, str]]:
    view = await Administration(database, vault, RecordingAudit()).credentials.show("main")
    return [(item.version, item.state) for item in view.versions]


@pytest.mark.parametrize(
    ("remove_at", "left"),
    [
        pytest.param(DUE - timedelta(seconds=1), [(2, "active")], id="a second ago"),
        pytest.param(DUE, [(2, "active")], id="now"),
        pytest.param(DUE + timedelta(seconds=1), [(1, "retired"), (2, "active")], id="in a second"),
        pytest.param(None, [(1, "retired"), (2, "active")], id="kept"),
    ],
)
async def test_a_replaced_version_goes_when_it_is_due_and_not_before(
    database: Database, vault: Vault, remove_at: datetime | None, left: list[tuple[int, str]]
) -> None:
    drain = await replaced(database, vault, RecordingAudit(), remove_at)
    await drain.sweep()
    await drain.sweep()
    assert await versions(database, vault) == left


async def test_its_end_is_recorded_with_before_and_after(database: Database, vault: Vault) -> None:
    audit = RecordingAudit()
    await (await replaced(database, vault, audit, DUE)).sweep()
    event = audit.events[-1]
    assert (event["action"], event["actor"], event["target"]) == ("credentials.drained", "gateway", "main")
    assert [item["version"] for item in event["before"]["versions"]] == [1, 2]
    assert [item["version"] for item in event["after"]["versions"]] == [2]


async def test_without_its_line_in_the_audit_log_nothing_is_removed(database: Database, vault: Vault) -> None:
    audit = RecordingAudit()
    drain = await replaced(database, vault, audit, DUE)
    audit.broken = True
    with pytest.raises(AuditUnavailable):
        await drain.sweep()
    assert await versions(database, vault) == [(1, "retired"), (2, "active")]
    audit.broken = False
    await drain.sweep()
    assert await versions(database, vault) == [(2, "active")]


async def test_a_version_somebody_went_back_to_stays_and_the_other_is_kept(database: Database, vault: Vault) -> None:
    drain = await replaced(database, vault, RecordingAudit(), DUE)
    # The drain has not seen it yet.
    await Administration(database, vault, RecordingAudit()).credentials.activate("main", 1, TERMS)
    await drain.sweep()
    assert await versions(database, vault) == [(1, "active"), (2, "retired")]
    await (await drain_of(database, vault, RecordingAudit(), DUE + timedelta(days=365))).sweep()
    assert await versions(database, vault) == [(1, "active"), (2, "retired")]


async def test_the_only_way_back_is_kept(database: Database, vault: Vault) -> None:
    drain = await replaced(database, vault, RecordingAudit(), DUE)
    await Administration(database, vault, RecordingAudit()).credentials.remove("main", 2, TERMS)
    await drain.sweep()
    await (await drain_of(database, vault, RecordingAudit(), DUE)).sweep()
    assert await versions(database, vault) == [(1, "retired")]


async def test_of_several_gateways_one_removes_it(database: Database, vault: Vault) -> None:
    audits = [RecordingAudit() for _ in range(4)]
    first = await replaced(database, vault, audits[0], DUE)
    others = [await drain_of(database, vault, audit, DUE) for audit in audits[1:]]
    await asyncio.gather(first.sweep(), *(drain.sweep() for drain in others))
    assert await versions(database, vault) == [(2, "active")]
    drained = [event for audit in audits for event in audit.events if event.get("action") == "credentials.drained"]
    assert len(drained) == 1


def test_a_rotation_that_is_killed_while_it_waits_is_ended_by_the_next_gateway(tmp_path: Path) -> None:
    base = emulator_settings()
    pairs = tuple(Credential(pair.secret_id, pair.secret_key.reveal()) for pair in (OLD, NEW))
    account = replace(base.accounts[0], credentials=pairs)
    with in_background(running_emulator(replace(base, accounts=(account, *base.accounts[1:])))) as cos:
        settings = gateway_settings(cos.url, tmp_path).model_copy(update={"credentials": ()})
        assert settings.master_key.value is not None
        configuration = tmp_path / "command.yaml"
        configuration.write_text(
            f"upstream: {{endpoint: {cos.url}}}\nstore: {{path: {settings.store.path}}}\n"
            f"audit: {{path: {settings.audit.path}}}\nbuckets: [{{name: {EXAMPLE.name}, region: {EXAMPLE.region}}}]\n"
        )
        environment = clean_environment(
            COSGW_MASTER_KEY=settings.master_key.value.reveal(), COSGW_CONFIG=str(configuration), PYTHONUNBUFFERED="1"
        )

        def command(*words: str) -> subprocess.Popen[str]:
            return subprocess.Popen(
                [*COS_GATEWAY, "credentials", *words], cwd=ROOT, env=environment, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip

        added = command("add", "main", "--secret-id", OLD.secret_id, "--account", ACCOUNT)
        assert "in use" in added.communicate(OLD.secret_key.reveal() + "\n", timeout=30)[0]
        rotating = command("rotate", "main", "--secret-id", NEW.secret_id, "--drain-seconds", "3")
        assert rotating.stdin is not None
        assert rotating.stdout is not None
        rotating.stdin.write(NEW.secret_key.reveal() + "\n")
        rotating.stdin.close()
        said = []
        for line in rotating.stdout:
            said.append(line)
            if line.startswith("Waiting"):
                os.kill(rotating.pid, signal.SIGKILL)
                break
        rotating.stdout.close()
        assert rotating.wait(30) == -signal.SIGKILL, said
        with in_background(running_gateway(settings)) as gateway:
            credentials = gateway.services.watch
            until = time.monotonic() + 30
            while len(credentials.contents.upstream_credentials) > 1 and time.monotonic() < until:
                time.sleep(0.1)
            (left,) = credentials.contents.upstream_credentials
            assert (left.version, left.state) == (2, "active")
            assert gateway.services.credentials.open_named("main").secret_id == NEW.secret_id
