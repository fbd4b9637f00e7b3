"""How a session ends: with its time, with the key or the provider it was issued for, or by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.credentials.access_keys import IssuedKeys
from gateway.credentials.administration import Administration
from gateway.credentials.changes import Author, Terms
from gateway.credentials.master_key import MasterKey, new_master_key
from gateway.credentials.snapshot import KeySnapshot
from gateway.credentials.vault import Vault
from gateway.credentials.watch import StoreWatch
from gateway.ports import AccessKey, AuditUnavailable, KeyState, Sealed
from gateway.secret import Secret
from gateway.sessions.issue import MAX_SECONDS, MIN_SECONDS, Asked, IssuedSession, RefusedSession, SessionDesk
from gateway.sessions.opened import MAX_NARROWINGS, OpenSessions
from gateway.sessions.token import MAX_TOKEN_CHARACTERS, Grant, InvalidToken, new_session_id, open_token, seal_token
from gateway.stores.database import Database
from gateway.stores.errors import InvalidRecord
from policies.narrowing import MAX_BYTES, parse_narrowing
from policies.regions import Territories
from tests.support.fakes import RecordingAudit

NOW = 1_785_585_600
TERMS = Terms(Author("local:test"))
TERRITORIES = Territories()
CONFIGURED = AccessKey("AKIDCONFIGURED", Secret("configured-secret-000000000000001"), "app:batch")


@dataclass
class House:
    """A store with one key, and everything that issues and opens sessions."""

    database: Database
    vault: Vault
    watch: StoreWatch
    issued: IssuedKeys
    key_id: str
    audit: RecordingAudit
    configured: AccessKey = CONFIGURED
    providers: tuple[str, ...] = ("ci",)

    @property
    def keys(self) -> KeySnapshot:
        return KeySnapshot(self.watch, self.vault, configured=[self.configured])

    @property
    def opened(self) -> OpenSessions:
        return OpenSessions(self.keys, self.watch, self.vault, territories=TERRITORIES, providers=self.providers)

    def desk(self, **changes: int) -> SessionDesk:
        limits = {"default_seconds": 3600, "max_seconds": MAX_SECONDS, **changes}
        return SessionDesk(self.vault, self.audit, clock=lambda: NOW, **limits)

    async def session(self, key_id: str | None = None) -> IssuedSession:
        key = self.keys.find(key_id or self.key_id)
        assert key is not None
        return await self.desk().issue_for_key(key, Asked())

    def find(self, session: IssuedSession) -> AccessKey | None:
        return self.opened.find(session.id, session.token.reveal())


@pytest.fixture
def master_key() -> MasterKey:
    return new_master_key()


@pytest.fixture
async def house(tmp_path: Path, master_key: MasterKey) -> AsyncIterator[House]:
    vault = Vault([master_key])
    async with await Database.open(tmp_path / "store.db") as database:
        issued = IssuedKeys(database, vault)
        key = await issued.create(principal="team:media", labels={"tier": "one"}, networks=["10.0.0.0/8"])
        watch = StoreWatch(database)
        await watch.refresh()
        yield House(database, vault, watch, issued, key.record.id, RecordingAudit())


async def test_a_session_is_its_key_under_another_name(house: House) -> None:
    session = await house.session()
    found, key = house.find(session), house.keys.find(house.key_id)
    assert found is not None
    assert key is not None
    assert found.id == session.id
    assert found.secret.reveal() == session.secret.reveal()
    assert (found.principal, found.networks, found.labels) == (key.principal, key.networks, key.labels)
    assert found.session is not None
    assert found.session.parent == key.id
    assert found.session.expires_at == datetime.fromtimestamp(NOW + 3600, UTC)


async def test_a_disabled_keys_sessions_are_disabled_and_come_back_with_it(house: House) -> None:
    session = await house.session()
    await house.issued.disable(house.key_id)
    await house.watch.refresh()
    found = house.find(session)
    assert found is not None
    assert found.state is KeyState.DISABLED
    await house.issued.enable(house.key_id)
    await house.watch.refresh()
    found = house.find(session)
    assert found is not None
    assert found.state is KeyState.ACTIVE


async def test_a_deleted_keys_sessions_are_gone(house: House) -> None:
    session = await house.session()
    await house.issued.delete(house.key_id)
    await house.watch.refresh()
    assert house.find(session) is None


async def test_a_rotated_keys_sessions_end_with_it(house: House) -> None:
    session = await house.session()
    _, old = await house.issued.rotate(house.key_id, overlap=timedelta(hours=1))
    await house.watch.refresh()
    found = house.find(session)
    assert found is not None
    assert found.expires_at == old.expires_at


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(replace(CONFIGURED, secret=Secret("another-secret-0000000000000000001")), id="another secret"),
        pytest.param(replace(CONFIGURED, principal="team:other"), id="another principal"),
        pytest.param(replace(CONFIGURED, id="AKIDOTHER"), id="another id"),
    ],
)
async def test_a_configured_key_that_was_changed_takes_its_sessions_with_it(house: House, changed: AccessKey) -> None:
    session = await house.session(CONFIGURED.id)
    assert house.find(session) is not None
    house.configured = changed
    assert house.find(session) is None


async def test_an_identitys_session_ends_with_its_provider(house: House) -> None:
    session = await house.desk().issue_for_identity(principal="team:ci", provider="ci", also={}, asked=Asked())
    found = house.find(session)
    assert found is not None
    assert (found.principal, found.labels, found.networks) == ("team:ci", {}, ())
    house.providers = ("other",)
    assert house.find(session) is None


async def test_a_session_is_ended_by_its_id(house: House) -> None:
    first, second = await house.session(), await house.session()
    administration = Administration(house.database, house.vault, house.audit)
    outcome = await administration.sessions.end(first.id, TERMS)
    again = await administration.sessions.end(first.id, TERMS)
    await house.watch.refresh()
    ended, kept = house.find(first), house.find(second)
    assert ended is not None
    assert kept is not None
    assert (ended.state, kept.state) == (KeyState.DISABLED, KeyState.ACTIVE)
    assert (outcome.before.ended, again.before.ended) == (False, True)  # type: ignore[union-attr]
    assert [event["action"] for event in house.audit.of_type("admin")] == ["sessions.end", "sessions.end"]


@pytest.mark.parametrize(
    "text", ["", "GWTK", "GWAK" + "A" * 32, "GWTK" + "a" * 32, "GWTK" + "A" * 33, "GWTK" + "1" * 32]
)
async def test_what_is_no_sessions_id_is_not_ended(house: House, text: str) -> None:
    with pytest.raises(InvalidRecord):
        await Administration(house.database, house.vault, house.audit).sessions.end(text, TERMS)
    assert not house.audit.events


async def test_a_session_does_not_outlive_its_key(house: House) -> None:
    key = replace(CONFIGURED, expires_at=datetime.fromtimestamp(NOW + 100, UTC))
    session = await house.desk().issue_for_key(key, Asked(seconds=3600))
    assert session.expires_at == key.expires_at


async def test_no_session_is_issued_for_a_session(house: House) -> None:
    found = house.find(await house.session())
    assert found is not None
    with pytest.raises(RefusedSession):
        await house.desk().issue_for_key(found, Asked())


@pytest.mark.parametrize("seconds", [MIN_SECONDS - 1, 901, 0, -1])
async def test_a_duration_out_of_bounds_is_refused(house: House, seconds: int) -> None:
    with pytest.raises(RefusedSession):
        await house.desk(max_seconds=900).issue_for_key(CONFIGURED, Asked(seconds=seconds))


@pytest.mark.parametrize("seconds", [MIN_SECONDS, 900, None])
async def test_a_duration_within_bounds_is_kept(house: House, seconds: int | None) -> None:
    session = await house.desk(max_seconds=900).issue_for_key(CONFIGURED, Asked(seconds=seconds))
    assert session.expires_at == datetime.fromtimestamp(NOW + (900 if seconds is None else seconds), UTC)


async def test_without_an_audit_line_there_is_no_session(house: House) -> None:
    house.audit.broken = True
    with pytest.raises(AuditUnavailable):
        await house.session()


async def test_another_replica_with_the_same_master_key_opens_it(house: House, master_key: MasterKey) -> None:
    session = await house.session()
    replica = Vault([master_key])
    assert open_token(replica, session.id, session.token.reveal()).principal == "team:media"


async def test_a_new_master_key_keeps_sessions_while_the_old_one_is_loaded(house: House, master_key: MasterKey) -> None:
    session = await house.session()
    house.vault.load([new_master_key(), master_key])
    assert house.find(session) is not None
    house.vault.load([new_master_key()])
    assert house.opened.find(session.id, session.token.reveal()) is None


async def test_a_sealed_gateway_opens_nothing(house: House) -> None:
    session = await house.session()
    house.vault.load([])
    with pytest.raises(Sealed):
        house.find(session)
    with pytest.raises(Sealed):
        await house.desk().issue_for_key(CONFIGURED, Asked())


async def test_a_gateway_of_configured_keys_alone_has_no_sessions(tmp_path: Path, house: House) -> None:
    session = await house.session()
    async with await Database.open(tmp_path / "empty.db") as database:
        watch = StoreWatch(database)
        await watch.refresh()
        vault = Vault()
        keys = KeySnapshot(watch, vault, configured=[CONFIGURED])
        sessions = OpenSessions(keys, watch, vault, territories=TERRITORIES)
        assert sessions.find(session.id, session.token.reveal()) is None


def grant(**changes: object) -> Grant:
    fields = {
        "id": new_session_id(),
        "secret": Secret("s" * 40),
        "principal": "p" * 128,
        "parent": "k" * 128,
        "parent_check": b"c" * 16,
        "issued_at": NOW,
        "expires_at": NOW + 1,
        "policy": None,
        **changes,
    }
    return Grant(**fields)  # type: ignore[arg-type]


def test_the_longest_token_is_short_enough_for_a_header(master_key: MasterKey) -> None:
    vault = Vault([master_key])
    longest = grant(policy="x" * MAX_BYTES, principal="\U0001f511" * 128)
    token = seal_token(vault, longest).reveal()
    assert len(token) <= MAX_TOKEN_CHARACTERS
    assert open_token(vault, longest.id, token).policy == longest.policy


def test_a_token_has_no_character_that_a_url_escapes(master_key: MasterKey) -> None:
    token = seal_token(Vault([master_key]), grant()).reveal()
    assert token.replace("-", "").replace("_", "").isalnum()
    assert token.isascii()


def test_every_byte_of_a_token_counts(master_key: MasterKey) -> None:
    vault, of = Vault([master_key]), grant()
    token = seal_token(vault, of).reveal()
    for at in range(len(token)):
        wrong = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        with pytest.raises(InvalidToken):
            open_token(vault, of.id, wrong)
        with pytest.raises(InvalidToken):
            open_token(vault, of.id, token[:at])


def test_two_tokens_of_one_session_differ(master_key: MasterKey) -> None:
    vault, of = Vault([master_key]), grant()
    assert seal_token(vault, of).reveal() != seal_token(vault, of).reveal()


def test_neither_a_grant_nor_its_token_can_be_printed(master_key: MasterKey) -> None:
    of = grant(secret=Secret("canary-of-a-session"))
    token = seal_token(Vault([master_key]), of)
    assert "canary" not in f"{of!r} {of} {token!r} {token}"


async def test_compiled_policies_are_bounded(house: House) -> None:
    opened, key = house.opened, house.keys.find(house.key_id)
    assert key is not None
    for number in range(MAX_NARROWINGS + 5):
        text = (
            f'{{"statements": [{{"id": "s{number}", "effect": "allow", "actions": ["cos:GetObject"],'
            ' "resource": {"bucket": "*"}}]}'
        )
        asked = Asked(narrowing=parse_narrowing(text, territories=TERRITORIES))
        session = await house.desk().issue_for_key(key, asked)
        found = opened.find(session.id, session.token.reveal())
        assert found is not None
        assert found.session is not None
        assert found.session.narrowing == asked.narrowing
    assert len(opened._narrowings) == MAX_NARROWINGS
