"""A session's own policy only ever takes away from what the documents grant."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from cos.byte_range import ByteRange
from cos.values import Region
from policies.decision import Amendment, Decision, Effect, Fact, Mode, StatementTrace, Verdict
from policies.loading import DocumentSource, PolicySet, load_policies
from policies.narrowing import MAX_BYTES, MAX_STATEMENTS, Narrowing, parse_narrowing
from policies.problems import PolicyErrors
from policies.regions import Territories
from policies.request import AccessRequest, Caller, Facts
from tests.policies.building import MEDIA, changed, copy, end

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
    assert free.decide(changed(request, caller=caller, facts=facts)).verdict is verdict


def test_what_the_documents_want_measured_is_measured_in_a_session_too(documents: PolicySet) -> None:
    pair = {"source": {"bucket": "*", "key": "*"}, "destination": {"bucket": "*", "key": "*"}}
    own = narrowing({"id": "c", "effect": "allow", "actions": ["cos:UploadPartCopy"], **pair})
    request = copy(length=None)
    whole = changed(request, caller=Caller("team:media", "GWTKX", narrowing=own))
    assert documents.decide(whole).verdict is Verdict.NEEDS_FACTS
    assert documents.decide(changed(whole, byte_range=ByteRange(0, 9))).allowed


GOOD = json.dumps({"statements": [statement()]})
NO_OBJECT = "1:1: found something else, expected a JSON object of statements, and a version if any"
NO_LIST = f"1:1: statements: found something else, expected a list of 1 to {MAX_STATEMENTS} statements"
TWICE = "1:1: found no JSON text of a policy (a name is repeated), expected a JSON object"


def padded(number: int) -> str:
    return GOOD + " " * (number - len(GOOD))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        pytest.param("", "1:1: found no JSON text of a policy (", id="nothing"),
        pytest.param("null", NO_OBJECT, id="null"),
        pytest.param("[]", NO_OBJECT, id="a list"),
        pytest.param("version: 1\nstatements: []", "1:1: found no JSON text of a policy (Expecting", id="yaml"),
        pytest.param("{}", NO_OBJECT, id="no statements"),
        pytest.param('{"version": 1}', NO_OBJECT, id="a version alone"),
        pytest.param('{"statements": []}', NO_LIST, id="an empty list"),
        pytest.param('{"statements": {}}', NO_LIST, id="a mapping"),
        pytest.param('{"statements": {"id": "a"}}', NO_LIST, id="one statement without a list"),
        pytest.param('{"statements": [1]}', "1:31: statements[0]: found '1', expected a mapping", id="a number"),
        pytest.param(
            GOOD.replace('"id": "own", ', ""),
            "1:31: statements[0]: found a mapping without 'id', expected the key 'id'",
            id="no id",
        ),
        pytest.param(
            GOOD.replace('"statements"', '"version": 2, "statements"'),
            "1:13: version: found '2', expected 1, the only version of this format",
            id="another version",
        ),
        pytest.param(GOOD[:-1] + ', "tests": []}', NO_OBJECT, id="tests"),
        pytest.param(GOOD[:-1] + ', "sets": {}}', NO_OBJECT, id="sets"),
        pytest.param(GOOD[:-1] + ', "territories": {}}', NO_OBJECT, id="territories"),
        pytest.param(GOOD[:-1] + ', "statements": []}', TWICE, id="statements twice"),
        pytest.param(GOOD.replace('"effect"', '"effect": "deny", "effect"'), TWICE, id="an effect twice"),
        pytest.param(
            GOOD.replace("cos:GetObject", "cos:NoSuch"),
            "1:97: statements[0].actions[0]: found 'cos:NoSuch', expected an action the gateway knows",
            id="an unknown action",
        ),
        pytest.param(
            GOOD.replace("cos:GetObject", "cos:UploadPartCopy"),
            "1:97: statements[0].actions[0]: found 'cos:UploadPartCopy', expected an action that does not copy",
            id="a copy without its pair",
        ),
        pytest.param(
            GOOD.replace('"films/*"', "NaN"),
            "1:1: found no JSON text of a policy (NaN is not JSON), expected a JSON object",
            id="not a number",
        ),
        pytest.param(GOOD + " x", "1:1: found no JSON text of a policy (Extra data", id="text after it"),
        pytest.param('"\ud800"', "1:1: found half a character, expected text", id="half a character"),
        pytest.param("[" * 1000, "1:1: found no JSON text of a policy (maximum recursion", id="nested without end"),
        pytest.param(
            padded(MAX_BYTES + 1), f"1:1: found {MAX_BYTES + 1} bytes, expected at most {MAX_BYTES}", id="too long"
        ),
        pytest.param(json.dumps({"statements": [{"id": f"{n}"} for n in range(17)]}), NO_LIST, id="too many"),
        pytest.param(
            json.dumps({"statements": [statement(), statement()]}),
            "1:206: statements[1].id: found 'own', expected an id of its own (also on line 1)",
            id="one id twice",
        ),
        pytest.param(
            json.dumps({"statements": [statement(when={"no_such_rule": 1})]}),
            "1:186: statements[0].when.no_such_rule: found 'no_such_rule', expected a rule kind: alignment,",
            id="an unknown rule",
        ),
    ],
)
def test_a_text_that_is_no_policy_is_refused(text: str, error: str) -> None:
    with pytest.raises(PolicyErrors) as caught:
        parse_narrowing(text, territories=Territories())
    first = str(caught.value.errors[0])
    assert first.startswith(f"session policy:{error}")
    assert len(first) < 400


def test_what_the_parser_says_is_cut() -> None:
    with pytest.raises(PolicyErrors) as caught:
        parse_narrowing("[" * 1000, territories=Territories())
    assert len(caught.value.errors[0].found) == len("no JSON text of a policy ()") + 80


def test_as_much_as_may_be_is_accepted() -> None:
    assert parse_narrowing(padded(MAX_BYTES), territories=Territories())
    short = {"effect": "deny", "actions": "cos:*", "resource": {"bucket": "*"}}
    most = json.dumps({"version": 1, "statements": [{"id": f"{n}", **short} for n in range(MAX_STATEMENTS)]})
    assert parse_narrowing(most, territories=Territories())


def test_equal_texts_are_equal_policies_of_one_digest() -> None:
    one, again, other = (parse_narrowing(text, territories=Territories()) for text in (GOOD, GOOD, GOOD + " "))
    assert one == again
    assert len({one, again, other}) == 2
    assert one != GOOD
    assert one.digest == again.digest == hashlib.sha256(GOOD.encode()).hexdigest()[:12]
    assert other.digest != one.digest


def test_the_territories_of_the_gateway_are_those_of_a_session() -> None:
    ends = {end: {"bucket": "*"} for end in ("source", "destination")}
    rule = {"id": "c", "effect": "allow", "actions": ["cos:*"], "when": {"territory": "overseas->overseas"}, **ends}
    text = json.dumps({"statements": [rule]})
    request = copy(source=end(MEDIA, region="me-jeddah"), destination=end(MEDIA, region="me-jeddah"))
    known = Territories().extended(overseas=[Region("me-jeddah")])
    granted = Decision(Verdict.ALLOW, "v")
    assert parse_narrowing(text, territories=known).narrow(granted, request).allowed
    assert not parse_narrowing(text, territories=Territories()).narrow(granted, request).allowed


TRACE = StatementTrace("wide", "films.yaml", Effect.ALLOW, Mode.ENFORCE, matched=True)
PIN = Amendment("copy-source-if-match", '"d"', "source_conditions.pin")
GRANTED = Decision(Verdict.ALLOW, "v1", "wide", "films.yaml", trace=(TRACE,), amendments=(PIN,))


def test_what_is_left_has_the_version_the_trace_and_the_amendments_of_both() -> None:
    own = narrowing(statement())
    allowed = own.narrow(GRANTED, asked(own))
    assert allowed == changed(GRANTED, trace=allowed.trace)
    assert [trace.statement_id for trace in allowed.trace] == ["wide", "own"]


def test_a_denial_of_the_session_has_its_reason_beside_both_traces() -> None:
    own = narrowing(statement(when={"version": "require"}))
    denied = own.narrow(GRANTED, asked(own))
    assert (denied.verdict, denied.version, denied.statement_id) == (Verdict.DENY, "v1", None)
    assert denied.reason == "session.version: no version is named, one is required"
    assert [trace.statement_id for trace in denied.trace] == ["wide", "own"]
    assert denied.amendments == ()


def test_a_session_that_says_nothing_of_a_request_refuses_it_in_its_own_name() -> None:
    own = narrowing(statement(principals=["team:x"]))
    denied = own.narrow(GRANTED, asked(own))
    assert denied.reason == "session.principal: no statement names 'team:media'"


@pytest.mark.parametrize(
    ("granted_needs", "own_when", "needs"),
    [
        (set(), {"range": {"max": "1MiB"}}, {Fact.SOURCE_SIZE}),
        ({Fact.SOURCE_ETAG}, {"range": {"max": "1MiB"}}, {Fact.SOURCE_ETAG, Fact.SOURCE_SIZE}),
        ({Fact.SOURCE_ETAG}, {}, {Fact.SOURCE_ETAG}),
    ],
)
def test_the_facts_of_both_are_asked_for_at_once(
    granted_needs: set[Fact], own_when: dict[str, Any], needs: set[Fact]
) -> None:
    ends = {end: {"bucket": "*"} for end in ("source", "destination")}
    own = narrowing({"id": "c", "effect": "allow", "actions": ["cos:*"], "when": own_when, **ends})
    granted = changed(GRANTED, verdict=Verdict.NEEDS_FACTS, needs=frozenset(granted_needs))
    left = own.narrow(granted if granted_needs else GRANTED, copy(length=None))
    assert (left.verdict, left.version, left.needs) == (Verdict.NEEDS_FACTS, "v1", needs)
    assert [trace.statement_id for trace in left.trace] == ["wide", "c"]
    assert left.amendments == ()


def test_what_a_session_adds_is_added_once() -> None:
    ends = {end: {"bucket": "*"} for end in ("source", "destination")}
    pinned = {
        "id": "c",
        "effect": "allow",
        "actions": ["cos:*"],
        "when": {"source_conditions": {"pin": "etag"}},
        **ends,
    }
    own = narrowing(pinned)
    request = changed(copy(), facts=Facts(measured=True, source_size_bytes=9, source_etag="e"))
    (added,) = own.narrow(changed(GRANTED, amendments=()), request).amendments
    assert own.narrow(changed(GRANTED, amendments=(added,)), request).amendments == (added,)
    assert own.narrow(changed(GRANTED, amendments=(PIN,)), request).amendments == (PIN, added)
