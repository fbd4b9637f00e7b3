"""Transactions of either store: given up in the middle, more at once than there are connections, in use at the end."""

from __future__ import annotations

import asyncio

import pytest

from gateway.ports import StoreUnavailable
from gateway.stores.connection import Connection, ConstraintViolated
from gateway.stores.contents import read_contents
from gateway.stores.database import Database
from gateway.stores.key_uses import read_key_uses

INSERT = "INSERT INTO key_uses (id, used_at) VALUES (:id, 1)"


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 8])
async def test_a_write_that_is_cancelled_leaves_nothing_and_holds_nothing(database: Database, turns: int) -> None:
    async def write() -> None:
        async with database.write() as connection:
            for number in range(100):
                await connection.execute(INSERT, id=f"GWAK{number}")
            await asyncio.sleep(60)

    for _ in range(12):
        task = asyncio.create_task(write())
        for _ in range(turns):
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (await read_contents(database)).revision == 1
    async with database.write() as connection:
        await connection.execute(INSERT, id="GWAKLAST")
    assert list(await read_key_uses(database)) == ["GWAKLAST"]


@pytest.mark.parametrize("first", ["read", "write"])
async def test_a_transaction_that_is_cancelled_while_it_begins_spoils_no_connection(
    database: Database, first: str
) -> None:
    async def begin() -> None:
        async with database.read() if first == "read" else database.write():
            pass

    for turns in range(40):
        task = asyncio.create_task(begin())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with database.read() as reading:
            await reading.fetch("SELECT revision FROM revisions")
        async with database.write() as connection:
            await connection.execute("DELETE FROM key_uses")


async def test_more_readers_at_once_than_connections_are_all_served(database: Database) -> None:
    async def read() -> int:
        async with database.read() as connection:
            await asyncio.sleep(0.01)
            return int((await connection.fetch("SELECT revision FROM revisions"))[0]["revision"])

    assert await asyncio.gather(*(read() for _ in range(40))) == [1] * 40


async def test_what_the_tables_refuse_is_told_apart_and_undone(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(INSERT, id="GWAKX")

    async def twice(connection: Connection) -> None:
        await connection.execute(INSERT, id="GWAKY")
        with pytest.raises(ConstraintViolated):
            await connection.execute(INSERT, id="GWAKX")
        raise KeyError

    with pytest.raises(KeyError):
        async with database.write() as connection:
            await twice(connection)
    with pytest.raises(StoreUnavailable):
        async with database.write() as connection:
            await connection.execute(INSERT, id="GWAKX")
    assert list(await read_key_uses(database)) == ["GWAKX"]
    assert (await read_contents(database)).revision == 2


async def test_rows_changed_are_counted(database: Database) -> None:
    async with database.write() as connection:
        for number in range(3):
            assert await connection.execute(INSERT, id=f"GWAK{number}") == 1
        assert await connection.execute("UPDATE key_uses SET used_at = :at WHERE id <> :id", at=2, id="GWAK0") == 2
        assert await connection.execute("DELETE FROM key_uses WHERE id = :id", id="GWAKNONE") == 0
        assert not await connection.has_table("nothing")
        assert await connection.has_table("key_uses")


async def test_a_read_that_is_under_way_when_the_store_closes_ends(database: Database) -> None:
    async with database.read() as connection:
        await connection.fetch("SELECT revision FROM revisions")
        await database.aclose()
        assert (await connection.fetch("SELECT revision FROM revisions"))[0][0] == 1
