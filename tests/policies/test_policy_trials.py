"""Statements on trial decide nothing, rules that raise deny, and what contradicts itself is refused at load."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from policies.decision import Effect, Mode, Outcome, Verdict
from policies.engine import Engine
from policies.patterns import Pattern
from policies.request import AccessRequest
from policies.statement import Selector, Statement
from tests.policies.building import GOOD, MEDIA, RAW, copy, decide, document, end, errors_of, load, on, pair, plain

READ = plain("cos:GetObject", end(RAW, "a"))


@pytest.mark.parametrize(
    ("statements", "verdict", "rehearsed"),
    [
        ([pair()], Verdict.ALLOW, None),
        ([pair(), pair("t", mode="shadow")], Verdict.ALLOW, Verdict.ALLOW),
        ([pair(), pair("t", mode="shadow", effect="deny")], Verdict.ALLOW, Verdict.DENY),
        ([pair("t", mode="shadow")], Verdict.DENY, Verdict.ALLOW),
        ([pair("t", mode="shadow", when="{part_number: {min: 2}}")], Verdict.DENY, Verdict.DENY),
        (
            [pair(), pair("t", mode="shadow", effect="deny", when="{part_number: {min: 2}}")],
            Verdict.ALLOW,
            Verdict.ALLOW,
        ),
        ([pair("no", effect="deny"), pair("t", mode="shadow")], Verdict.DENY, Verdict.DENY),
    ],
    ids=["none", "allow too", "would deny", "would allow", "would not match", "deny does not match", "denied anyway"],
)
def test_what_shadow_statements_would_decide_stands_beside_the_verdict(
    statements: list[str], verdict: Verdict, rehearsed: Verdict | None
) -> None:
    decision = decide(copy(), *statements)
    assert (decision.verdict, decision.rehearsed) == (verdict, rehearsed)


def test_a_document_on_trial_makes_all_its_statements_shadows() -> None:
    text = document(pair("a"), pair("b", effect="deny")).replace("version: 1\n", "version: 1\nmode: shadow\n")
    policies = load(document(pair("real")), text)
    decision = policies.decide(copy())
    assert (decision.verdict, decision.statement_id, decision.rehearsed) == (Verdict.ALLOW, "real", Verdict.DENY)
    assert [trace.statement_id for trace in decision.shadows] == ["a", "b"]


def test_a_document_that_says_enforce_leaves_its_shadows_alone() -> None:
    text = document(pair("a", mode="shadow")).replace("version: 1\n", "version: 1\nmode: enforce\n")
    assert load(text).statements[0].mode is Mode.SHADOW


# --- rules that raise ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Faulty:
    """A rule that breaks its promise."""

    def check(self, request: AccessRequest) -> Outcome:
        raise TypeError("expected str, got None")


def faulty(mode: Mode = Mode.ENFORCE, effect: Effect = Effect.ALLOW) -> Statement:
    return Statement(
        id="faulty",
        document="a.yaml",
        line=1,
        effect=effect,
        mode=mode,
        principals=(Pattern("*"),),
        actions=frozenset({"cos:GetObject"}),
        resource=Selector("resource", (Pattern("*"),)),
        rules=(Faulty(),),
    )


@pytest.mark.parametrize("effect", list(Effect))
def test_a_rule_that_raises_denies_and_is_an_error_not_a_reason(effect: Effect) -> None:
    allowing = load(document(on())).statements
    decision = Engine([*allowing, faulty(effect=effect)], "v").decide(READ)
    assert (decision.verdict, decision.statement_id, decision.code) == (Verdict.DENY, None, "InternalError")
    (error,) = decision.errors
    assert (error.statement_id, error.document, error.error) == (
        "faulty",
        "a.yaml",
        "TypeError: expected str, got None",
    )
    assert "TypeError" not in decision.reason
    assert [trace.statement_id for trace in decision.trace] == ["read", "faulty"]


def test_a_rule_of_a_shadow_statement_that_raises_refuses_nothing() -> None:
    allowing = load(document(on())).statements
    decision = Engine([*allowing, faulty(Mode.SHADOW)], "v").decide(READ)
    assert (decision.verdict, decision.rehearsed) == (Verdict.ALLOW, Verdict.ALLOW)
    assert len(decision.errors) == 1


# --- what is refused at load --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("principals: [team:media]", "principals: []", "statements[0].principals"),
        ("actions: [cos:UploadPartCopy]", "actions: []", "statements[0].actions"),
        ("regions: [ap-guangzhou]", "regions: []", "statements[0].source.regions"),
        ("same_region: true", "networks: []", "statements[0].when.networks"),
        ("same_region: true", "source_conditions: {pairs: []}", "statements[0].when.source_conditions.pairs"),
        ("same_region: true", "headers: {forbid: []}", "statements[0].when.headers.forbid"),
        ("same_region: true", "regions: [[[], ap-beijing]]", "statements[0].when.regions[0][0]"),
        ("same_region: true", "regions: {within: [[]]}", "statements[0].when.regions.within[0]"),
    ],
)
def test_an_empty_list_is_an_error(old: str, new: str, path: str) -> None:
    errors = errors_of(GOOD.replace(old, new, 1))
    assert path in [error.path for error in errors]
    assert all(error.found == "an empty list" for error in errors if error.path == path)


@pytest.mark.parametrize("key", ["statements", "tests"])
def test_an_empty_list_at_the_top_is_an_error(key: str) -> None:
    text = "version: 1\nstatements: []\n" if key == "statements" else document(pair()) + "tests: []\n"
    (error,) = errors_of(text)
    assert (error.path, error.found) == (key, "an empty list")


def test_a_set_name_stands_for_one_kind_of_thing() -> None:
    sets = "sets:\n  principals: {both: [team:a]}\n  buckets: {both: [raw-1250000000]}\n"
    (error,) = errors_of(GOOD.replace("description: a document\n", sets))
    assert (error.path, error.hint) == ("sets.buckets.both", "also a set of principals")


def test_a_set_of_actions_is_expanded() -> None:
    sets = 'sets: {actions: {copying: ["cos:UploadPartCopy", "cos:PutObjectCopy"]}}\n'
    text = GOOD.replace("description: a document\n", sets).replace("[cos:UploadPartCopy]", '["@copying"]', 1)
    assert load(text).statements[0].actions == {"cos:UploadPartCopy", "cos:PutObjectCopy"}


# --- candidates ---------------------------------------------------------------------------------------------


def test_statements_about_other_buckets_are_no_candidates_of_what_is_allowed() -> None:
    others = [pair(f"other-{number}", destination=f"{{bucket: other-{number}-1250000000}}") for number in range(3)]
    decision = decide(copy(), *others, pair("mine"))
    assert [trace.statement_id for trace in decision.trace] == ["mine"]


def test_a_denial_by_default_names_what_stopped_statements_about_other_buckets() -> None:
    other = pair("other", destination="{bucket: other-1250000000}")
    decision = decide(copy(), other)
    assert decision.reason == f"destination.bucket: {MEDIA} asked, expected other-1250000000"
    assert [trace.statement_id for trace in decision.trace] == ["other"]
