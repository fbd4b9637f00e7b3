"""Every verdict with everything that stands beside it: what is audited, told, counted and explained."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from policies.decision import (
    Amendment,
    Decision,
    Effect,
    Fact,
    Mode,
    Outcome,
    StatementError,
    StatementTrace,
    Unknown,
    Verdict,
    Violation,
)
from policies.engine import Engine
from policies.loading import load_policies
from policies.patterns import Pattern
from policies.request import AccessRequest, Facts
from policies.rule import Rule
from policies.statement import Selector, Statement
from tests.policies.building import GIB, MEDIA, RAW, changed, copy, document, end, load, on, pair, plain

READ = plain("cos:GetObject", end(RAW, "a"))
LARGE = "{source_size: {min: 1GiB}}"
UNKNOWN_SIZE = Violation("source_size", "the size of the source is unknown")
TOO_HIGH = Violation("part_number.max", "part 4 asked, at most 3 allowed")


def trace(
    name: str,
    *violations: Violation,
    effect: Effect = Effect.ALLOW,
    mode: Mode = Mode.ENFORCE,
    matched: bool = False,
) -> StatementTrace:
    return StatementTrace(name, "a.yaml", effect, mode, matched, violations)


def whole(request: AccessRequest, *statements: str) -> tuple[Decision, str]:
    """The decision, and the version it must carry."""
    policy_set = load(document(*statements))
    return policy_set.decide(request), policy_set.version


def test_what_is_allowed() -> None:
    decision, version = whole(
        changed(copy(), facts=Facts(True, source_etag="e")),
        pair("yes", when="{source_conditions: {pin: etag}}"),
        pair("again"),
        pair("trial", mode="shadow", effect="deny"),
        pair("no", effect="deny", when="{part_number: {min: 2}}"),
    )
    low = Violation("part_number.min", "part 1 asked, at least 2 required")
    assert decision == Decision(
        Verdict.ALLOW,
        version,
        "yes",
        "a.yaml",
        trace=(
            trace("yes", matched=True),
            trace("again", matched=True),
            trace("trial", effect=Effect.DENY, mode=Mode.SHADOW, matched=True),
            trace("no", low, effect=Effect.DENY),
        ),
        amendments=(Amendment("copy-source-if-match", '"e"', "source_conditions.pin"),),
        rehearsed=Verdict.DENY,
    )


def test_what_a_statement_denies() -> None:
    decision, version = whole(
        copy(),
        pair("yes"),
        pair("no", effect="deny", when="{same_region: true}"),
        pair("never", effect="deny"),
        pair("trial", mode="shadow"),
    )
    assert decision == Decision(
        Verdict.DENY,
        version,
        "no",
        "a.yaml",
        violations=(Violation("deny", "the statement 'no' forbids this"),),
        trace=(
            trace("yes", matched=True),
            trace("no", effect=Effect.DENY, matched=True),
            trace("never", effect=Effect.DENY, matched=True),
            trace("trial", mode=Mode.SHADOW, matched=True),
        ),
        rehearsed=Verdict.DENY,
    )


def test_what_hinges_on_a_fact() -> None:
    decision, version = whole(
        copy(),
        pair("yes", when=LARGE),
        pair("no", effect="deny", when="{part_number: {min: 1}, source_size: {min: 2GiB}}"),
        pair("trial", mode="shadow", when="{source_conditions: {pin: etag}}"),
    )
    no_etag = Violation("source_conditions.pin", "no if-match given, and the ETag of the source is unknown")
    assert decision == Decision(
        Verdict.NEEDS_FACTS,
        version,
        trace=(
            trace("yes", UNKNOWN_SIZE),
            trace("no", UNKNOWN_SIZE, effect=Effect.DENY),
            trace("trial", no_etag, mode=Mode.SHADOW),
        ),
        needs=frozenset({Fact.SOURCE_SIZE}),
        rehearsed=Verdict.NEEDS_FACTS,
    )


def test_the_facts_of_every_statement_that_hinges_on_one_are_asked_for_together() -> None:
    both = frozenset({Fact.SOURCE_SIZE, Fact.SOURCE_ETAG})
    pinned = pair("pinned", when="{source_conditions: {pin: etag}}")
    assert whole(copy(), pair("large", when=LARGE), pinned)[0].needs == both
    assert whole(copy(), pinned, pair("no", effect="deny", when=LARGE))[0].needs == both
    assert whole(copy(), pair("yes"), pair("no", effect="deny", when=LARGE), pinned)[0].needs == {Fact.SOURCE_SIZE}


def test_what_nothing_allows() -> None:
    decision, version = whole(
        copy(part=4),
        pair("yes", when="{part_number: {max: 3}}"),
        pair("trial", mode="shadow", when="{part_number: {min: 9}}"),
        pair("no", effect="deny", when="{part_number: {max: 3}}"),
    )
    low = Violation("part_number.min", "part 4 asked, at least 9 required")
    assert decision == Decision(
        Verdict.DENY,
        version,
        violations=(TOO_HIGH,),
        trace=(
            trace("yes", TOO_HIGH),
            trace("trial", low, mode=Mode.SHADOW),
            trace("no", TOO_HIGH, effect=Effect.DENY),
        ),
        rehearsed=Verdict.DENY,
    )
    assert decision.is_default


def test_what_no_statement_is_about() -> None:
    policy_set = load(document(pair("yes")))
    for request, violation in (
        (copy(principal="p"), Violation("principal", "no statement names 'p'")),
        (READ, Violation("action", "no statement about 'team:media' names 'cos:GetObject'")),
    ):
        assert policy_set.decide(request) == Decision(Verdict.DENY, policy_set.version, violations=(violation,))
    broken = policy_set.decide(copy(length=6 * GIB))
    assert broken == Decision(Verdict.DENY, policy_set.version, violations=broken.violations)
    assert [violation.rule for violation in broken.violations] == ["cos.range"]
    empty = load_policies([])
    nothing = Violation("policy", "the policy holds no statement")
    assert empty.decide(READ) == Decision(Verdict.DENY, empty.version, violations=(nothing,))


@dataclass(frozen=True, slots=True)
class Faulty:
    """A rule that breaks its promise."""

    def check(self, request: AccessRequest) -> Outcome:
        raise KeyError("lost")


@dataclass(frozen=True, slots=True)
class Asking:
    """A rule that hinges on a fact."""

    fact: Fact

    def check(self, request: AccessRequest) -> Outcome:
        return Unknown(Violation(self.fact, "not measured"), self.fact)


def reading(name: str, rule: Rule, *, mode: Mode = Mode.ENFORCE, effect: Effect = Effect.ALLOW) -> Statement:
    return Statement(
        name, "a.yaml", 9, effect, mode, (Pattern("*"),), frozenset({"cos:GetObject"}),
        resource=Selector("resource", (Pattern("*"),)), rules=(rule,),
    )  # fmt: skip


UNJUDGED = Violation("error", "the statement could not be judged")
FAULT = StatementError("faulty", "a.yaml", "KeyError: 'lost'")


def test_what_cannot_be_judged() -> None:
    statements = load(document(on("yes"), on("no", effect="deny"))).statements
    trial = reading("trial", Asking(Fact.SOURCE_SIZE), mode=Mode.SHADOW)
    assert Engine([reading("faulty", Faulty()), *statements, trial], "v").decide(READ) == Decision(
        Verdict.DENY,
        "v",
        violations=(Violation("error", "the policy could not be judged", "InternalError"),),
        trace=(
            trace("faulty", UNJUDGED),
            trace("yes", matched=True),
            trace("no", effect=Effect.DENY, matched=True),
            trace("trial", Violation("source_size", "not measured"), mode=Mode.SHADOW),
        ),
        rehearsed=Verdict.DENY,
        errors=(FAULT,),
    )


def test_a_fault_on_trial_beside_what_hinges_on_facts() -> None:
    statements = [
        reading("yes", Asking(Fact.SOURCE_SIZE)),
        reading("no", Asking(Fact.SOURCE_ETAG), effect=Effect.DENY),
        reading("never", Asking(Fact.UPLOAD_SIZE), effect=Effect.DENY),
        reading("faulty", Faulty(), mode=Mode.SHADOW),
    ]
    decision = Engine(statements, "v").decide(READ)
    assert (decision.verdict, decision.version, decision.needs) == (Verdict.NEEDS_FACTS, "v", frozenset(Fact))
    assert (decision.rehearsed, decision.errors) == (Verdict.NEEDS_FACTS, (FAULT,))


@pytest.mark.parametrize(
    ("statements", "verdict", "statement", "violations", "rehearsed"),
    [
        ((on("yes"),), Verdict.ALLOW, "yes", (), Verdict.ALLOW),
        (
            (on("no", effect="deny"),),
            Verdict.DENY,
            "no",
            (Violation("deny", "the statement 'no' forbids this"),),
            Verdict.DENY,
        ),
        (
            (on("yes", when="{version: require}"),),
            Verdict.DENY,
            None,
            (Violation("version", "no version is named, one is required"),),
            Verdict.DENY,
        ),
    ],
    ids=["allowed", "denied", "not allowed"],
)
def test_a_fault_on_trial_is_told_beside_the_verdict(
    statements: tuple[str, ...],
    verdict: Verdict,
    statement: str | None,
    violations: tuple[Violation, ...],
    rehearsed: Verdict,
) -> None:
    decision = Engine(
        [*load(document(*statements)).statements, reading("faulty", Faulty(), mode=Mode.SHADOW)], "v"
    ).decide(READ)
    assert (decision.verdict, decision.statement_id, decision.violations) == (verdict, statement, violations)
    assert (decision.rehearsed, decision.errors, decision.version) == (rehearsed, (FAULT,), "v")
    assert decision.trace[1] == trace("faulty", UNJUDGED, mode=Mode.SHADOW)


# --- which statements a denial is explained by ---


def seen(*statements: str) -> list[str]:
    return [item.statement_id for item in whole(copy(part=4), *statements)[0].trace]


NEAR = pair("near", when="{part_number: {max: 3}}")
FAR = pair("far", destination="{bucket: far-1250000000}")


def test_statements_about_other_buckets_explain_only_when_none_about_these_does() -> None:
    other_source = pair("other-source", source="{bucket: ['x-*', z-1250000000]}")
    denying = pair("denying", effect="deny", when="{part_number: {max: 3}}")
    trial = pair("trial", mode="shadow", when="{part_number: {max: 3}}")
    assert seen(NEAR, FAR) == ["near"]
    assert seen(NEAR, other_source, FAR) == ["near", "other-source"]
    assert seen(other_source, FAR) == ["other-source", "far"]
    assert seen(denying, FAR) == ["denying", "far"]
    assert seen(trial, FAR) == ["trial", "far"]


# --- what stands first in a denial ---------------------------------------------------------------------------


def test_the_further_a_statement_went_the_earlier_it_explains() -> None:
    decision, _ = whole(
        copy(),
        pair("bucket", source="{bucket: x-1250000000}"),
        pair("key", source=f"{{bucket: {RAW}, key: x}}"),
        pair("region", source=f"{{bucket: {RAW}, region: ap-beijing}}"),
        pair("account", source=f"{{bucket: {RAW}, account: '1'}}"),
        pair("other-end", destination=f"{{bucket: {MEDIA}, key: x}}"),
        pair("rule", when="{part_number: {min: 2}}"),
        pair("later-rule", when="{same_region: true, part_number: {min: 2}, version: forbid}"),
    )
    assert [violation.rule for violation in decision.violations] == [
        "part_number.min", "destination.key", "source.account", "source.region", "source.key", "source.bucket",
    ]  # fmt: skip


def test_a_denial_names_eight_reasons_at_most_the_nearest_statement_first() -> None:
    near = pair("near", when="{part_number: {min: 2}, same_region: false, range: {max: 1}}")
    others = [pair(f"s{number}", source=f"{{bucket: x{number}-1250000000}}") for number in range(9)]
    decision, _ = whole(copy(), *others, near)
    assert [violation.rule for violation in decision.violations] == [
        "part_number.min", "same_region", "range.max", *["source.bucket"] * 5,
    ]  # fmt: skip
    assert [violation.reason.rpartition(" ")[2] for violation in decision.violations[3:]] == [
        f"x{number}-1250000000" for number in range(5)
    ]


def test_what_could_not_be_told_is_a_reason_too() -> None:
    decision, _ = whole(
        copy(measured=True, part=4),
        pair("size", when=LARGE),
        pair("part", when="{part_number: {max: 3}, source_size: {max: 1GiB}}"),
        pair("region", source=f"{{bucket: {RAW}, region: ap-guangzhou}}", when=LARGE),
    )
    assert decision.violations == (UNKNOWN_SIZE, TOO_HIGH)
    assert decision.trace == (
        trace("size", UNKNOWN_SIZE),
        trace("part", TOO_HIGH, UNKNOWN_SIZE),
        trace("region", UNKNOWN_SIZE),
    )


def test_both_ends_may_be_unknown() -> None:
    ends = {"source": f"{{bucket: {RAW}, region: ap-seoul}}", "destination": f"{{bucket: {MEDIA}, region: ap-seoul}}"}
    nowhere = copy(source=end(RAW, region=None), destination=end(MEDIA, region=None))
    decision, _ = whole(nowhere, pair("yes", **ends))
    assert [violation.rule for violation in decision.violations] == ["source.region", "destination.region"]


@pytest.mark.parametrize(
    ("statements", "rehearsed"),
    [
        ((pair("yes", when=LARGE), pair("t", mode="shadow")), Verdict.ALLOW),
        ((pair("no", effect="deny", when=LARGE), pair("t", mode="shadow")), Verdict.NEEDS_FACTS),
        ((pair("no", effect="deny", when=LARGE), pair("t", mode="shadow", effect="deny")), Verdict.DENY),
        ((pair("yes", when=LARGE), pair("t", mode="shadow", when="{part_number: {min: 2}}")), Verdict.NEEDS_FACTS),
        ((pair("yes"), pair("t", mode="shadow", effect="deny", when=LARGE)), Verdict.ALLOW),
    ],
    ids=["allows without measuring", "a deny hinges", "denies", "an allow hinges", "measures nothing itself"],
)
def test_a_rehearsal_does_not_measure(statements: tuple[str, ...], rehearsed: Verdict) -> None:
    assert whole(copy(), *statements)[0].rehearsed is rehearsed


# --- why an end does not select ------------------------------------------------------------------------------

SERVICE = plain("cos:GetService", end(None, None, None))
BUCKET = plain("cos:GetBucket", end(RAW, None))
NOWHERE = plain("cos:GetObject", end(RAW, "a", None))
KEY_OF_80, KEY_OF_81 = (plain("cos:GetObject", end(RAW, "k" * length)) for length in (80, 81))
ENDS = [
    (READ, "bucket: [x-*, y-1250000000]", f"bucket: {RAW} asked, expected x-* or y-1250000000"),
    (SERVICE, "bucket: 'r*'", "bucket: this operation is on no bucket, expected r*"),
    (READ, "bucket: '*', key: [b, c, d, e]", "key: 'a' asked, expected b or c or d or e"),
    (READ, "bucket: '*', key: [b, c, d, e, f]", "key: 'a' asked, expected b or c or d or e or 1 more"),
    (READ, "bucket: '*', key: [b, c, d, e, f, g]", "key: 'a' asked, expected b or c or d or e or 2 more"),
    (BUCKET, "bucket: '*', key: b", "key: this operation is on no object, expected b"),
    (KEY_OF_80, "bucket: '*', key: b", f"key: '{'k' * 80}' asked, expected b"),
    (KEY_OF_81, "bucket: '*', key: b", f"key: '{'k' * 77}...' asked, expected b"),
    (READ, "bucket: '*', regions: [ap-seoul, ap-beijing]", "region: ap-guangzhou asked, expected ap-beijing, ap-seoul"),
    (NOWHERE, "bucket: '*', region: ap-seoul", "region: the region of the bucket is unknown"),
    (READ, "bucket: '*', accounts: ['2', '1']", "account: 1250000000 asked, expected 1, 2"),
    (SERVICE, "bucket: '*', account: '1'", "account: no account asked, expected 1"),
]


@pytest.mark.parametrize(("request_", "selector", "reason"), ENDS)
def test_an_end_that_does_not_select_says_what_was_asked(request_: AccessRequest, selector: str, reason: str) -> None:
    decision, _ = whole(request_, on(actions="['cos:*']", resource=f"{{{selector}}}"))
    assert decision.reason == f"resource.{reason}"


def test_a_set_that_only_denies_or_rehearses_says_so() -> None:
    for statement in (on(effect="deny", when="{version: require}"), pair(mode="shadow")):
        decision, _ = whole(READ if "GetObject" in statement else copy(), statement)
        assert decision.reason == "action: no statement allows this, it is only named in shadow or deny statements"
