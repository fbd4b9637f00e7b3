"""A copy of the store without the master key tells no secret; nor does a log, a repr or an error."""

from __future__ import annotations

import base64
import logging
import traceback
from pathlib import Path

import pytest

from gateway.credentials.access_keys import IssuedKeys
from gateway.credentials.master_key import MasterKey, new_master_key
from gateway.credentials.snapshot import KeySnapshot
from gateway.credentials.upstream import StoredUpstreamCredentials
from gateway.credentials.upstream_credentials import HeldCredentials
from gateway.credentials.vault import Vault
from gateway.credentials.watch import StoreWatch
from gateway.ports import PortError
from gateway.secret import Secret
from gateway.stores.access_keys import AccessKeyTable
from gateway.stores.database import Database
from gateway.stores.errors import RecordError
from gateway.stores.upstream_credentials import UpstreamCredentialTable

CANARY = "canary-d83b5a0f-upstream-secret"


def spellings(secret: str) -> list[bytes]:
    """A secret as it could lie in a file: plain, UTF-16, hexadecimal, base64 at each of its three alignments."""
    raw = secret.encode()
    aligned = [base64.b64encode(b"\0" * shift + raw)[4 if shift else 0 : -4] for shift in range(3)]
    return [raw, secret.encode("utf-16-le"), raw.hex().encode(), raw.hex().upper().encode(), *aligned]


def found_in(content: bytes, secret: str) -> list[bytes]:
    return [spelling for spelling in spellings(secret) if spelling in content]


def test_the_search_itself_finds_what_is_there() -> None:
    for shift in range(3):
        assert found_in(base64.b64encode(b"x" * shift + CANARY.encode() + b"yz"), CANARY)
    assert found_in(b"..." + CANARY.encode(), CANARY)
    assert not found_in(b"nothing", CANARY)


async def test_no_file_of_the_store_holds_a_secret(
    tmp_path: Path,
    database: Database,
    issued_keys: IssuedKeys,
    held_credentials: HeldCredentials,
    vault: Vault,
    master_key: MasterKey,
) -> None:
    issued = [await issued_keys.create(principal="team:media") for _ in range(3)]
    await held_credentials.add(name="main", account="1250000000", secret_id="AKIDmain", secret_key=Secret(CANARY))
    await held_credentials.stage("main", secret_id="AKIDnext", secret_key=Secret(CANARY + "-2"))
    await issued_keys.delete(issued[0].record.id)
    vault.load([new_master_key(), master_key])
    await issued_keys.rewrap()
    await held_credentials.rewrap()
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(files["store.db-wal"]) > 0
    # The control: what is not secret can be read, in the same files.
    assert any(issued[1].record.id.encode() in content for content in files.values())
    for name, content in files.items():
        for secret in (CANARY, *(key.secret.reveal() for key in issued)):
            assert found_in(content, secret) == [], name
        assert master_key.raw not in content


async def test_a_deleted_key_leaves_no_sealed_secret_behind(tmp_path: Path, vault: Vault) -> None:
    path = tmp_path / "deleted.db"
    async with await Database.open(path) as database:
        keys = IssuedKeys(database, vault)
        issued = await keys.create(principal="team:media")
    assert issued.record.secret_sealed in path.read_bytes()
    async with await Database.open(path) as database:
        await IssuedKeys(database, vault).delete(issued.record.id)
    assert [file.name for file in tmp_path.glob("deleted.db*")] == ["deleted.db"]
    assert issued.record.secret_sealed not in path.read_bytes()


async def test_no_log_repr_or_error_holds_a_secret(
    database: Database,
    issued_keys: IssuedKeys,
    held_credentials: HeldCredentials,
    vault: Vault,
    master_key: MasterKey,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[str] = []

    def tell(value: object) -> None:
        told.extend((repr(value), str(value), f"{value}"))

    issued = await issued_keys.create(principal="team:media")
    await held_credentials.add(name="main", account="1250000000", secret_id="AKIDmain", secret_key=Secret(CANARY))
    watch = StoreWatch(database)
    await watch.refresh()
    keys, credentials = KeySnapshot(watch, vault), StoredUpstreamCredentials(watch, vault)
    for value in (issued, keys.find(issued.record.id), credentials.open_for(None), watch.contents, vault, master_key):
        tell(value)
    (key,) = await AccessKeyTable(database).list()
    (credential,) = await UpstreamCredentialTable(database).list()
    vault.load([new_master_key()])
    attempts = [
        lambda: held_credentials.add(name="main", account="1", secret_id="AKIDmain", secret_key=Secret(CANARY)),
        lambda: held_credentials.add(name="x", account="1", secret_id="AKIDmain", secret_key=Secret(CANARY + " ")),
        lambda: AccessKeyTable(database).insert(key),
        lambda: UpstreamCredentialTable(database).insert(credential),
        issued_keys.rewrap,
        held_credentials.rewrap,
    ]
    for attempt in attempts:
        try:
            await attempt()
        except (RecordError, PortError) as error:
            told.append("".join(traceback.format_exception(error)))
        else:
            pytest.fail("expected a refusal")
    # Not even the SecretId is logged: it tells an outsider which cloud account to try.
    assert "AKIDmain" not in caplog.text
    told += [caplog.text, *capsys.readouterr()]
    whole = "\n".join(told).encode()
    for secret in (CANARY, issued.secret.reveal()):
        assert found_in(whole, secret) == []
    assert repr(key.secret_sealed).encode() not in whole
    assert master_key.raw.hex().encode() not in whole
