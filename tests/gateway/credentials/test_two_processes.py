"""The gateway and its command line on one store: two real processes, one SQLite file."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path

from gateway.credentials.access_keys import IssuedKeys
from gateway.credentials.master_key import generate_master_key_file, read_master_keys
from gateway.credentials.snapshot import KeySnapshot
from gateway.credentials.vault import Vault
from gateway.credentials.watch import POLL_SECONDS, StoreWatch
from gateway.ports import KeyState
from gateway.stores.database import Database
from tests.support.waiting import until

ROOT = Path(__file__).parents[3]

OTHER_PROCESS = """
import asyncio, sys
from pathlib import Path
from gateway.credentials.access_keys import IssuedKeys
from gateway.credentials.master_key import read_master_keys
from gateway.credentials.vault import Vault
from gateway.stores.database import Database

async def main(folder, *command):
    vault = Vault(read_master_keys(folder / "master.key"))
    async with await Database.open(folder / "store.db") as database:
        keys = IssuedKeys(database, vault)
        match command:
            case ["disable", key_id]:
                await keys.disable(key_id)
            case ["create", count]:
                for _ in range(int(count)):
                    print((await keys.create(principal="team:other")).record.id)

asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
"""


async def other_process(*arguments: object) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OTHER_PROCESS, *map(str, arguments), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode()


async def test_a_key_disabled_by_another_process_is_seen_within_five_seconds(tmp_path: Path) -> None:
    vault = Vault([generate_master_key_file(tmp_path / "master.key")])
    async with await Database.open(tmp_path / "store.db") as database:
        issued = await IssuedKeys(database, vault).create(principal="team:media")
        watch = StoreWatch(database)
        polls: list[None] = []
        watch.after_poll(lambda: polls.append(None))
        await watch.refresh()
        keys = KeySnapshot(watch, vault)
        poll = asyncio.create_task(watch.run())
        found = keys.find(issued.record.id)
        assert found is not None
        assert found.state is KeyState.ACTIVE

        await other_process(tmp_path, "disable", issued.record.id)
        withdrawn = len(polls)
        await until(lambda: (found := keys.find(issued.record.id)) is None or found.state is not KeyState.ACTIVE)
        # One poll may have begun before the change; two lie within five seconds by far.
        assert len(polls) - withdrawn <= 2
        assert 2 * POLL_SECONDS < 5
        poll.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await poll


async def test_two_writers_lose_nothing(tmp_path: Path) -> None:
    vault = Vault([generate_master_key_file(tmp_path / "master.key")])
    async with await Database.open(tmp_path / "store.db") as database:
        ours = IssuedKeys(database, vault)
        others = asyncio.create_task(other_process(tmp_path, "create", 40))
        mine = [(await ours.create(principal="team:media")).record.id for _ in range(40)]
        theirs = (await others).split()
        assert len(theirs) == 40
        assert {record.id for record in await ours.list()} == {*mine, *theirs}


async def test_a_key_issued_by_another_process_opens_here(tmp_path: Path) -> None:
    generate_master_key_file(tmp_path / "master.key")
    (key_id,) = (await other_process(tmp_path, "create", 1)).split()
    vault = Vault(read_master_keys(tmp_path / "master.key"))
    async with await Database.open(tmp_path / "store.db") as database:
        watch = StoreWatch(database)
        polls: list[None] = []
        watch.after_poll(lambda: polls.append(None))
        await watch.refresh()
        found = KeySnapshot(watch, vault).find(key_id)
    assert found is not None
    assert (found.principal, len(found.secret.reveal())) == ("team:other", 40)
