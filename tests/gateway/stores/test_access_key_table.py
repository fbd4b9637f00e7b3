"""The contract of the access key table."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest

from gateway.ports import KeyState
from gateway.stores.access_keys import AccessKeyRecord, AccessKeyTable
from gateway.stores.contents import read_contents
from gateway.stores.database import Database
from gateway.stores.errors import RecordExists, RecordNotFound

CREATED = datetime(2026, 7, 1, 8, 30, 15, tzinfo=UTC)

FULL = AccessKeyRecord(
    id="GWAKFULL",
    version=1,
    secret_sealed=b"\x00sealed\xff",
    principal="team:media",
    label="batch é 中文",
    labels={"env": "prod", "cost": "42"},
    networks=(ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")),
    state=KeyState.ACTIVE,
    created_at=CREATED,
    expires_at=CREATED + timedelta(days=90),
)
BARE = replace(
    FULL, id="GWAKBARE", label="", labels={}, networks=(), expires_at=None, created_at=CREATED + timedelta(1)
)


@pytest.fixture
def keys(database: Database) -> AccessKeyTable:
    return AccessKeyTable(database)


@pytest.mark.parametrize("record", [FULL, BARE], ids=["every field", "no optional field"])
async def test_what_was_inserted_comes_back_equal(keys: AccessKeyTable, record: AccessKeyRecord) -> None:
    await keys.insert(record)
    assert await keys.get(record.id) == record


async def test_keys_are_listed_the_oldest_first(keys: AccessKeyTable) -> None:
    await keys.insert(BARE)
    await keys.insert(FULL)
    assert await keys.list() == [FULL, BARE]


async def test_an_id_is_taken_once(keys: AccessKeyTable) -> None:
    await keys.insert(FULL)
    with pytest.raises(RecordExists, match="GWAKFULL"):
        await keys.insert(replace(BARE, id=FULL.id))
    assert await keys.list() == [FULL]


async def test_an_id_is_matched_by_every_byte(keys: AccessKeyTable) -> None:
    await keys.insert(FULL)
    for other in ["gwakfull", "GWAKFULL ", "GWAK%", ""]:
        with pytest.raises(RecordNotFound):
            await keys.get(other)


async def test_state_changes_and_nothing_else(keys: AccessKeyTable) -> None:
    await keys.insert(FULL)
    await keys.insert(BARE)
    await keys.set_state(FULL.id, KeyState.DISABLED)
    assert await keys.list() == [replace(FULL, state=KeyState.DISABLED), BARE]
    await keys.set_state(FULL.id, KeyState.ACTIVE)
    assert await keys.get(FULL.id) == FULL


async def test_a_deleted_key_is_gone(keys: AccessKeyTable) -> None:
    await keys.insert(FULL)
    await keys.insert(BARE)
    await keys.delete(FULL.id)
    assert await keys.list() == [BARE]


async def test_changing_an_unknown_key_is_refused(keys: AccessKeyTable) -> None:
    with pytest.raises(RecordNotFound, match="GWAKNONE"):
        await keys.set_state("GWAKNONE", KeyState.DISABLED)
    with pytest.raises(RecordNotFound, match="GWAKNONE"):
        await keys.delete("GWAKNONE")
    with pytest.raises(RecordNotFound, match="GWAKNONE"):
        await keys.get("GWAKNONE")


async def test_a_sealed_secret_is_exchanged_only_if_it_did_not_change_meanwhile(keys: AccessKeyTable) -> None:
    await keys.insert(FULL)
    assert await keys.replace_sealed(FULL, b"newer")
    assert not await keys.replace_sealed(FULL, b"from a stale read")
    assert (await keys.get(FULL.id)).secret_sealed == b"newer"


async def test_every_write_raises_the_revision_and_no_read_does(database: Database, keys: AccessKeyTable) -> None:
    seen = [(await read_contents(database)).revision]
    for write in (
        keys.insert(FULL),
        keys.set_state(FULL.id, KeyState.DISABLED),
        keys.replace_sealed(FULL, b"newer"),
        keys.delete(FULL.id),
    ):
        await write
        await keys.list()
        seen.append((await read_contents(database)).revision)
    assert seen == [seen[0] + step for step in range(5)]


async def test_a_refused_write_leaves_the_revision_alone(database: Database, keys: AccessKeyTable) -> None:
    before = (await read_contents(database)).revision
    with pytest.raises(RecordNotFound):
        await keys.delete("GWAKNONE")
    assert (await read_contents(database)).revision == before


async def test_contents_are_read_again_only_when_the_revision_differs(database: Database, keys: AccessKeyTable) -> None:
    first = await read_contents(database)
    assert await read_contents(database, first) is first
    await keys.insert(FULL)
    second = await read_contents(database, first)
    assert second.access_keys == {FULL.id: FULL}


async def test_contents_are_read_again_when_a_backup_counts_from_further_back(
    database: Database, keys: AccessKeyTable
) -> None:
    await keys.insert(FULL)
    present = await read_contents(database)
    ahead = replace(present, revision=present.revision + 10, access_keys={})
    assert (await read_contents(database, ahead)).access_keys == {FULL.id: FULL}


def test_the_sealed_secret_is_not_in_the_repr() -> None:
    assert "sealed" not in repr(FULL).replace("secret_sealed", "")
