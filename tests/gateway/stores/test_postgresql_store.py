"""The shared database itself: its schema, its locks, its certificate, and what happens when it fails. A real server."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import trustme
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection as SyncConnection
from sqlalchemy.ext.asyncio import create_async_engine

from gateway.ports import KeyState, StoreUnavailable
from gateway.secret import Secret
from gateway.stores.access_keys import AccessKeyTable
from gateway.stores.contents import read_contents
from gateway.stores.database import Database
from gateway.stores.key_uses import KeyUseTable, read_key_uses
from gateway.stores.migration import MIGRATIONS, migrate_database
from gateway.stores.postgresql import LOCK_SECONDS, MIGRATION_LOCK, PostgresqlPlace
from tests.support.postgresql import PASSWORD, PostgresqlServer
from tests.support.schemas import described

ROOT = Path(__file__).parents[3]


@pytest.fixture
def place(postgresql: PostgresqlServer) -> PostgresqlPlace:
    return postgresql.new_database()


async def test_the_migrations_build_exactly_the_tables_of_a_new_database(
    place: PostgresqlPlace, postgresql: PostgresqlServer
) -> None:
    old = postgresql.new_database()
    async with await Database.connect(place):
        pass
    await migrate_database(_connecting(old), MIGRATION_LOCK)
    schemas = []
    for made in (place, old):
        engine = create_async_engine("postgresql+asyncpg://", async_creator=_connecting(made))
        async with engine.connect() as connection:
            schemas.append(await connection.run_sync(described))
        await engine.dispose()
    assert len(schemas[0]) == 8
    assert schemas[0] == schemas[1]


async def test_a_database_of_an_earlier_release_is_brought_up_once(place: PostgresqlPlace) -> None:
    def first_schema(connection: SyncConnection) -> None:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")

    engine = create_async_engine("postgresql+asyncpg://", async_creator=_connecting(place))
    async with engine.begin() as connection:
        await connection.run_sync(first_schema)
    await engine.dispose()
    databases = await asyncio.gather(*(Database.connect(place) for _ in range(4)))
    assert [await read_key_uses(database) for database in databases] == [{}] * 4
    await asyncio.gather(*(database.aclose() for database in databases))


def _connecting(place: PostgresqlPlace) -> Callable[[], Awaitable[Any]]:
    assert place.password is not None
    return partial(
        asyncpg.connect,
        host=place.host,
        port=place.port,
        user=place.user,
        password=place.password.reveal(),
        database=place.database,
        ssl=False,
    )


async def test_many_openers_of_a_new_database_build_it_once(place: PostgresqlPlace) -> None:
    databases = await asyncio.gather(*(Database.connect(place) for _ in range(6)))
    revisions = {(await read_contents(database)).revision for database in databases}
    await asyncio.gather(*(database.aclose() for database in databases))
    assert revisions == {1}


async def test_a_database_of_a_newer_release_is_refused_and_left_alone(
    place: PostgresqlPlace, postgresql: PostgresqlServer
) -> None:
    async with await Database.connect(place):
        pass
    postgresql.run("UPDATE alembic_version SET version_num = '9999'", database=place.database)
    with pytest.raises(StoreUnavailable, match="newer release"):
        await Database.connect(place)
    assert postgresql.run("SELECT version_num FROM alembic_version", database=place.database) == "9999\n"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"password": Secret("canary-wrong-password")}, id="wrong password"),
        pytest.param({"password": None}, id="no password"),
        pytest.param({"user": "nobody"}, id="unknown role"),
        pytest.param({"database": "nothing"}, id="no such database"),
        pytest.param({"port": 9}, id="nobody listens"),
        pytest.param({"host": "nowhere.invalid", "ca_file": None}, id="no such host"),
    ],
)
async def test_a_database_that_lets_nobody_in_is_a_clear_refusal(
    place: PostgresqlPlace, changes: dict[str, Any]
) -> None:
    with pytest.raises(StoreUnavailable, match=r"^The store at postgresql://") as refusal:
        await Database.connect(replace(place, **changes))
    assert "canary" not in str(refusal.value)


def test_the_password_is_in_no_repr(place: PostgresqlPlace) -> None:
    assert PASSWORD not in repr(place) + str(place)


async def test_writers_queue_and_no_change_is_lost(place: PostgresqlPlace) -> None:
    async with await Database.connect(place) as first, await Database.connect(place) as second:

        async def add(database: Database) -> None:
            for _ in range(25):
                async with database.write() as connection:
                    # Read, then write what was read: only right if nobody writes in between.
                    seen = (await connection.fetch("SELECT coalesce(max(used_at), 0) FROM key_uses"))[0][0]
                    await asyncio.sleep(0)
                    insert = "INSERT INTO key_uses (id, used_at) VALUES (:id, :used_at)"
                    await connection.execute(insert, id=f"GWAK{seen}", used_at=seen + 1)

        await asyncio.gather(add(first), add(second), add(first), add(second))
        assert len(await read_key_uses(first)) == 100
        assert (await read_contents(second)).revision == 101


async def test_last_uses_written_by_several_gateways_at_once_are_all_there(place: PostgresqlPlace) -> None:
    async with await Database.connect(place) as first, await Database.connect(place) as second:
        uses = {f"GWAK{number}": 1_782_864_000 + number for number in range(50)}
        await asyncio.gather(*(KeyUseTable(database).note(uses) for database in (first, second, first, second)))
        assert len(await read_key_uses(first)) == 50


async def test_a_reader_sees_one_state_and_cannot_write(place: PostgresqlPlace) -> None:
    async with await Database.connect(place) as database:
        async with database.read() as reading:
            before = (await reading.fetch("SELECT revision FROM revisions"))[0][0]
            async with database.write():
                pass
            assert (await reading.fetch("SELECT revision FROM revisions"))[0][0] == before
        assert (await read_contents(database)).revision == before + 1
        with pytest.raises(StoreUnavailable, match="ReadOnlySQLTransactionError"):
            async with database.read() as reading:
                await reading.execute("UPDATE revisions SET revision = 0")
        assert (await read_contents(database)).revision == before + 1


async def test_a_writer_waits_for_another_and_then_gives_up(place: PostgresqlPlace) -> None:
    async with await Database.connect(place) as first, await Database.connect(place) as second:
        async with first.write():
            started = asyncio.get_running_loop().time()
            with pytest.raises(StoreUnavailable, match="LockNotAvailable"):
                await AccessKeyTable(second).set_state("GWAKANY", KeyState.DISABLED)
            assert asyncio.get_running_loop().time() - started >= LOCK_SECONDS - 0.5
            # A reader is not held up by a writer.
            assert (await read_contents(second)).revision == 1
        assert (await read_contents(second)).revision == 2


async def test_a_transaction_that_fails_leaves_nothing(place: PostgresqlPlace) -> None:
    async with await Database.connect(place) as database:

        async def write_and_fail() -> None:
            async with database.write() as connection:
                await connection.execute("UPDATE revisions SET revision = 99")
                raise RuntimeError("in the middle")

        with pytest.raises(RuntimeError, match="in the middle"):
            await write_and_fail()
        assert (await read_contents(database)).revision == 1


async def test_connections_that_were_cut_are_made_again(place: PostgresqlPlace, postgresql: PostgresqlServer) -> None:
    async with await Database.connect(place) as database:
        for _ in range(3):
            postgresql.run(
                f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{place.database}'"
                " AND pid <> pg_backend_pid()",
                database="postgres",
            )
            assert (await read_contents(database)).revision >= 1
            async with database.write():
                pass


async def test_a_record_edited_into_nonsense_is_a_store_failure(
    place: PostgresqlPlace, postgresql: PostgresqlServer
) -> None:
    async with await Database.connect(place) as database:
        row = "('GWAKX', 1, '\\x00', 'p', '', '{}', '[]', 'maybe', 0, NULL)"
        postgresql.run(
            f"INSERT INTO access_keys VALUES {row}; UPDATE revisions SET revision = 2", database=place.database
        )
        with pytest.raises(StoreUnavailable, match="maybe"):
            await read_contents(database)


async def test_the_connection_is_encrypted_and_the_certificate_verified(
    place: PostgresqlPlace, postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    asked = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    for ca_file, encrypted in ((postgresql.ca_file, True), (None, False)):
        async with await Database.connect(replace(place, ca_file=ca_file)) as database, database.read() as connection:
            assert (await connection.fetch(asked))[0][0] is encrypted
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    with pytest.raises(StoreUnavailable, match="SSLCertVerificationError"):
        await Database.connect(replace(place, ca_file=other))
    with pytest.raises(StoreUnavailable, match="cannot be read"):
        await Database.connect(replace(place, ca_file=tmp_path / "missing.pem"))


KILLED = """
import asyncio, sys
from gateway.secret import Secret
from gateway.stores.database import Database
from gateway.stores.postgresql import PostgresqlPlace

async def main(port, name, user, password):
    place = PostgresqlPlace("127.0.0.1", int(port), name, user, Secret(password))
    async with await Database.connect(place) as database, database.write() as connection:
        await connection.execute("INSERT INTO key_uses (id, used_at) VALUES ('GWAKHALF', 1)")
        print("half", flush=True)
        await asyncio.sleep(60)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_writer_that_is_killed_leaves_nothing_and_holds_nothing(place: PostgresqlPlace) -> None:
    async with await Database.connect(place) as database:
        for _ in range(3):
            writer = subprocess.Popen(
                [sys.executable, "-c", KILLED, str(place.port), place.database, place.user, PASSWORD],
                cwd=ROOT, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            assert writer.stdout is not None
            assert writer.stdout.readline() == "half\n"
            os.kill(writer.pid, signal.SIGKILL)
            writer.stdout.close()
            assert writer.wait(30) == -signal.SIGKILL
            async with database.write():
                pass
            assert await read_key_uses(database) == {}
        assert (await read_contents(database)).revision == 4
