"""A change as a whole: its audit line and its idempotency key stand or fall with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.credentials.access_keys import KeyEdit
from gateway.credentials.admin_tokens import AdminTokens
from gateway.credentials.administration import Administration
from gateway.credentials.changes import Author, Changes, Idempotency, Terms
from gateway.credentials.key_administration import KeyAdministration, NewKey, Rotation
from gateway.credentials.token_administration import NewAdminToken
from gateway.credentials.vault import Vault
from gateway.ports import AuditUnavailable, KeyState, Sealed, StoreUnavailable
from gateway.stores.access_keys import AccessKeyTable
from gateway.stores.admin_tokens import Role
from gateway.stores.database import Database
from gateway.stores.errors import RecordChanged, RecordConflict, RecordExists, RequestMismatch
from gateway.stores.idempotency import IdempotencyTable

TERMS = Terms(Author("local:test"))
NEW = NewKey("team:media")


class MemoryAuditLog:
    """Implements ports.AuditLog in memory; fails when told to, and looks at the store when asked to record."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.noted: list[dict[str, Any]] = []
        self.failing = False
        self.closing: Database | None = None

    async def record(self, event: Mapping[str, Any], described: bytes | None = None) -> None:
        if self.failing:
            raise AuditUnavailable("the disk is full")
        self.events.append(dict(event))

    def note(self, event: Mapping[str, Any]) -> None:
        self.noted.append(dict(event))


@pytest.fixture
def audit() -> MemoryAuditLog:
    return MemoryAuditLog()


@pytest.fixture
def administration(database: Database, vault: Vault, audit: MemoryAuditLog) -> Administration:
    return Administration(database, vault, audit)


def under(key: str, request: bytes = b"create", scope: str = "GWATONE") -> Terms:
    return replace(TERMS, idempotency=Idempotency(scope, key, request))


async def test_what_cannot_be_audited_does_not_happen(
    database: Database, administration: Administration, audit: MemoryAuditLog
) -> None:
    issued = await administration.keys.create(NEW, TERMS)
    assert issued.after is not None
    key_id, audit.failing = issued.after.id, True
    for attempt in (
        lambda: administration.keys.create(NEW, under("one")),
        lambda: administration.keys.edit(key_id, KeyEdit(state=KeyState.DISABLED), TERMS),
        lambda: administration.keys.rotate(key_id, Rotation(timedelta(hours=1)), TERMS),
        lambda: administration.keys.delete(key_id, TERMS),
        lambda: administration.tokens.create(NewAdminToken("x", Role.VIEWER), TERMS),
    ):
        with pytest.raises(AuditUnavailable):
            await attempt()
    (record,) = await AccessKeyTable(database).list()
    assert (record.id, record.state, record.expires_at) == (key_id, KeyState.ACTIVE, None)
    assert await AdminTokens(database).list() == []
    # The idempotency key was not used up either.
    audit.failing = False
    assert not (await administration.keys.create(NEW, under("one"))).replayed


async def test_the_line_is_written_before_the_change_is_seen(database: Database, vault: Vault) -> None:
    seen: list[int] = []

    class Looking(MemoryAuditLog):
        async def record(self, event: Mapping[str, Any], described: bytes | None = None) -> None:
            seen.append(len(await AccessKeyTable(database).list()))

    await Administration(database, vault, Looking()).keys.create(NEW, TERMS)
    assert seen == [0]
    assert len(await AccessKeyTable(database).list()) == 1


async def test_a_commit_that_fails_after_its_line_is_said(database: Database, vault: Vault) -> None:
    class Breaking(MemoryAuditLog):
        async def record(self, event: Mapping[str, Any], described: bytes | None = None) -> None:
            await super().record(event)
            raise_on_commit.append(True)

    raise_on_commit: list[bool] = []
    audit = Breaking()
    changes = Changes(database, audit)
    keys = KeyAdministration(database, vault, changes)
    async with database.write() as connection:
        await connection.execute("CREATE TABLE parents (id INTEGER PRIMARY KEY)")
        await connection.execute(
            "CREATE TABLE children (p INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)"
        )

    async def insert_an_orphan() -> None:
        async with changes.open(TERMS) as change:
            async with change.store.write() as connection:
                # A deferred constraint is checked by the commit itself.
                await connection.execute("INSERT INTO children VALUES (1)")
            change.done("test.broken", target="x", before=None, after=None)

    with pytest.raises(StoreUnavailable):
        await insert_an_orphan()
    assert raise_on_commit == [True]
    assert [(event["type"], event["action"]) for event in audit.noted] == [("admin_unconfirmed", "test.broken")]
    assert (await keys.create(NEW, TERMS)).after is not None


async def test_a_change_that_is_refused_leaves_no_line(administration: Administration, audit: MemoryAuditLog) -> None:
    await administration.tokens.create(NewAdminToken("x", Role.VIEWER), TERMS)
    lines = len(audit.events)
    with pytest.raises(RecordExists):
        await administration.tokens.create(NewAdminToken("x", Role.VIEWER), TERMS)
    assert (len(audit.events), audit.noted) == (lines, [])


async def test_applied_is_called_after_the_commit_and_not_after_a_dry_run(
    database: Database, vault: Vault, audit: MemoryAuditLog
) -> None:
    seen: list[int] = []

    async def applied() -> None:
        seen.append(len(await AccessKeyTable(database).list()))

    administration = Administration(database, vault, audit, applied=applied)
    await administration.keys.create(NEW, replace(TERMS, dry_run=True))
    await administration.keys.create(NEW, TERMS)
    await administration.keys.create(NEW, under("one"))
    await administration.keys.create(NEW, under("one"))
    assert seen == [1, 2]


async def test_a_dry_run_is_undone_and_leaves_no_line(
    database: Database, administration: Administration, audit: MemoryAuditLog
) -> None:
    outcome = await administration.keys.create(NEW, replace(under("one"), dry_run=True))
    assert outcome.after is not None
    assert (await AccessKeyTable(database).list(), audit.events) == ([], [])
    assert not (await administration.keys.create(NEW, under("one"))).replayed


async def test_a_dry_run_of_a_sealed_gateway_says_so(database: Database, audit: MemoryAuditLog) -> None:
    with pytest.raises(Sealed):
        await Administration(database, Vault(), audit).keys.create(NEW, replace(TERMS, dry_run=True))


async def test_a_tag_changes_with_the_record_and_only_with_it(administration: Administration) -> None:
    issued = (await administration.keys.create(NEW, TERMS)).after
    assert issued is not None
    assert (await administration.keys.show(issued.id)).etag == issued.etag
    edited = (await administration.keys.edit(issued.id, KeyEdit(label="x"), TERMS)).after
    assert edited is not None
    assert edited.etag != issued.etag
    with pytest.raises(RecordChanged):
        await administration.keys.delete(issued.id, replace(TERMS, if_match=frozenset({issued.etag})))
    await administration.keys.delete(issued.id, replace(TERMS, if_match=frozenset({edited.etag, "other"})))


async def test_a_repeated_creation_is_recognised_for_a_day(database: Database, vault: Vault) -> None:
    now = [datetime(2026, 7, 1, tzinfo=UTC)]
    keys = KeyAdministration(database, vault, Changes(database, MemoryAuditLog(), clock=lambda: now[0]))
    first = await keys.create(NEW, under("one"))
    now[0] += timedelta(hours=24, seconds=-1)
    again = await keys.create(NEW, under("one"))
    assert (again.replayed, again.secret) == (True, None)
    assert again.after == first.after
    now[0] += timedelta(seconds=1)
    assert not (await keys.create(NEW, under("one"))).replayed
    async with database.read() as connection:
        rows = (await connection.fetch("SELECT count(*) FROM idempotency_keys"))[0][0]
    assert rows == 1


async def test_an_idempotency_key_is_for_one_request_of_one_token(administration: Administration) -> None:
    await administration.keys.create(NEW, under("one"))
    with pytest.raises(RequestMismatch):
        await administration.keys.create(NewKey("team:other"), under("one", b"another request"))
    assert not (await administration.keys.create(NEW, under("one", scope="GWATTWO"))).replayed


async def test_what_was_created_and_removed_is_a_conflict(administration: Administration) -> None:
    issued = await administration.keys.create(NEW, under("one"))
    assert issued.after is not None
    await administration.keys.delete(issued.after.id, TERMS)
    with pytest.raises(RecordConflict):
        await administration.keys.create(NEW, under("one"))


async def test_neither_key_nor_request_can_be_read_from_the_idempotency_record(
    database: Database, administration: Administration
) -> None:
    terms = under("the-idempotency-key", b"the request with a secret")
    await administration.keys.create(NEW, terms)
    assert terms.idempotency is not None
    record = await IdempotencyTable(database).find(terms.idempotency.key_hash)
    assert record is not None
    assert "the" not in repr(terms.idempotency).replace("Idempotency", "")
    # The same request under another key has another fingerprint: it cannot be guessed without the key.
    other = Idempotency("GWATONE", "another-key", b"the request with a secret")
    assert record.fingerprint != other.fingerprint


async def test_a_token_is_found_until_it_expires_and_stored_as_a_hash_only(database: Database) -> None:
    now = [datetime(2026, 7, 1, tzinfo=UTC)]
    tokens = AdminTokens(database, clock=lambda: now[0])
    issued = await tokens.create(name="ci", role=Role.OPERATOR, expires_at=now[0] + timedelta(hours=1))
    token = issued.token.reveal()
    assert len(token) == 60
    assert await tokens.find(token) == issued.record
    for wrong in (token[:-1], token + "A", token.lower(), "", token[:20], token[:20] + "A" * 40, "é" * 60):
        assert await tokens.find(wrong) is None
    now[0] += timedelta(hours=1, seconds=-1)
    assert await tokens.find(token) is not None
    now[0] += timedelta(seconds=1)
    assert await tokens.find(token) is None
    file = Path(database.place)
    for path in file.parent.glob(f"{file.name}*"):
        assert token[20:].encode() not in path.read_bytes()
    assert token[20:] not in repr(issued)
