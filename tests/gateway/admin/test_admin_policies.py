"""Policies, buckets and audit events through the admin API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.gateway.admin.asserting import refused
from tests.gateway.admin.conftest import Admin
from tests.support.client import Client, target
from tests.support.gateway_server import ALLOW_EVERYTHING, PRINCIPAL
from tests.support.names import BUCKETS, EXAMPLE, FOREIGN, SOURCE, Key

BROKEN = "version: 1\nstatements:\n  - id: x\n    effect: alow\n"
FAILING = (
    ALLOW_EVERYTHING
    + """\
tests:
  - name: nobody may read
    request: {principal: "team:conformance", action: "cos:GetObject", resource: "examplebucket-1250000000/a"}
    expect: deny
"""
)


@pytest.fixture
def document(admin: Admin, api: httpx.Client) -> Iterator[Any]:
    """The policy file, put back as it was."""
    (path,) = admin.settings.policies.paths
    yield path
    path.write_text(ALLOW_EVERYTHING, "utf-8")
    assert api.post("/policies/reload").status_code == 200


def test_the_active_documents_are_named(admin: Admin, api: httpx.Client) -> None:
    shown = api.get("/policies").json()
    assert shown["version"] == admin.gateway.services.policies.active.version
    assert shown["healthy"] is True
    assert [item["name"].rsplit("/", 1)[-1] for item in shown["documents"]] == ["policy.yaml"]
    assert shown["documents"][0]["statements"] == len(admin.gateway.services.policies.active.statements)


def test_a_reload_switches_to_what_is_on_disk_and_is_audited(admin: Admin, api: httpx.Client, document: Any) -> None:
    before = api.get("/policies").json()["version"]
    document.write_text(ALLOW_EVERYTHING + "# changed\n", "utf-8")
    would = api.post("/policies/reload?dry_run=true").json()
    assert would["before"]["version"] == before != would["after"]["version"]
    assert api.get("/policies").json()["version"] == before
    after = api.post("/policies/reload").json()["version"]
    assert after == would["after"]["version"] == admin.gateway.services.policies.active.version
    event = admin.last_change()
    assert (event["action"], event["actor"]) == ("policies.reload", "test-security")
    assert (event["before"]["version"], event["after"]["version"]) == (before, after)


@pytest.mark.parametrize(("text", "words"), [(BROKEN, "alow"), (FAILING, "nobody may read"), ("{", "")])
def test_a_refused_reload_names_every_error_and_keeps_the_active_set(
    api: httpx.Client, document: Any, text: str, words: str
) -> None:
    before = api.get("/policies").json()["version"]
    document.write_text(text, "utf-8")
    problem = refused(api.post("/policies/reload"), 422, "invalid")
    assert any("policy.yaml:" in error["field"] for error in problem["errors"])
    assert words in str(problem["errors"])
    shown = api.get("/policies").json()
    assert shown["version"] == before
    assert "refused" in shown["state"]


COPY: dict[str, Any] = {
    "principal": PRINCIPAL,
    "action": "cos:UploadPartCopy",
    "source": f"{SOURCE.name}/a",
    "destination": {"bucket": EXAMPLE.name, "key": "b"},
    "range": "bytes=0-1048575",
    "part_number": 1,
}


def test_a_decision_is_explained_with_its_trace(api: httpx.Client) -> None:
    answer = api.post("/policies/explain", json=COPY)
    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["verdict"], shown["statement"]) == ("allow", "copies")
    assert [item["matched"] for item in shown["trace"] if item["statement"] == "copies"] == [True]


def test_a_denial_is_explained_by_what_would_have_to_change(api: httpx.Client) -> None:
    shown = api.post("/policies/explain", json={**COPY, "principal": "team:nobody"}).json()
    assert (shown["verdict"], shown["statement"]) == ("deny", None)
    assert shown["violations"][0]["rule"] == "principal"


def test_a_sessions_own_policy_is_judged_beside_the_documents(api: httpx.Client) -> None:
    def narrow(most: str) -> str:
        statement = {"id": "s", "effect": "allow", "actions": ["cos:UploadPartCopy"], "source": {"bucket": "*"},
                     "destination": {"bucket": "*"}, "when": {"range": {"max": most}}}  # fmt: skip
        return json.dumps({"statements": [statement]})

    allowed = api.post("/policies/explain", json={**COPY, "session_policy": narrow("1MiB")}).json()
    refused_ = api.post("/policies/explain", json={**COPY, "session_policy": narrow("1KiB")}).json()
    assert (allowed["verdict"], allowed["statement"]) == ("allow", "copies")
    assert (refused_["verdict"], refused_["violations"][0]["rule"]) == ("deny", "session.range.max")
    assert [item["statement"] for item in refused_["trace"]][-1] == "s"


def test_a_rule_of_cos_itself_shows_the_code_a_caller_gets(api: httpx.Client) -> None:
    huge = {**COPY, "range": f"bytes=0-{6 * 1024**3}"}
    shown = api.post("/policies/explain", json=huge).json()
    assert shown["verdict"] == "deny"
    assert shown["violations"][0]["code"] != "AccessDenied"


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"principal": ""}, "principal"),
        ({"action": "cos:Nothing"}, "action"),
        ({"action": ["cos:GetObject"]}, "action"),
        ({"source": "Not_A_Bucket/a"}, "source"),
        ({"source": {"bucket": SOURCE.name, "colour": "red"}}, "source.End.colour"),
        ({"source": {"key": "a"}}, "source.End.bucket"),
        ({"resource": f"{SOURCE.name}/a"}, "resource"),
        ({"range": "bytes=9-1"}, "range"),
        ({"part_number": 0}, "part_number"),
        ({"part_number": 10001}, "part_number"),
        ({"part_number": "1"}, "part_number"),
        ({"size": "10 parsecs"}, "size"),
        ({"size": -1}, "size"),
        ({"conditions": {"if-none": "x"}}, "conditions.if-none"),
        ({"time": "yesterday"}, "time"),
        ({"principal": "p" * 2049}, "principal"),
        ({"unknown": 1}, "unknown"),
        ({"session_policy": "{}"}, "session_policy"),
    ],
)
def test_a_request_that_is_none_is_not_explained(api: httpx.Client, fields: dict[str, Any], place: str) -> None:
    problem = refused(api.post("/policies/explain", json={**COPY, **fields}), 422, "invalid")
    assert place in [error["field"] for error in problem["errors"]]


def test_the_registry_is_listed_by_name_in_pages(api: httpx.Client) -> None:
    ours = sorted(bucket.name for bucket in BUCKETS if bucket != FOREIGN)
    first = api.get("/buckets", params={"limit": "2"}).json()
    rest = api.get("/buckets", params={"cursor": first["next_cursor"]}).json()
    assert [item["name"] for item in first["items"] + rest["items"]] == ours
    assert rest["next_cursor"] is None
    assert {item["region"] for item in first["items"]} <= {bucket.region for bucket in BUCKETS}


async def test_a_denied_request_is_found_by_its_decision_id(admin: Admin, api: httpx.Client) -> None:
    issued = api.post("/access-keys", json={"principal": "team:nobody"}).json()
    caller = Key(issued["id"], issued["secret"])
    answer = await Client(admin.gateway.data_port, caller).send("GET", EXAMPLE.host, target("a"))
    assert answer.status == 403
    decision_id = answer.text("DecisionId")
    found: dict[str, Any] = {}
    for _ in range(100):
        found = api.get("/audit/events", params={"id": decision_id}).json()
        if found["items"]:
            break
    assert [item["decision_id"] for item in found["items"]] == [decision_id]
    assert found["complete"] is True
    assert issued["secret"] not in str(found)


def test_a_change_is_found_by_its_request_id(api: httpx.Client) -> None:
    answer = api.post("/access-keys", json={"principal": "team:media"})
    found = api.get("/audit/events", params={"id": answer.headers["x-request-id"]}).json()
    assert [item["target"] for item in found["items"]] == [answer.json()["id"]]


@pytest.mark.parametrize(
    "identifier", ["", "short", 'quote"quote', "two words", "back\\slash", "x" * 257, "\u00e9" * 9]
)
def test_an_id_that_is_none_is_not_searched(api: httpx.Client, identifier: str) -> None:
    refused(api.get("/audit/events", params={"id": identifier}), 400, "invalid-request")


def test_an_unknown_id_finds_nothing(api: httpx.Client) -> None:
    assert api.get("/audit/events", params={"id": "d-0000000000000000"}).json() == {"items": [], "complete": True}
