"""The vault: sealed and unsealed, and its count of opened secrets."""

from __future__ import annotations

import pytest

from gateway.credentials.envelope import RecordType, SecretContext, UnknownMasterKey, UnopenableSecret
from gateway.credentials.master_key import MasterKey, new_master_key
from gateway.credentials.vault import Vault
from gateway.ports import Sealed
from gateway.secret import Secret

KEY = SecretContext(RecordType.ACCESS_KEY, "GWAKEXAMPLE", 1, "team:media")
CREDENTIAL = SecretContext(RecordType.UPSTREAM_CREDENTIAL, "main", 1, "1250000000")


def test_without_a_master_key_nothing_works(vault: Vault) -> None:
    sealed = vault.seal(Secret("s"), KEY)
    empty = Vault()
    assert empty.sealed
    assert empty.master_key_ids == ()
    for attempt in (
        lambda: empty.seal(Secret("s"), KEY),
        lambda: empty.open(sealed, KEY),
        lambda: empty.rewrap(sealed, KEY),
        empty.ensure_unsealed,
    ):
        with pytest.raises(Sealed):
            attempt()


def test_opens_are_counted_by_record_type_and_failures_are_not(vault: Vault) -> None:
    key, credential = vault.seal(Secret("k"), KEY), vault.seal(Secret("c"), CREDENTIAL)
    vault.open(key, KEY)
    vault.open(key, KEY)
    with pytest.raises(UnopenableSecret):
        vault.open(key, CREDENTIAL)
    assert vault.opened == {RecordType.ACCESS_KEY: 2}
    vault.open(credential, CREDENTIAL)
    assert vault.opened == {RecordType.ACCESS_KEY: 2, RecordType.UPSTREAM_CREDENTIAL: 1}


def test_rewrapping_opens_no_secret(master_key: MasterKey, vault: Vault) -> None:
    sealed = vault.seal(Secret("k"), KEY)
    vault.load([new_master_key(), master_key])
    assert vault.rewrap(sealed, KEY) is not None
    assert not vault.opened


def test_the_first_key_wraps_and_the_others_still_open(master_key: MasterKey, vault: Vault) -> None:
    old = vault.seal(Secret("old"), KEY)
    current = new_master_key()
    vault.load([current, master_key])
    assert vault.master_key_ids == (current.id, master_key.id)
    new = vault.seal(Secret("new"), KEY)
    assert vault.open(old, KEY).reveal() == "old"
    vault.load([current])
    assert vault.open(new, KEY).reveal() == "new"
    with pytest.raises(UnknownMasterKey):
        vault.open(old, KEY)


def test_a_vault_is_unsealed_and_sealed_again_while_it_runs(master_key: MasterKey) -> None:
    vault = Vault()
    vault.load([master_key])
    sealed = vault.seal(Secret("s"), KEY)
    vault.load([])
    assert vault.sealed
    with pytest.raises(Sealed):
        vault.open(sealed, KEY)
