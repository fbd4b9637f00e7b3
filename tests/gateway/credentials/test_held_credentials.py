"""Keeping upstream credentials: added, replaced in two steps, never shown."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.credentials.master_key import MasterKey, new_master_key
from gateway.credentials.upstream_credentials import HeldCredentials, secret_id_hint, upstream_credential_context
from gateway.credentials.vault import Vault
from gateway.ports import Sealed
from gateway.secret import Secret
from gateway.stores.database import Database
from gateway.stores.errors import InvalidRecord, RecordExists, RecordNotFound
from gateway.stores.upstream_credentials import CredentialState, UpstreamCredentialTable

SECRET_ID = "AKID0123456789abcdefwxyz"
CANARY = "canary-41c7-secret-key"


async def add(credentials: HeldCredentials, **changes: Any) -> None:
    await credentials.add(
        **{
            "name": "main",
            "account": "1250000000",
            "secret_id": SECRET_ID,
            "secret_key": Secret(CANARY),
            **changes,
        }
    )


async def test_a_credential_is_active_at_once_and_shows_only_the_ends_of_its_id(
    held_credentials: HeldCredentials,
) -> None:
    await add(held_credentials)
    (summary,) = await held_credentials.list()
    assert (summary.name, summary.version, summary.account) == ("main", 1, "1250000000")
    assert summary.state is CredentialState.ACTIVE
    assert summary.secret_id_hint == "AKID…wxyz"
    assert CANARY not in repr(summary)
    assert SECRET_ID not in repr(summary)


@pytest.mark.parametrize(
    ("secret_id", "hint"), [("", "…"), ("AKID56789012345", "…"), ("AKID567890123456", "AKID…3456")]
)
def test_a_short_id_is_not_given_away_by_its_ends(secret_id: str, hint: str) -> None:
    assert secret_id_hint(secret_id) == hint


async def test_a_name_is_added_once(held_credentials: HeldCredentials) -> None:
    await add(held_credentials)
    with pytest.raises(RecordExists, match="stage a new version"):
        await add(held_credentials, account="1250000001")
    await held_credentials.remove("main")
    await add(held_credentials, account="1250000001")


async def test_a_name_is_added_once_even_when_only_a_later_version_is_left(held_credentials: HeldCredentials) -> None:
    await add(held_credentials)
    await held_credentials.stage("main", secret_id=SECRET_ID, secret_key=Secret("next"))
    await held_credentials.activate("main", 2)
    await held_credentials.remove("main", 1)
    with pytest.raises(RecordExists):
        await add(held_credentials)


async def test_a_staged_version_waits_until_it_is_activated(
    held_credentials: HeldCredentials, database: Database, vault: Vault
) -> None:
    await add(held_credentials)
    staged = await held_credentials.stage("main", secret_id="AKIDnext0123456789", secret_key=Secret("next"))
    assert (staged.version, staged.account, staged.state) == (2, "1250000000", CredentialState.STAGED)
    assert [summary.state for summary in await held_credentials.show("main")] == ["active", "staged"]
    await held_credentials.activate("main", 2)
    assert [summary.state for summary in await held_credentials.show("main")] == ["retired", "active"]
    await held_credentials.activate("main", 1)
    assert [summary.state for summary in await held_credentials.show("main")] == ["active", "retired"]
    records = await UpstreamCredentialTable(database).versions("main")
    opened = [vault.open(record.secret_sealed, upstream_credential_context(record)).reveal() for record in records]
    assert opened == [CANARY, "next"]


async def test_what_is_not_there_is_named(held_credentials: HeldCredentials) -> None:
    with pytest.raises(RecordNotFound, match="'main'"):
        await held_credentials.stage("main", secret_id=SECRET_ID, secret_key=Secret("x"))
    with pytest.raises(RecordNotFound, match="'main' version 1"):
        await held_credentials.activate("main", 1)
    with pytest.raises(RecordNotFound):
        await held_credentials.show("main")
    with pytest.raises(RecordNotFound):
        await held_credentials.remove("main")


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("name", {"name": ""}),
        ("name", {"name": "a\nb"}),
        ("account", {"account": ""}),
        ("SecretId", {"secret_id": ""}),
        ("SecretId", {"secret_id": "AKID with space"}),
        ("SecretId", {"secret_id": "A" * 257}),
        ("SecretKey", {"secret_key": Secret("")}),
        ("SecretKey", {"secret_key": Secret(CANARY + "\n")}),
        ("SecretKey", {"secret_key": Secret(CANARY + "é")}),
        ("SecretKey", {"secret_key": Secret(CANARY * 20)}),
        ("given twice", {"secret_id": CANARY}),
    ],
)
async def test_a_field_that_cannot_be_right_is_refused_without_showing_it(
    held_credentials: HeldCredentials, field: str, changes: dict[str, Any]
) -> None:
    with pytest.raises(InvalidRecord, match=field) as refusal:
        await add(held_credentials, **changes)
    assert CANARY not in str(refusal.value)
    assert await held_credentials.list() == []


async def test_a_sealed_vault_takes_no_credential(held_credentials: HeldCredentials, vault: Vault) -> None:
    vault.load([])
    with pytest.raises(Sealed):
        await add(held_credentials)
    assert await held_credentials.list() == []


async def test_rewrapping_moves_every_version_once(
    held_credentials: HeldCredentials, database: Database, vault: Vault, master_key: MasterKey
) -> None:
    await add(held_credentials)
    await held_credentials.stage("main", secret_id=SECRET_ID, secret_key=Secret("next"))
    current = new_master_key()
    vault.load([current, master_key])
    assert await held_credentials.rewrap() == 2
    assert await held_credentials.rewrap() == 0
    vault.load([current])
    records = await UpstreamCredentialTable(database).versions("main")
    opened = [vault.open(record.secret_sealed, upstream_credential_context(record)).reveal() for record in records]
    assert opened == [CANARY, "next"]
