"""What a session's own policy decided is decided again, and alike, from the audit log."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.policy_documents import session_policies
from gateway.cli.policy_history import SESSION, Recorded, read_history
from gateway.policy_files import read_documents
from policies.loading import PolicySet, load_policies
from tests.gateway.sessions.conftest import SessionSite
from tests.support.names import EXAMPLE, SOURCE, Key

NARROW = {
    "statements": [
        {
            "id": "films",
            "effect": "allow",
            "actions": ["cos:PutObject", "cos:GetObject", "cos:DeleteMultipleObjects"],
            "resource": {"bucket": EXAMPLE.name, "key": "films/*"},
        },
        {
            "id": "copies",
            "effect": "allow",
            "actions": ["cos:PutObjectCopy"],
            "source": {"bucket": SOURCE.name, "key": "in/*"},
            "destination": {"bucket": EXAMPLE.name, "key": "films/*"},
            "when": {"source_size": {"max": 4}},
        },
        {
            "id": "no-trailers",
            "effect": "deny",
            "actions": ["cos:PutObject"],
            "resource": {"bucket": EXAMPLE.name, "key": "films/trailers/*"},
        },
    ]
}


@dataclass(frozen=True, slots=True)
class Past:
    """The decisions of one session, and the documents that were active."""

    recorded: list[Recorded]
    documents: PolicySet


@pytest.fixture
async def past(session_site: SessionSite) -> Past:
    for name, body in (("in/small", b"1234"), ("in/large", b"12345")):
        assert (await session_site.client.send("PUT", SOURCE.host, f"/{name}", body=body)).status == 200
    key = await session_site.session(Policy=NARROW)
    holder = session_site.holder(key)
    batch = b"<Delete><Object><Key>films/a</Key></Object><Object><Key>other/a</Key></Object></Delete>"
    statuses = [
        (await holder.send("PUT", EXAMPLE.host, "/films/a", body=b"x")).status,
        (await holder.send("PUT", EXAMPLE.host, "/films/trailers/a", body=b"x")).status,
        (await holder.send("PUT", EXAMPLE.host, "/other/a", body=b"x")).status,
        (await holder.send("DELETE", EXAMPLE.host, "/films/a")).status,
        (await holder.send("PUT", EXAMPLE.host, "/films/b", headers=[copy_of("in/small")])).status,
        (await holder.send("PUT", EXAMPLE.host, "/films/c", headers=[copy_of("in/large")])).status,
        (await holder.send("POST", EXAMPLE.host, "/?delete", body=batch)).status,
    ]
    assert statuses == [200, 403, 403, 403, 200, 403, 403]
    return Past(decisions_of(session_site.folder / "audit.jsonl", key), documents_of(session_site))


def copy_of(key: str) -> tuple[str, str]:
    return ("x-cos-copy-source", SOURCE.source(key))


def outcomes_of(log: Path, key: Key, count: int) -> list[dict[str, Any]]:
    """The outcomes of a session's requests, once they are written, which happens after the answers."""
    deadline = time.monotonic() + 30
    while True:
        # The last line may be on its way.
        events = [json.loads(line) for line in log.read_text("utf-8").rpartition("\n")[0].splitlines()]
        found = [e for e in events if e.get("access_key_id") == key.secret_id and e["type"] == "outcome"]
        if len(found) == count:
            return found
        assert time.monotonic() < deadline, "the outcomes were not written"
        time.sleep(0.05)


def decisions_of(log: Path, key: Key) -> list[Recorded]:
    own = {event["request_id"] for event in outcomes_of(log, key, 7)}
    return [entry for entry in read_history([log], narrowing=session_policies(None)) if entry.request_id in own]


def documents_of(site: SessionSite) -> PolicySet:
    return load_policies(read_documents(site.gateway.services.settings.policies.paths))


async def test_enforcement_and_the_audit_log_agree(past: Past) -> None:
    # The batch holds two decisions: a key that was allowed, and the one that ended it.
    assert [entry.allowed for entry in past.recorded] == [True, False, False, False, True, False, True, False]
    for entry in past.recorded:
        again = past.documents.decide(entry.asked)
        assert again.allowed is entry.allowed, entry
        if not entry.allowed:
            assert (again.reason, again.statement_id) == (entry.reason, entry.statement)


async def test_it_is_the_sessions_own_policy_that_refused(past: Past) -> None:
    refused = [entry for entry in past.recorded if not entry.allowed]
    assert all((entry.reason or "").startswith(SESSION) for entry in refused)
    for entry in refused:
        assert entry.asked.caller.narrowing is not None
        assert past.documents.decide(without_session(entry.asked)).allowed


def without_session(asked: Any) -> Any:
    from msgspec.structs import replace

    return replace(asked, caller=replace(asked.caller, narrowing=None))


async def test_what_is_recorded_is_the_policy_and_no_secret(session_site: SessionSite) -> None:
    key = await session_site.session(Policy=NARROW)
    await session_site.holder(key).send("GET", EXAMPLE.host, "/other/a")
    log = session_site.folder / "audit.jsonl"
    (outcome,) = outcomes_of(log, key, 1)
    assert json.loads(outcome["asked"]["session_policy"]) == NARROW
    assert all(secret not in log.read_text("utf-8") for secret in (key.secret_key, key.token or "-"))


async def test_a_session_without_a_policy_of_its_own_records_none(session_site: SessionSite) -> None:
    key = await session_site.session()
    await session_site.holder(key).send("GET", EXAMPLE.host, "/films/none")
    (outcome,) = outcomes_of(session_site.folder / "audit.jsonl", key, 1)
    assert "session_policy" not in outcome["asked"]
