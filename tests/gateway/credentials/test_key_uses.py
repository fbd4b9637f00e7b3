"""Last uses: to the minute, in batches, and kept while the store cannot be written; and keys that expire soon."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog

from gateway.credentials.access_keys import IssuedKeys
from gateway.credentials.administration import Administration
from gateway.credentials.expiring import NOTICE, REPEAT, ExpiryNotices
from gateway.credentials.key_uses import KeyUseLog
from gateway.credentials.vault import Vault
from gateway.credentials.watch import StoreWatch
from gateway.ports import StoreUnavailable
from gateway.stores.contents import read_contents
from gateway.stores.database import Database
from gateway.stores.key_uses import read_key_uses
from tests.support.fakes import RecordingAudit


async def written(database: Database) -> dict[str, float]:
    return {key: moment.timestamp() for key, moment in (await read_key_uses(database)).items()}


async def test_uses_are_told_to_the_minute(database: Database) -> None:
    log = KeyUseLog(database)
    for now in (1200.0, 1259.9, 1201.5):
        log.note("GWAKA", now=now)
    log.note("GWAKB", now=1260.0)
    assert await written(database) == {}
    await log.flush()
    assert await written(database) == {"GWAKA": 1200, "GWAKB": 1260}


async def test_a_minute_is_written_once(database: Database) -> None:
    log = KeyUseLog(database)
    log.note("GWAKA", now=1200)
    await log.flush()
    log.note("GWAKA", now=1230)
    assert log._unwritten == {}
    log.note("GWAKA", now=1260)
    assert log._unwritten == {"GWAKA": 1260}


async def test_what_cannot_be_written_is_written_later(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "store.db", busy_timeout_seconds=0.1)
    other = await Database.open(tmp_path / "store.db")
    log = KeyUseLog(database)
    log.note("GWAKA", now=1200)
    async with other.write():
        with pytest.raises(StoreUnavailable):
            await log.flush()
    log.note("GWAKB", now=1200)
    await log.flush()
    assert await written(database) == {"GWAKA": 1200, "GWAKB": 1200}
    await other.aclose()
    await database.aclose()


async def test_replicas_keep_the_later_use(database: Database) -> None:
    first, second = KeyUseLog(database), KeyUseLog(database)
    first.note("GWAKA", now=1800)
    second.note("GWAKA", now=1200)
    await first.flush()
    await second.flush()
    assert await written(database) == {"GWAKA": 1800}


async def test_the_list_of_keys_says_when_each_was_used(
    database: Database, vault: Vault, issued_keys: IssuedKeys
) -> None:
    used, unused = await issued_keys.create(principal="a"), await issued_keys.create(principal="b")
    before = await read_contents(database)
    log = KeyUseLog(database)
    log.note(used.record.id, now=1200)
    await log.flush()
    keys = Administration(database, vault, RecordingAudit()).keys
    views = {view.id: view for view in await keys.page(limit=10)}
    assert views[used.record.id].last_used_at == datetime.fromtimestamp(1200, UTC)
    assert views[unused.record.id].last_used_at is None
    assert (await keys.show(used.record.id)).etag == views[used.record.id].etag
    assert await read_contents(database, before) is before
    await issued_keys.delete(used.record.id)
    assert await written(database) == {}


@pytest.mark.parametrize(
    ("left", "warned"),
    [
        (timedelta(minutes=5), True),
        (NOTICE - timedelta(minutes=1), True),
        (NOTICE + timedelta(days=1), False),
        (None, False),
    ],
    ids=str,
)
async def test_a_key_that_expires_soon_is_named_in_the_log(
    database: Database, issued_keys: IssuedKeys, left: timedelta | None, warned: bool
) -> None:
    now = datetime.now(UTC)
    issued = await issued_keys.create(principal="a", expires_at=now + left if left is not None else None)
    watch = StoreWatch(database)
    await watch.refresh()
    moments = [now]
    notices = ExpiryNotices(watch, clock=lambda: moments[-1])
    with structlog.testing.capture_logs() as lines:
        notices.look()
        notices.look()
    assert [line["access_key_id"] for line in lines] == ([issued.record.id] if warned else [])
    moments.append(now + REPEAT)
    with structlog.testing.capture_logs() as lines:
        notices.look()
    still = left is not None and timedelta(0) < left - REPEAT <= NOTICE
    assert len(lines) == (1 if still else 0)


async def test_a_disabled_key_may_expire_unmentioned(database: Database, issued_keys: IssuedKeys) -> None:
    issued = await issued_keys.create(principal="a", expires_at=datetime.now(UTC) + timedelta(hours=1))
    await issued_keys.disable(issued.record.id)
    watch = StoreWatch(database)
    await watch.refresh()
    with structlog.testing.capture_logs() as lines:
        ExpiryNotices(watch).look()
    assert lines == []
