"""The SQLite file itself: its mode, its schema, and what happens when it fails. Real files, real locks."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from gateway.ports import KeyState, StoreUnavailable
from gateway.stores.access_keys import AccessKeyTable
from gateway.stores.contents import read_contents
from gateway.stores.database import Database
from gateway.stores.migration import MIGRATIONS, migrate_file
from gateway.stores.schema import SCHEMA_REVISION
from tests.support.schemas import described

ROOT = Path(__file__).parents[3]


async def test_the_file_and_its_companions_are_for_the_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "store.db"
    async with await Database.open(path) as database:
        await read_contents(database)
        modes = {file.name: f"{file.stat().st_mode & 0o777:03o}" for file in path.parent.iterdir()}
    assert modes == {"store.db": "600", "store.db-wal": "600", "store.db-shm": "600"}
    assert path.parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
async def test_a_store_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "store.db"
    async with await Database.open(path):
        pass
    path.chmod(mode)
    with pytest.raises(StoreUnavailable, match=f"{mode:04o}"):
        await Database.open(path)


async def test_the_newest_migration_is_the_one_the_code_expects() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [SCHEMA_REVISION]


async def test_the_migrations_build_exactly_the_tables_of_a_new_store(tmp_path: Path) -> None:
    new, old = tmp_path / "store.db", tmp_path / "old.db"
    async with await Database.open(new):
        pass
    migrate_file(old, 1.0)
    schemas = []
    for path in (new, old):
        engine = create_engine(f"sqlite:///{path}")
        with engine.connect() as connection:
            schemas.append(described(connection))
        engine.dispose()
    assert len(schemas[0]) == 8
    assert schemas[0] == schemas[1]


@pytest.mark.parametrize("made", [False, True], ids=["new", "known"])
async def test_a_store_is_opened_without_importing_what_migrations_need(tmp_path: Path, made: bool) -> None:
    path = tmp_path / "store.db"
    if made:
        async with await Database.open(path):
            pass
    script = (
        "import asyncio, sys; from pathlib import Path; from gateway.stores.database import Database\n"
        "async def main():\n    await (await Database.open(Path(sys.argv[1]))).aclose()\n"
        "asyncio.run(main()); assert not {'alembic', 'sqlalchemy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script, path], cwd=ROOT, check=True, timeout=60)


async def test_a_store_of_a_newer_release_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with await Database.open(path):
        pass
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()
    with pytest.raises(StoreUnavailable, match="newer release"):
        await Database.open(path)
    with sqlite3.connect(path) as raw:
        assert raw.execute("SELECT version_num FROM alembic_version").fetchall() == [("9999",)]
    raw.close()


async def test_many_openers_of_a_new_file_build_it_once(tmp_path: Path) -> None:
    for attempt in range(20):
        path = tmp_path / f"store-{attempt}.db"
        databases = await asyncio.gather(*(Database.open(path) for _ in range(6)))
        revisions = {(await read_contents(database)).revision for database in databases}
        await asyncio.gather(*(database.aclose() for database in databases))
        assert revisions == {1}


@pytest.mark.parametrize("content", [b"not a database, " * 400, b"\x00" * 8192], ids=["text", "zeros"])
async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(StoreUnavailable):
        await Database.open(path)
    assert path.read_bytes() == content


async def test_a_folder_or_a_missing_drive_is_a_clear_refusal(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        await Database.open(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreUnavailable, match=r"Not a directory|File exists"):
        await Database.open(tmp_path / "file" / "store.db")


async def test_a_writer_waits_for_another_process_and_then_gives_up(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with await Database.open(path, busy_timeout_seconds=0.2) as database:
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="database is locked"):
            await AccessKeyTable(database).set_state("GWAKANY", KeyState.DISABLED)
        # A reader is not held up by a writer.
        assert (await read_contents(database)).revision == 1
        holder.execute("ROLLBACK")
        holder.close()
        async with database.write() as connection:
            await connection.execute("SELECT 1")
        assert (await read_contents(database)).revision == 2


async def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    async with await Database.open(tmp_path / "store.db") as database:

        async def write_and_fail() -> None:
            async with database.write() as connection:
                await connection.execute("UPDATE revisions SET revision = 99")
                raise RuntimeError("in the middle")

        with pytest.raises(RuntimeError, match="in the middle"):
            await write_and_fail()
        assert (await read_contents(database)).revision == 1


async def test_a_record_edited_into_nonsense_is_a_store_failure(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with await Database.open(path) as database:
        row = "('GWAKX', 1, x'00', 'p', '', '{not json', '[]', 'active', 0, NULL)"
        async with database.write() as connection:
            await connection.execute(f"INSERT INTO access_keys VALUES {row}")
        with pytest.raises(StoreUnavailable, match="cannot be read"):
            await read_contents(database)
        async with database.write() as connection:
            await connection.execute("UPDATE access_keys SET labels = '{}', state = 'maybe'")
        with pytest.raises(StoreUnavailable, match="maybe"):
            await read_contents(database)


FULL_DISK = """
import asyncio, resource, sys
from pathlib import Path
from gateway.ports import StoreUnavailable
from gateway.stores.contents import read_contents
from gateway.stores.database import Database

async def main():
    async with await Database.open(Path(sys.argv[1])) as database:
        before = (await read_contents(database)).revision
        # No file of this process may grow: writes fail as they do on a full disk, reads go on.
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))
        try:
            async with database.write() as connection:
                await connection.execute("INSERT INTO access_keys SELECT hex(randomblob(60)), 1, "
                    "randomblob(400000), 'p', '', '{}', '[]', 'active', 0, NULL")
        except StoreUnavailable as error:
            print("refused:", error)
        assert (await read_contents(database)).revision == before
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        async with database.write():
            pass
        assert (await read_contents(database)).revision == before + 1
        print("recovered")

asyncio.run(main())
"""


def test_a_full_disk_refuses_writes_keeps_reads_and_recovers(tmp_path: Path) -> None:
    outcome = subprocess.run(
        [sys.executable, "-c", FULL_DISK, tmp_path / "store.db"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    refused, recovered = outcome.stdout.splitlines()
    assert refused.startswith("refused: The store at ")
    assert "randomblob" not in refused
    assert recovered == "recovered"
