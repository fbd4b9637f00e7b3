"""Ended sessions and last uses: what is kept of them, and what a running gateway notices."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.stores.contents import read_contents
from gateway.stores.database import Database
from gateway.stores.key_uses import KeyUseTable, read_key_uses
from gateway.stores.revoked_sessions import RevokedSessionTable

NOW = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


async def test_an_ended_session_is_seen_at_the_next_read(database: Database) -> None:
    before = await read_contents(database)
    assert await RevokedSessionTable(database).insert("GWTKA", now=NOW, keep=DAY)
    after = await read_contents(database, before)
    assert before.revoked_sessions == frozenset()
    assert after.revoked_sessions == {"GWTKA"}


async def test_a_session_ends_once(database: Database) -> None:
    table = RevokedSessionTable(database)
    assert await table.insert("GWTKA", now=NOW, keep=DAY)
    assert not await table.insert("GWTKA", now=NOW, keep=DAY)


@pytest.mark.parametrize(
    ("later", "kept"),
    [(timedelta(0), True), (DAY, True), (DAY + timedelta(seconds=1), False)],
    ids=["at once", "at its end", "after it"],
)
async def test_an_ended_session_is_kept_as_long_as_it_could_have_lasted(
    database: Database, later: timedelta, kept: bool
) -> None:
    table = RevokedSessionTable(database)
    await table.insert("GWTKOLD", now=NOW, keep=DAY)
    await table.insert("GWTKNEW", now=NOW + later, keep=DAY)
    assert ("GWTKOLD" in (await read_contents(database)).revoked_sessions) is kept


async def test_last_uses_are_written_over_and_never_moved_back(database: Database) -> None:
    table = KeyUseTable(database)
    await table.note({"A": 600, "B": 600})
    await table.note({"A": 1200, "B": 540})
    seconds = {key: moment.timestamp() for key, moment in (await read_key_uses(database)).items()}
    assert seconds == {"A": 1200, "B": 600}


async def test_a_last_use_makes_no_gateway_read_its_store_anew(database: Database) -> None:
    before = await read_contents(database)
    await KeyUseTable(database).note({"A": 600})
    assert await read_contents(database, before) is before


async def test_a_key_that_was_never_used_has_no_last_use(database: Database) -> None:
    assert await read_key_uses(database) == {}
