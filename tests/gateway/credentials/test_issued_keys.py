"""Issuing and withdrawing access keys."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from ipaddress import ip_network
from typing import Any

import pytest

from gateway.credentials.access_keys import IssuedKeys, access_key_context, new_access_key_id, new_secret
from gateway.credentials.envelope import UnopenableSecret
from gateway.credentials.master_key import MasterKey, new_master_key
from gateway.credentials.vault import Vault
from gateway.ports import KeyState, Sealed
from gateway.stores.access_keys import AccessKeyTable
from gateway.stores.database import Database
from gateway.stores.errors import InvalidRecord, RecordNotFound

NOW = datetime(2026, 7, 1, 12, 0, 0, 987654, tzinfo=UTC)


@pytest.fixture
def issued_keys(database: Database, vault: Vault) -> IssuedKeys:
    return IssuedKeys(database, vault, clock=lambda: NOW)


def test_ids_and_secrets_have_their_shape_and_never_repeat() -> None:
    ids = {new_access_key_id() for _ in range(500)}
    secrets = {new_secret().reveal() for _ in range(500)}
    assert len(ids) == len(secrets) == 500
    assert all(re.fullmatch(r"GWAK[A-Z2-7]{32}", text) for text in ids)
    assert all(re.fullmatch(r"[A-Za-z0-9]{40}", text) for text in secrets)


async def test_a_key_is_stored_as_issued_and_its_secret_opens(issued_keys: IssuedKeys, vault: Vault) -> None:
    issued = await issued_keys.create(
        principal="team:media",
        label="CI runner",
        labels={"env": "prod"},
        networks=["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"],
        expires_at=datetime(2026, 7, 1, 14, 30, 0, 5, tzinfo=timezone(timedelta(hours=2))),
    )
    record = await issued_keys.show(issued.record.id)
    assert record == issued.record
    assert record.networks == (ip_network("10.0.0.0/8"), ip_network("192.0.2.7/32"), ip_network("2001:db8::/32"))
    assert record.expires_at == datetime(2026, 7, 1, 12, 30, tzinfo=UTC)
    assert record.created_at == NOW.replace(microsecond=0)
    assert record.state is KeyState.ACTIVE
    assert vault.open(record.secret_sealed, access_key_context(record)).reveal() == issued.secret.reveal()


async def test_a_principal_may_hold_several_keys(issued_keys: IssuedKeys) -> None:
    first = await issued_keys.create(principal="team:media")
    second = await issued_keys.create(principal="team:media")
    assert {record.id for record in await issued_keys.list()} == {first.record.id, second.record.id}


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("principal", {"principal": ""}),
        ("principal", {"principal": " team"}),
        ("principal", {"principal": "team\n"}),
        ("principal", {"principal": "te\x1bam"}),
        ("principal", {"principal": "p" * 129}),
        ("label", {"label": "l" * 129}),
        ("label", {"label": "two\nlines"}),
        ("label", {"labels": {"": "x"}}),
        ("label", {"labels": {"env": "x" * 129}}),
        ("32 labels", {"labels": {f"l{i}": "" for i in range(33)}}),
        ("network", {"networks": ["10.0.0.1/8"]}),
        ("network", {"networks": ["10.0.0.0/33"]}),
        ("network", {"networks": ["example.com"]}),
        ("network", {"networks": [""]}),
        ("time zone", {"expires_at": datetime(2027, 1, 1)}),  # noqa: DTZ001
        ("future", {"expires_at": NOW.replace(microsecond=0)}),
        ("future", {"expires_at": NOW - timedelta(days=1)}),
    ],
)
async def test_a_field_that_cannot_be_right_is_refused_by_name(
    issued_keys: IssuedKeys, field: str, values: dict[str, Any]
) -> None:
    with pytest.raises(InvalidRecord, match=field):
        await issued_keys.create(**{"principal": "team:media", **values})
    assert await issued_keys.list() == []


@pytest.mark.parametrize(
    "values",
    [
        {"principal": "p" * 128},
        {"label": "l" * 128},
        {"labels": {f"l{i}": "" for i in range(32)}},
        {"expires_at": NOW + timedelta(seconds=1)},
        {"networks": ["0.0.0.0/0", "::/0"]},
    ],
    ids=["principal", "label", "labels", "expiry", "networks"],
)
async def test_the_widest_lawful_fields_are_taken(issued_keys: IssuedKeys, values: dict[str, Any]) -> None:
    issued = await issued_keys.create(**{"principal": "team:media", **values})
    assert await issued_keys.show(issued.record.id) == issued.record


async def test_states_change_and_deletion_is_final(issued_keys: IssuedKeys) -> None:
    key_id = (await issued_keys.create(principal="team:media")).record.id
    await issued_keys.disable(key_id)
    assert (await issued_keys.show(key_id)).state is KeyState.DISABLED
    await issued_keys.enable(key_id)
    assert (await issued_keys.show(key_id)).state is KeyState.ACTIVE
    await issued_keys.delete(key_id)
    for act in (issued_keys.show, issued_keys.disable, issued_keys.enable, issued_keys.delete):
        with pytest.raises(RecordNotFound, match=key_id):
            await act(key_id)


async def test_a_sealed_vault_issues_nothing_but_can_withdraw(
    database: Database, issued_keys: IssuedKeys, vault: Vault
) -> None:
    key_id = (await issued_keys.create(principal="team:media")).record.id
    vault.load([])
    with pytest.raises(Sealed):
        await issued_keys.create(principal="team:media")
    with pytest.raises(Sealed):
        await issued_keys.rewrap()
    await issued_keys.disable(key_id)
    assert [record.state for record in await issued_keys.list()] == [KeyState.DISABLED]


async def test_rewrapping_moves_every_key_once(issued_keys: IssuedKeys, vault: Vault, master_key: MasterKey) -> None:
    issued = [await issued_keys.create(principal="team:media") for _ in range(3)]
    current = new_master_key()
    vault.load([current, master_key])
    assert await issued_keys.rewrap() == 3
    assert await issued_keys.rewrap() == 0
    vault.load([current])
    for key in issued:
        record = await issued_keys.show(key.record.id)
        assert vault.open(record.secret_sealed, access_key_context(record)).reveal() == key.secret.reveal()


async def test_a_row_given_to_another_principal_does_not_open(
    database: Database, issued_keys: IssuedKeys, vault: Vault
) -> None:
    key_id = (await issued_keys.create(principal="team:media")).record.id
    async with database.write() as connection:
        await connection.execute("UPDATE access_keys SET principal = 'team:admin'")
    record = await AccessKeyTable(database).get(key_id)
    with pytest.raises(UnopenableSecret):
        vault.open(record.secret_sealed, access_key_context(record))
