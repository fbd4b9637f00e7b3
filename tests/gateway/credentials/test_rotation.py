"""Replacing a COS credential: tried before it is used, switched once, and never half."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cos.values import parse_bucket, parse_region
from emulator.faults import Delay, FaultRule
from emulator.server import RunningEmulator, running
from emulator.settings import Account, Credential
from gateway.cli.rotate import DEFAULT_DRAIN_SECONDS
from gateway.credentials.administration import Administration
from gateway.credentials.changes import Author, Terms
from gateway.credentials.credential_administration import CredentialSecret
from gateway.credentials.probe import Finding, Verdict
from gateway.credentials.rotation import DRAIN_SECONDS, ProbeRefused, Rotation
from gateway.credentials.vault import Vault
from gateway.ports import BucketRecord
from gateway.secret import Secret
from gateway.stores.database import Database
from gateway.stores.errors import RecordConflict, RecordNotFound
from gateway.upstreams.http import HttpUpstream
from gateway.upstreams.settings import UpstreamSettings
from tests.support.fakes import RecordingAudit
from tests.support.names import ACCOUNT, EXAMPLE, OTHER_ACCOUNT, OTHER_SERVER_KEY, SERVER_KEY
from tests.support.servers import emulator_settings

TERMS = Terms(Author("tests"))
NEXT = CredentialSecret("AKIDnextnextnextnext0000000000001", Secret("canary-next-secret-0000000000001"))
WRONG = CredentialSecret("AKIDnextnextnextnext0000000000001", Secret("canary-mistyped-secret-000000001"))
FOREIGN = CredentialSecret(OTHER_SERVER_KEY.secret_id, Secret(OTHER_SERVER_KEY.secret_key))
BUCKET = BucketRecord(parse_bucket(EXAMPLE.name), parse_region(EXAMPLE.region), ACCOUNT)


@pytest.fixture
async def emulator() -> AsyncIterator[RunningEmulator]:
    pairs = [(SERVER_KEY.secret_id, SERVER_KEY.secret_key), (NEXT.secret_id, NEXT.secret_key.reveal())]
    account = Account(ACCOUNT, "100000000001", tuple(Credential(*pair) for pair in pairs))
    other = Account(
        OTHER_ACCOUNT, "100000000002", (Credential(OTHER_SERVER_KEY.secret_id, OTHER_SERVER_KEY.secret_key),)
    )
    async with running(replace(emulator_settings(), accounts=(account, other))) as emulator:
        yield emulator


@pytest.fixture
async def administration(database: Database, vault: Vault) -> Administration:
    administration = Administration(database, vault, RecordingAudit())
    pair = CredentialSecret(SERVER_KEY.secret_id, Secret(SERVER_KEY.secret_key))
    await administration.credentials.add("main", ACCOUNT, pair, TERMS)
    return administration


@asynccontextmanager
async def rotation_at(
    endpoint: str, database: Database, vault: Vault, administration: Administration, *buckets: BucketRecord, **more: Any
) -> AsyncIterator[Rotation]:
    upstream = HttpUpstream(UpstreamSettings(endpoint=endpoint))
    try:
        yield Rotation(
            database, vault, administration.credentials, upstream, buckets_of=lambda _: list(buckets), **more
        )
    finally:
        await upstream.aclose()


@pytest.fixture
async def rotation(
    emulator: RunningEmulator, database: Database, vault: Vault, administration: Administration
) -> AsyncIterator[Rotation]:
    async with rotation_at(emulator.url, database, vault, administration, BUCKET) as rotation:
        yield rotation


async def states(administration: Administration) -> list[tuple[int, str]]:
    view = await administration.credentials.show("main")
    return [(version.version, version.state) for version in view.versions]


async def test_a_pair_that_works_takes_the_place_of_the_present_one(
    rotation: Rotation, administration: Administration
) -> None:
    rotated = await rotation.rotate("main", NEXT, TERMS)
    assert (rotated.version, rotated.previous) == (2, 1)
    assert rotated.findings == (Finding(EXAMPLE.name, Verdict.WORKS),)
    assert await states(administration) == [(1, "retired"), (2, "active")]
    await rotation.finish("main", 1, TERMS)
    assert await states(administration) == [(2, "active")]


async def test_the_probe_asks_before_the_switch_and_with_the_new_pair(
    rotation: Rotation, emulator: RunningEmulator
) -> None:
    await rotation.rotate("main", NEXT, TERMS)
    (asked,) = emulator.emulator.log.entries
    assert (asked.operation, asked.bucket, asked.access_key_id) == ("GetBucket", EXAMPLE.name, NEXT.secret_id)


async def test_without_a_bucket_the_account_is_listed(
    emulator: RunningEmulator, database: Database, vault: Vault, administration: Administration
) -> None:
    async with rotation_at(emulator.url, database, vault, administration) as rotation:
        rotated = await rotation.rotate("main", NEXT, TERMS)
    assert rotated.findings == (Finding(None, Verdict.WORKS),)
    assert [entry.operation for entry in emulator.emulator.log.entries] == ["GetService"]


@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        (WRONG, "does not accept version 2 of 'main': SignatureDoesNotMatch"),
        (CredentialSecret("AKIDnobody000000000", Secret("s" * 32)), "InvalidAccessKeyId"),
        (FOREIGN, "may do less than the present one"),
    ],
    ids=["mistyped secret", "unknown id", "another account's"],
)
async def test_a_pair_that_does_not_do_what_the_present_one_does_is_never_used(
    rotation: Rotation, administration: Administration, pair: CredentialSecret, reason: str
) -> None:
    with pytest.raises(ProbeRefused, match=reason) as refusal:
        await rotation.rotate("main", pair, TERMS)
    assert pair.secret_key.reveal() not in str(refusal.value)
    assert await states(administration) == [(1, "active")]


async def test_a_clock_that_is_an_hour_off_is_found_by_the_probe(
    emulator: RunningEmulator, database: Database, vault: Vault, administration: Administration
) -> None:
    for wrong_by in (3600, -3600):
        now = time.time() + wrong_by
        async with rotation_at(
            emulator.url, database, vault, administration, BUCKET, now=lambda now=now: now
        ) as rotation:
            with pytest.raises(ProbeRefused, match=r"RequestTimeTooSkewed|Request has expired"):
                await rotation.rotate("main", NEXT, TERMS)
    assert await states(administration) == [(1, "active")]


async def test_without_an_answer_nothing_is_switched(
    database: Database, vault: Vault, administration: Administration
) -> None:
    async with rotation_at("http://127.0.0.1:9", database, vault, administration, BUCKET) as rotation:
        with pytest.raises(ProbeRefused, match="could not be probed"):
            await rotation.rotate("main", NEXT, TERMS)
    assert await states(administration) == [(1, "active")]


async def test_a_pair_that_is_no_worse_than_one_that_may_not_list_is_used(
    emulator: RunningEmulator, database: Database, vault: Vault, administration: Administration
) -> None:
    absent = BucketRecord(parse_bucket(f"absent-{ACCOUNT}"), parse_region(EXAMPLE.region), ACCOUNT)
    async with rotation_at(emulator.url, database, vault, administration, absent) as rotation:
        rotated = await rotation.rotate("main", NEXT, TERMS)
    assert [finding.verdict for finding in rotated.findings] == [Verdict.DENIED]
    assert "NoSuchBucket" in str(rotated.findings[0])


async def test_a_dry_run_probes_and_changes_nothing(
    rotation: Rotation, administration: Administration, emulator: RunningEmulator
) -> None:
    rotated = await rotation.rotate("main", NEXT, replace(TERMS, dry_run=True))
    assert [finding.verdict for finding in rotated.findings] == [Verdict.WORKS]
    assert emulator.emulator.log.entries[-1].access_key_id == NEXT.secret_id
    assert await states(administration) == [(1, "active")]


async def test_of_two_rotations_at_once_one_wins_and_the_other_leaves_nothing(
    emulator: RunningEmulator, tmp_path: Path, database: Database, vault: Vault, administration: Administration
) -> None:
    # Slow enough that each has staged its pair before the other switches.
    emulator.emulator.faults.add(FaultRule(Delay(0.5), operation="GetBucket"))
    # Two gateways: a connection of its own to the same file for each.
    async with await Database.open(Path(database.place)) as second:
        other = Administration(second, vault, RecordingAudit())
        async with (
            rotation_at(emulator.url, database, vault, administration, BUCKET) as first_rotation,
            rotation_at(emulator.url, second, vault, other, BUCKET) as second_rotation,
        ):
            outcomes = await asyncio.gather(
                first_rotation.rotate("main", NEXT, TERMS),
                second_rotation.rotate("main", NEXT, TERMS),
                return_exceptions=True,
            )
    refused = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert len(refused) == 1
    assert isinstance(refused[0], RecordConflict)
    present = await states(administration)
    assert [state for _, state in present] == ["retired", "active"]


async def test_a_version_somebody_went_back_to_is_not_removed(
    rotation: Rotation, administration: Administration
) -> None:
    await rotation.rotate("main", NEXT, TERMS)
    await administration.credentials.activate("main", 1, TERMS)
    with pytest.raises(RecordConflict, match="to be retired, got active"):
        await rotation.finish("main", 1, TERMS)
    assert await states(administration) == [(1, "active"), (2, "retired")]


async def test_a_stored_version_can_be_probed_by_itself(rotation: Rotation, administration: Administration) -> None:
    await administration.credentials.stage("main", WRONG, TERMS)
    with pytest.raises(ProbeRefused):
        await rotation.probe("main", 2)
    assert [finding.verdict for finding in await rotation.probe("main", 1)] == [Verdict.WORKS]
    with pytest.raises(RecordNotFound):
        await rotation.probe("main", 3)
    with pytest.raises(RecordNotFound):
        await rotation.rotate("nobody", NEXT, TERMS)


def test_the_command_waits_as_long_as_a_gateway_may_serve_from_memory() -> None:
    assert DEFAULT_DRAIN_SECONDS == DRAIN_SECONDS
