"""A session's own policy only ever takes away from what the documents grant."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from cos.byte_range import ByteRange
from policies.decision import Verdict
from policies.loading import DocumentSource, PolicySet, load_policies
from policies.narrowing import MAX_BYTES, MAX_STATEMENTS, Narrowing, parse_narrowing
from policies.problems import PolicyErrors
from policies.regions import Territories
from policies.request import AccessRequest, Caller, Facts
from tests.policies.building import MEDIA, copy, end

DOCUMENT = """
version: 1
statements:
  - id: films
    effect: allow
    principals: ["team:media"]
    actions: ["cos:GetObject", "cos:PutObject"]
    resource: {bucket: media-1250000000, key: "films/*"}
  - id: no-drafts
    effect: deny
    principals: ["team:media"]
    actions: ["cos:*"]
    resource: {bucket: media-1250000000, key: "films/draft/*"}
  - id: small
    effect: allow
    principals: ["team:media"]
    actions: ["cos:UploadPartCopy"]
    source: {bucket: "*", key: "*"}
    destination: {bucket: "*", key: "*"}
    when: {range: {max: 1MiB}}
"""


def statement(**changes: Any) -> dict[str, Any]:
    return {
        "id": "own",
        "effect": "allow",
        "actions": ["cos:GetObject"],
        "resource": {"bucket": "media-1250000000", "key": "films/*"},
        **changes,
    }


def narrowing(*statements: dict[str, Any]) -> Narrowing:
    return parse_narrowing(json.dumps({"statements": list(statements)}), territories=Territories())


@pytest.fixture(scope="module")
def documents() -> PolicySet:
    return load_policies([DocumentSource("films.yaml", DOCUMENT)])


def asked(own: Narrowing | None, action: str = "cos:GetObject", key: str = "films/a") -> AccessRequest:
    caller = Caller("team:media", "GWTKX", parent="GWAKX", narrowing=own)
    return AccessRequest(caller, action, end(MEDIA, key))


PUT = statement(actions=["cos:PutObject"])
DENY = statement(effect="deny")


@pytest.mark.parametrize(
    ("own", "action", "key", "allowed"),
    [
        pytest.param([statement()], "cos:GetObject", "films/a", True, id="both allow"),
        pytest.param([statement()], "cos:PutObject", "films/a", False, id="the session does not"),
        pytest.param([statement(actions=["cos:*"])], "cos:DeleteObject", "films/a", False, id="the documents do not"),
        pytest.param([statement()], "cos:GetObject", "films/draft/a", False, id="the documents deny"),
        pytest.param([statement(), {**DENY, "id": "b"}], "cos:GetObject", "films/a", False, id="the session denies"),
        pytest.param([DENY], "cos:GetObject", "films/a", False, id="a deny alone allows nothing"),
        pytest.param([statement(mode="shadow")], "cos:GetObject", "films/a", False, id="shadow allows nothing"),
        pytest.param([statement(principals=["team:media"])], "cos:GetObject", "films/a", True, id="its own principal"),
        pytest.param([statement(principals=["team:x"])], "cos:GetObject", "films/a", False, id="another principal"),
        pytest.param(
            [statement(resource={"bucket": "*", "key": "*"})],
            "cos:GetObject",
            "other/a",
            False,
            id="wider than granted",
        ),
    ],
)
def test_both_must_allow(documents: PolicySet, own: list[dict[str, Any]], action: str, key: str, allowed: bool) -> None:
    decision = documents.decide(asked(narrowing(*own), action, key))
    assert decision.allowed is allowed
    assert decision.version == documents.version


def test_without_a_policy_of_its_own_a_session_may_what_its_key_may(documents: PolicySet) -> None:
    assert documents.decide(asked(None)).allowed


def test_the_reason_says_that_it_was_the_session(documents: PolicySet) -> None:
    decision = documents.decide(asked(narrowing(PUT)))
    assert decision.reason.startswith("session."), decision.reason
    assert decision.trace[0].statement_id == "films"


def test_a_denial_by_the_documents_keeps_its_reason(documents: PolicySet) -> None:
    denied = asked(narrowing(statement()), key="films/draft/a")
    assert "no-drafts" in documents.decide(denied).reason


@pytest.mark.parametrize(("size", "verdict"), [(None, Verdict.NEEDS_FACTS), (10, Verdict.ALLOW), (2**21, Verdict.DENY)])
def test_a_fact_that_only_the_session_asks_for_is_measured(size: int | None, verdict: Verdict) -> None:
    free = load_policies([DocumentSource("free.yaml", DOCUMENT.replace("when: {range: {max: 1MiB}}", ""))])
    pair = {"source": {"bucket": "*", "key": "*"}, "destination": {"bucket": "*", "key": "*"}}
    copies = {
        "id": "c",
        "effect": "allow",
        "actions": ["cos:UploadPartCopy"],
        "when": {"range": {"max": "1MiB"}},
        **pair,
    }
    own = narrowing(copies)
    request = copy(length=None)
    caller = Caller("team:media", "GWTKX", narrowing=own)
    facts = Facts() if size is None else Facts(measured=True, source_size_bytes=size)
    assert free.decide(replace(request, caller=caller, facts=facts)).verdict is verdict


def test_what_the_documents_want_measured_is_measured_in_a_session_too(documents: PolicySet) -> None:
    pair = {"source": {"bucket": "*", "key": "*"}, "destination": {"bucket": "*", "key": "*"}}
    own = narrowing({"id": "c", "effect": "allow", "actions": ["cos:UploadPartCopy"], **pair})
    request = copy(length=None)
    whole = replace(request, caller=Caller("team:media", "GWTKX", narrowing=own))
    assert documents.decide(whole).verdict is Verdict.NEEDS_FACTS
    assert documents.decide(replace(whole, byte_range=ByteRange(0, 9))).allowed


GOOD = json.dumps({"statements": [statement()]})


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("null", id="null"),
        pytest.param("[]", id="a list"),
        pytest.param("version: 1\nstatements: []", id="yaml"),
        pytest.param("{}", id="no statements"),
        pytest.param('{"statements": []}', id="an empty list"),
        pytest.param('{"statements": {}}', id="a mapping"),
        pytest.param('{"statements": [1]}', id="a number for a statement"),
        pytest.param('{"statements": [{}]}', id="an empty statement"),
        pytest.param(GOOD.replace('"statements"', '"version": 2, "statements"'), id="another version"),
        pytest.param(GOOD[:-1] + ', "tests": []}', id="tests"),
        pytest.param(GOOD[:-1] + ', "sets": {}}', id="sets"),
        pytest.param(GOOD[:-1] + ', "territories": {}}', id="territories"),
        pytest.param(GOOD[:-1] + ', "statements": []}', id="statements twice"),
        pytest.param(GOOD.replace('"effect"', '"effect": "deny", "effect"'), id="an effect twice"),
        pytest.param(GOOD.replace("cos:GetObject", "cos:NoSuch"), id="an unknown action"),
        pytest.param(GOOD.replace("cos:GetObject", "cos:UploadPartCopy"), id="a copy without its pair"),
        pytest.param(GOOD.replace('"films/*"', "NaN"), id="not a number"),
        pytest.param(GOOD + " x", id="text after it"),
        pytest.param("[" * 1000, id="nested without end"),
        pytest.param(GOOD + " " * MAX_BYTES, id="too long"),
        pytest.param(
            json.dumps({"statements": [{"id": str(n)} for n in range(MAX_STATEMENTS + 1)]}), id="too many statements"
        ),
        pytest.param(json.dumps({"statements": [statement(), statement()]}), id="one id twice"),
        pytest.param(json.dumps({"statements": [statement(when={"no_such_rule": 1})]}), id="an unknown rule"),
    ],
)
def test_a_text_that_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(PolicyErrors):
        parse_narrowing(text, territories=Territories())


def test_as_long_as_may_be_is_accepted() -> None:
    text = GOOD + " " * (MAX_BYTES - len(GOOD))
    assert parse_narrowing(text, territories=Territories()) == parse_narrowing(text, territories=Territories())
    assert parse_narrowing(text, territories=Territories()) != parse_narrowing(GOOD, territories=Territories())
