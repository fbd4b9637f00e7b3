"""The contract of the upstream credential table."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.stores.contents import read_contents
from gateway.stores.database import Database
from gateway.stores.errors import RecordExists, RecordNotFound
from gateway.stores.upstream_credentials import CredentialState, UpstreamCredentialRecord, UpstreamCredentialTable

FIRST = UpstreamCredentialRecord(
    name="main",
    version=1,
    account="1250000000",
    secret_id="AKIDexample",
    secret_sealed=b"\x00one",
    state=CredentialState.ACTIVE,
    created_at=datetime(2026, 7, 1, tzinfo=UTC),
)
SECOND = replace(FIRST, version=2, secret_id="AKIDsecond", secret_sealed=b"two", state=CredentialState.STAGED)
OTHER = replace(FIRST, name="other", account="1250000001")


@pytest.fixture
def credentials(database: Database) -> UpstreamCredentialTable:
    return UpstreamCredentialTable(database)


async def test_versions_come_back_equal_and_in_order(credentials: UpstreamCredentialTable) -> None:
    for record in (OTHER, SECOND, FIRST):
        await credentials.insert(record)
    assert await credentials.versions("main") == [FIRST, SECOND]
    assert await credentials.list() == [FIRST, SECOND, OTHER]


async def test_a_version_is_taken_once(credentials: UpstreamCredentialTable) -> None:
    await credentials.insert(FIRST)
    with pytest.raises(RecordExists, match="'main' version 1"):
        await credentials.insert(replace(FIRST, state=CredentialState.RETIRED))


async def test_two_versions_are_never_active_at_once(credentials: UpstreamCredentialTable) -> None:
    await credentials.insert(FIRST)
    with pytest.raises(RecordExists):
        await credentials.insert(replace(SECOND, state=CredentialState.ACTIVE))
    assert await credentials.versions("main") == [FIRST]


async def test_activating_retires_the_one_before_and_no_other_name(credentials: UpstreamCredentialTable) -> None:
    for record in (FIRST, SECOND, OTHER):
        await credentials.insert(record)
    await credentials.activate("main", 2)
    assert await credentials.list() == [
        replace(FIRST, state=CredentialState.RETIRED),
        replace(SECOND, state=CredentialState.ACTIVE),
        OTHER,
    ]
    await credentials.activate("main", 1)
    states = [record.state for record in await credentials.versions("main")]
    assert states == [CredentialState.ACTIVE, CredentialState.RETIRED]


async def test_activating_the_active_version_keeps_it(credentials: UpstreamCredentialTable) -> None:
    await credentials.insert(FIRST)
    await credentials.activate("main", 1)
    assert await credentials.versions("main") == [FIRST]


async def test_activating_an_unknown_version_keeps_the_active_one(credentials: UpstreamCredentialTable) -> None:
    await credentials.insert(FIRST)
    with pytest.raises(RecordNotFound, match="version 7"):
        await credentials.activate("main", 7)
    assert await credentials.versions("main") == [FIRST]


async def test_concurrent_switches_end_with_exactly_one_active(credentials: UpstreamCredentialTable) -> None:
    await credentials.insert(FIRST)
    for version in range(2, 6):
        await credentials.insert(replace(SECOND, version=version))
    await asyncio.gather(*(credentials.activate("main", version) for version in (2, 3, 4, 5, 2, 3)))
    states = [record.state for record in await credentials.versions("main")]
    assert states.count(CredentialState.ACTIVE) == 1


async def test_one_version_or_all_are_removed(credentials: UpstreamCredentialTable) -> None:
    for record in (FIRST, SECOND, OTHER):
        await credentials.insert(record)
    await credentials.delete("main", 2)
    assert await credentials.list() == [FIRST, OTHER]
    await credentials.delete("main")
    assert await credentials.list() == [OTHER]
    with pytest.raises(RecordNotFound):
        await credentials.delete("main")
    with pytest.raises(RecordNotFound):
        await credentials.versions("main")


async def test_a_sealed_secret_is_exchanged_only_if_it_did_not_change(credentials: UpstreamCredentialTable) -> None:
    await credentials.insert(FIRST)
    assert await credentials.replace_sealed(FIRST, b"newer")
    assert not await credentials.replace_sealed(FIRST, b"stale")
    assert (await credentials.versions("main"))[0].secret_sealed == b"newer"


async def test_contents_hold_every_version(database: Database, credentials: UpstreamCredentialTable) -> None:
    await credentials.insert(FIRST)
    await credentials.insert(SECOND)
    assert (await read_contents(database)).upstream_credentials == (FIRST, SECOND)


def test_neither_the_secret_id_nor_the_sealed_secret_is_in_the_repr() -> None:
    assert "AKIDexample" not in repr(FIRST)
    assert "x00" not in repr(FIRST)
