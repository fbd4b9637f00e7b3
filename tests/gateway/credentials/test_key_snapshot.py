"""The access keys as the pipeline sees them: opened when used, never older than promised."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.credentials.access_keys import IssuedKeys
from gateway.credentials.envelope import RecordType, UnopenableSecret
from gateway.credentials.master_key import MasterKey, new_master_key
from gateway.credentials.opened import OpenedSecrets
from gateway.credentials.snapshot import KeySnapshot
from gateway.credentials.vault import Vault
from gateway.credentials.watch import StoreWatch
from gateway.ports import AccessKey, KeyState, Sealed, StoreUnavailable
from gateway.secret import Secret
from gateway.stores.connection import Connection
from gateway.stores.database import Database
from gateway.stores.errors import RecordExists

CONFIGURED = AccessKey("AKIDCONFIGURED", Secret("configured-secret"), "app:batch")


@pytest.fixture
def watch(database: Database, clock: Any) -> StoreWatch:
    return StoreWatch(database, poll_seconds=0.05, clock=clock)


async def test_a_stored_key_is_found_with_everything_the_pipeline_judges(
    issued_keys: IssuedKeys, watch: StoreWatch, vault: Vault
) -> None:
    issued = await issued_keys.create(principal="team:media", labels={"env": "prod"}, networks=["10.0.0.0/8"])
    await watch.refresh()
    key = KeySnapshot(watch, vault).find(issued.record.id)
    assert key is not None
    assert key.secret.reveal() == issued.secret.reveal()
    assert (key.id, key.principal, key.state) == (issued.record.id, "team:media", KeyState.ACTIVE)
    assert (key.networks, key.expires_at) == (issued.record.networks, None)
    assert key.labels == {"env": "prod"}
    with pytest.raises(TypeError):
        key.labels["env"] = "dev"  # type: ignore[index]


async def test_an_unknown_id_is_none(watch: StoreWatch, vault: Vault) -> None:
    await watch.refresh()
    assert KeySnapshot(watch, vault).find("GWAKUNKNOWN") is None


async def test_nothing_is_opened_before_it_is_used_and_then_once(
    issued_keys: IssuedKeys, watch: StoreWatch, vault: Vault
) -> None:
    first = await issued_keys.create(principal="team:media")
    await issued_keys.create(principal="team:media")
    await watch.refresh()
    keys = KeySnapshot(watch, vault)
    keys.find("GWAKUNKNOWN")
    assert not vault.opened
    for _ in range(5):
        keys.find(first.record.id)
    assert vault.opened == {RecordType.ACCESS_KEY: 1}


async def test_every_change_is_seen_after_the_next_read(
    issued_keys: IssuedKeys, watch: StoreWatch, vault: Vault
) -> None:
    await watch.refresh()
    keys = KeySnapshot(watch, vault)
    key_id = (await issued_keys.create(principal="team:media")).record.id
    assert keys.find(key_id) is None

    async def state_after_refresh() -> KeyState | None:
        await watch.refresh()
        found = keys.find(key_id)
        return found and found.state

    assert await state_after_refresh() is KeyState.ACTIVE
    await issued_keys.disable(key_id)
    assert await state_after_refresh() is KeyState.DISABLED
    await issued_keys.enable(key_id)
    assert await state_after_refresh() is KeyState.ACTIVE
    await issued_keys.delete(key_id)
    assert await state_after_refresh() is None


class SlowDatabase(Database):
    """A store whose next read ends only when `released` is set."""

    slow = False
    reached: asyncio.Event
    released: asyncio.Event

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        async with super().read() as connection:
            yield connection
        if self.slow:
            self.slow = False
            self.reached.set()
            await self.released.wait()


async def test_a_slow_read_never_brings_back_an_older_state(tmp_path: Path, vault: Vault) -> None:
    async with await SlowDatabase.open(tmp_path / "slow.db") as database:
        database.reached, database.released = asyncio.Event(), asyncio.Event()
        issued_keys, watch = IssuedKeys(database, vault), StoreWatch(database)
        key_id = (await issued_keys.create(principal="team:media")).record.id
        database.slow = True
        slow = asyncio.create_task(watch.refresh())
        await database.reached.wait()
        await issued_keys.delete(key_id)
        later = asyncio.create_task(watch.refresh())
        await asyncio.sleep(0.05)
        database.released.set()
        await asyncio.gather(slow, later)
        assert key_id not in watch.contents.access_keys


async def test_a_sealed_gateway_finds_no_key_configured_or_not(
    issued_keys: IssuedKeys, watch: StoreWatch, vault: Vault
) -> None:
    key_id = (await issued_keys.create(principal="team:media")).record.id
    await watch.refresh()
    keys = KeySnapshot(watch, vault, configured=[CONFIGURED])
    assert keys.find(key_id) is not None
    vault.load([])
    for name in (key_id, CONFIGURED.id, "GWAKUNKNOWN"):
        with pytest.raises(Sealed):
            keys.find(name)


async def test_a_wholly_static_set_up_needs_no_master_key(watch: StoreWatch, vault: Vault) -> None:
    await watch.refresh()
    vault.load([])
    keys = KeySnapshot(watch, vault, configured=[CONFIGURED])
    assert keys.find(CONFIGURED.id) is CONFIGURED
    assert keys.find("GWAKUNKNOWN") is None


async def test_with_nothing_configured_and_nothing_stored_no_master_key_is_sealed(
    watch: StoreWatch, vault: Vault
) -> None:
    await watch.refresh()
    vault.load([])
    with pytest.raises(Sealed):
        KeySnapshot(watch, vault).find("GWAKUNKNOWN")


async def test_a_key_of_another_master_key_fails_alone(
    database: Database, issued_keys: IssuedKeys, watch: StoreWatch, vault: Vault, master_key: MasterKey
) -> None:
    old = await issued_keys.create(principal="team:media")
    vault.load([new_master_key()])
    new = await issued_keys.create(principal="team:media")
    await watch.refresh()
    keys = KeySnapshot(watch, vault)
    with pytest.raises(UnopenableSecret, match=master_key.id):
        keys.find(old.record.id)
    assert keys.find(new.record.id) is not None


async def test_configured_and_stored_keys_serve_side_by_side(
    issued_keys: IssuedKeys, watch: StoreWatch, vault: Vault
) -> None:
    issued = await issued_keys.create(principal="team:media")
    await watch.refresh()
    keys = KeySnapshot(watch, vault, configured=[CONFIGURED])
    keys.ensure_no_duplicates()
    assert keys.find(CONFIGURED.id) is CONFIGURED
    assert keys.find(issued.record.id) is not None


async def test_an_id_in_two_places_is_refused(issued_keys: IssuedKeys, watch: StoreWatch, vault: Vault) -> None:
    with pytest.raises(RecordExists, match=CONFIGURED.id):
        KeySnapshot(watch, vault, configured=[CONFIGURED, replace(CONFIGURED, principal="app:other")])
    issued = await issued_keys.create(principal="team:media")
    await watch.refresh()
    keys = KeySnapshot(watch, vault, configured=[replace(CONFIGURED, id=issued.record.id)])
    with pytest.raises(RecordExists, match=issued.record.id):
        keys.ensure_no_duplicates()


async def test_keys_are_served_from_memory_until_they_are_too_old(tmp_path: Path, vault: Vault, clock: Any) -> None:
    """The store is broken under the gateway: the file is replaced by garbage, and put back."""
    path = tmp_path / "broken.db"
    async with await Database.open(path) as database:
        issued = await IssuedKeys(database, vault).create(principal="team:media")
    content = path.read_bytes()
    database = await Database.open(path)
    watch = StoreWatch(database, clock=clock)
    keys = KeySnapshot(watch, vault, configured=[CONFIGURED])
    with pytest.raises(StoreUnavailable, match="not read yet"):
        keys.find(issued.record.id)
    await watch.refresh()
    await database.aclose()
    path.write_bytes(b"garbage!" * 512)
    with pytest.raises(StoreUnavailable):
        await watch.refresh()

    clock.now += 60
    assert watch.age_seconds == 60
    assert keys.find(issued.record.id) is not None
    clock.now += 0.001
    for name in (issued.record.id, "GWAKUNKNOWN"):
        with pytest.raises(StoreUnavailable, match="60 seconds ago"):
            keys.find(name)
    assert keys.find(CONFIGURED.id) is CONFIGURED

    await database.aclose()
    path.write_bytes(content)
    await watch.refresh()
    assert keys.find(issued.record.id) is not None
    await database.aclose()


async def test_the_poll_survives_a_broken_store_and_follows_it_again(
    tmp_path: Path, vault: Vault, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "polled.db"
    async with await Database.open(path) as database:
        watch = StoreWatch(database, poll_seconds=0.01)
        polls = 0

        def count() -> None:
            nonlocal polls
            polls += 1

        watch.after_poll(count)
        task = asyncio.create_task(watch.run())

        async def polled(times: int) -> None:
            wanted = polls + times
            while polls < wanted:
                assert not task.done()
                await asyncio.sleep(0.005)

        await polled(1)
        async with database.write() as connection:
            await connection.execute("ALTER TABLE access_keys RENAME TO hidden")
        await polled(3)
        with pytest.raises(StoreUnavailable):
            await watch.refresh()
        async with database.write() as connection:
            await connection.execute("ALTER TABLE hidden RENAME TO access_keys")
        issued = await IssuedKeys(database, vault).create(principal="team:media")
        await polled(2)
        assert issued.record.id in watch.contents.access_keys
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def test_opened_secrets_are_bounded_in_number(clock: Any) -> None:
    opened: OpenedSecrets[object, str] = OpenedSecrets(max_entries=3, ttl_seconds=5, clock=clock)
    records = {name: object() for name in "abcdef"}
    for name, record in records.items():
        opened.get(name, record, lambda _, name=name: f"opened {name}")
    assert len(opened) == 3
    calls: list[str] = []
    for name in "def":
        opened.get(name, records[name], lambda _, name=name: calls.append(name) or "")
    assert calls == []
    opened.get("a", records["a"], lambda _: calls.append("a") or "")
    assert calls == ["a"]


def test_opened_secrets_are_bounded_in_time(clock: Any) -> None:
    opened: OpenedSecrets[object, int] = OpenedSecrets(ttl_seconds=5, clock=clock)
    record, opens = object(), iter(range(10))
    assert opened.get("a", record, lambda _: next(opens)) == 0
    clock.now += 4.999
    assert opened.get("a", record, lambda _: next(opens)) == 0
    opened.get("b", record, lambda _: 99)
    clock.now += 0.001
    opened.purge()
    assert len(opened) == 1
    assert opened.get("a", record, lambda _: next(opens)) == 1


def test_a_record_that_was_read_again_is_opened_again(clock: Any) -> None:
    opened: OpenedSecrets[object, str] = OpenedSecrets(clock=clock)
    assert opened.get("a", object(), lambda _: "before") == "before"
    assert opened.get("a", object(), lambda _: "after") == "after"
    assert len(opened) == 1


def test_what_does_not_open_is_not_remembered(clock: Any) -> None:
    opened: OpenedSecrets[object, str] = OpenedSecrets(clock=clock)
    record = object()

    def fail(_: object) -> str:
        raise UnopenableSecret("no")

    with pytest.raises(UnopenableSecret):
        opened.get("a", record, fail)
    assert opened.get("a", record, lambda _: "later") == "later"
