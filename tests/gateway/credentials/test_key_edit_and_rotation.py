"""Editing and rotating issued keys: what is named changes, and the old key outlives its successor's birth."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.credentials.access_keys import MAX_OVERLAP, IssuedKeys, KeyEdit, access_key_context
from gateway.credentials.vault import Vault
from gateway.ports import KeyState
from gateway.stores.database import Database
from gateway.stores.errors import InvalidRecord, RecordConflict, RecordNotFound

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.fixture
def keys(database: Database, vault: Vault) -> IssuedKeys:
    return IssuedKeys(database, vault, clock=lambda: NOW)


async def test_an_edit_leaves_the_secret_and_all_it_does_not_name(keys: IssuedKeys, vault: Vault) -> None:
    issued = await keys.create(principal="team:media", label="a", networks=["10.0.0.0/8"], expires_at=NOW + MAX_OVERLAP)
    edited = await keys.edit(issued.record.id, KeyEdit(label="b", labels={"env": "prod"}))
    assert (edited.label, edited.labels) == ("b", {"env": "prod"})
    assert (edited.networks, edited.expires_at) == (issued.record.networks, issued.record.expires_at)
    assert await keys.show(issued.record.id) == edited
    assert vault.open(edited.secret_sealed, access_key_context(edited)).reveal() == issued.secret.reveal()


async def test_an_expiry_is_kept_unless_it_is_named_and_none_means_never(keys: IssuedKeys) -> None:
    issued = await keys.create(principal="team:media", expires_at=NOW + timedelta(days=1))
    assert (await keys.edit(issued.record.id, KeyEdit(label="x"))).expires_at == NOW + timedelta(days=1)
    assert (await keys.edit(issued.record.id, KeyEdit(expires_at=None))).expires_at is None


@pytest.mark.parametrize(
    "edit",
    [
        KeyEdit(label="l" * 129),
        KeyEdit(labels={"": "x"}),
        KeyEdit(networks=("10.0.0.1/8",)),
        KeyEdit(networks=("10.0.0.0/8",) * 65),
        KeyEdit(expires_at=NOW),
        KeyEdit(expires_at=datetime(2027, 1, 1)),  # noqa: DTZ001
        KeyEdit(state=KeyState.DISABLED, label="two\nlines"),
    ],
)
async def test_a_refused_edit_changes_nothing(keys: IssuedKeys, edit: KeyEdit) -> None:
    issued = await keys.create(principal="team:media")
    with pytest.raises(InvalidRecord):
        await keys.edit(issued.record.id, edit)
    assert await keys.show(issued.record.id) == issued.record


async def test_an_unknown_key_is_neither_edited_nor_rotated(keys: IssuedKeys) -> None:
    with pytest.raises(RecordNotFound):
        await keys.edit("GWAKNONE", KeyEdit(label="x"))
    with pytest.raises(RecordNotFound):
        await keys.rotate("GWAKNONE", overlap=timedelta(0))


@pytest.mark.parametrize("overlap", [timedelta(0), timedelta(seconds=1), MAX_OVERLAP])
async def test_a_rotated_key_ends_with_the_overlap(keys: IssuedKeys, overlap: timedelta) -> None:
    first = await keys.create(principal="team:media", label="a", labels={"x": "y"}, networks=["10.0.0.0/8"])
    second, old = await keys.rotate(first.record.id, overlap=overlap)
    assert old.expires_at == NOW + overlap
    assert await keys.show(first.record.id) == old
    for name in ("principal", "label", "labels", "networks", "state"):
        assert getattr(second.record, name) == getattr(first.record, name), name
    assert second.record.id != first.record.id
    assert second.secret.reveal() != first.secret.reveal()
    assert second.record.expires_at is None


@pytest.mark.parametrize("overlap", [timedelta(seconds=-1), MAX_OVERLAP + timedelta(seconds=1)])
async def test_an_overlap_has_its_bounds(keys: IssuedKeys, overlap: timedelta) -> None:
    issued = await keys.create(principal="team:media")
    with pytest.raises(InvalidRecord, match="overlap"):
        await keys.rotate(issued.record.id, overlap=overlap)
    assert len(await keys.list()) == 1


async def test_a_key_that_is_not_in_use_is_not_rotated(keys: IssuedKeys) -> None:
    disabled, expired = [(await keys.create(principal="team:media")).record.id for _ in range(2)]
    await keys.disable(disabled)
    await keys.rotate(expired, overlap=timedelta(0))
    for key_id in (disabled, expired):
        with pytest.raises(RecordConflict, match=key_id):
            await keys.rotate(key_id, overlap=timedelta(hours=1))


@pytest.mark.parametrize("hours", [1, 14])
async def test_an_expiry_in_another_zone_is_the_same_moment(keys: IssuedKeys, hours: int) -> None:
    there = (NOW + timedelta(days=1)).astimezone(tz=None)
    issued = await keys.create(principal="team:media", expires_at=there + timedelta(hours=hours))
    assert await keys.show(issued.record.id) == issued.record
    assert issued.record.expires_at == NOW + timedelta(days=1, hours=hours)
