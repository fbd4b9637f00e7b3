"""Envelopes: what opens them, and everything that must not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.credentials.envelope import (
    RecordType,
    SecretContext,
    UnknownMasterKey,
    UnopenableSecret,
    open_sealed,
    rewrap,
    seal,
)
from gateway.credentials.master_key import MasterKey, new_master_key
from gateway.secret import Secret

CANARY = "canary-7f3e9a-secret"
CONTEXT = SecretContext(RecordType.ACCESS_KEY, "GWAKEXAMPLE", 1, "team:media")


def by_id(*keys: MasterKey) -> dict[str, MasterKey]:
    return {key.id: key for key in keys}


@pytest.mark.parametrize("text", ["", "x", CANARY, "é中文🔑", "a" * 5000])
def test_a_sealed_secret_opens_to_itself(master_key: MasterKey, text: str) -> None:
    sealed = seal(Secret(text), CONTEXT, master_key)
    assert open_sealed(sealed, CONTEXT, by_id(master_key)).reveal() == text


def test_the_same_secret_is_never_sealed_to_the_same_bytes(master_key: MasterKey) -> None:
    first, second = (seal(Secret(CANARY), CONTEXT, master_key) for _ in range(2))
    body = 6 + len(master_key.id)
    # Not even one 16-byte block after the header agrees.
    assert {first[i : i + 16] for i in range(body, len(first) - 15)}.isdisjoint(
        second[i : i + 16] for i in range(body, len(second) - 15)
    )


def test_the_sealed_form_holds_nothing_of_the_secret(master_key: MasterKey) -> None:
    sealed = seal(Secret(CANARY), CONTEXT, master_key)
    assert CANARY.encode() not in sealed
    assert master_key.raw not in sealed


@pytest.mark.parametrize(
    "other",
    [
        replace(CONTEXT, record_type=RecordType.UPSTREAM_CREDENTIAL),
        replace(CONTEXT, id="GWAKEXAMPLF"),
        replace(CONTEXT, version=2),
        replace(CONTEXT, tenant="team:other"),
        replace(CONTEXT, id="GWAKEXAMPLE1", version=1),
        replace(CONTEXT, tenant="", id="GWAKEXAMPLEteam:media"),
    ],
    ids=["record type", "id", "version", "tenant", "id and version moved", "tenant moved into the id"],
)
def test_a_secret_moved_to_another_record_does_not_open(master_key: MasterKey, other: SecretContext) -> None:
    sealed = seal(Secret(CANARY), CONTEXT, master_key)
    with pytest.raises(UnopenableSecret) as refusal:
        open_sealed(sealed, other, by_id(master_key))
    assert CANARY not in repr(refusal.value)
    with pytest.raises(UnopenableSecret):
        rewrap(sealed, other, master_keys=by_id(master_key), current=master_key)


def test_no_two_records_share_their_authenticated_data() -> None:
    contexts = [
        SecretContext(RecordType.ACCESS_KEY, id_, version, tenant)
        for id_ in ("a", "a1", "a\x00", "")
        for version in (1, 11)
        for tenant in ("", "1", "\x00")
    ]
    assert len({context.encode() for context in contexts}) == len(contexts)


def test_changing_any_bit_keeps_it_shut(master_key: MasterKey) -> None:
    sealed = seal(Secret(CANARY), CONTEXT, master_key)
    for position in range(len(sealed)):
        for bit in range(8):
            altered = bytearray(sealed)
            altered[position] ^= 1 << bit
            with pytest.raises(UnopenableSecret):
                open_sealed(bytes(altered), CONTEXT, by_id(master_key))


def test_every_truncation_and_extension_keeps_it_shut(master_key: MasterKey) -> None:
    sealed = seal(Secret(CANARY), CONTEXT, master_key)
    for altered in [*(sealed[:length] for length in range(len(sealed))), sealed + b"\x00", b"\x00" + sealed]:
        with pytest.raises(UnopenableSecret):
            open_sealed(altered, CONTEXT, by_id(master_key))


def test_the_parts_of_two_secrets_of_one_record_do_not_mix(master_key: MasterKey) -> None:
    first, second = (seal(Secret(text), CONTEXT, master_key) for text in ("first-secret", "other-secret"))
    cut = 6 + len(master_key.id) + 60
    with pytest.raises(UnopenableSecret):
        open_sealed(first[:cut] + second[cut:], CONTEXT, by_id(master_key))


def test_another_master_key_is_named_and_opens_nothing(master_key: MasterKey) -> None:
    sealed = seal(Secret(CANARY), CONTEXT, master_key)
    other = new_master_key()
    with pytest.raises(UnknownMasterKey, match=f"{master_key.id}.*not loaded; got {other.id}"):
        open_sealed(sealed, CONTEXT, by_id(other))


def test_another_key_under_the_right_id_opens_nothing(master_key: MasterKey) -> None:
    sealed = seal(Secret(CANARY), CONTEXT, master_key)
    impostor = MasterKey(master_key.id, new_master_key().raw)
    with pytest.raises(UnopenableSecret, match="does not open"):
        open_sealed(sealed, CONTEXT, by_id(impostor))


def test_an_unprintable_key_id_stays_out_of_the_message(master_key: MasterKey) -> None:
    sealed = bytearray(seal(Secret(CANARY), CONTEXT, master_key))
    sealed[6:8] = b"\n\x1b"
    with pytest.raises(UnknownMasterKey, match="unreadable id"):
        open_sealed(bytes(sealed), CONTEXT, by_id(master_key))


def test_rewrapping_moves_a_secret_to_the_current_key_and_keeps_its_inner_layer(master_key: MasterKey) -> None:
    current = new_master_key()
    sealed = seal(Secret(CANARY), CONTEXT, master_key)
    moved = rewrap(sealed, CONTEXT, master_keys=by_id(current, master_key), current=current)
    assert moved is not None
    assert open_sealed(moved, CONTEXT, by_id(current)).reveal() == CANARY
    with pytest.raises(UnknownMasterKey):
        open_sealed(moved, CONTEXT, by_id(master_key))
    inner = 6 + len(master_key.id) + 60
    assert moved[inner:] == sealed[inner:]


def test_what_the_current_key_wraps_is_left_alone(master_key: MasterKey) -> None:
    sealed = seal(Secret(CANARY), CONTEXT, master_key)
    assert rewrap(sealed, CONTEXT, master_keys=by_id(master_key), current=master_key) is None
