"""COS's own rules come first; facts are asked for only when they matter; shadow statements never decide."""

from __future__ import annotations

import pytest

from cos.byte_range import MAX_PART_BYTES
from cos.conditions import CopyConditions
from policies.decision import Effect, Fact, Mode, Verdict
from policies.request import AccessRequest, Caller
from tests.policies.building import GIB, MEDIA, RAW, copy, decide, end, on, pair, plain, rules_of

EVERYTHING = (
    pair("copies", principals='["*"]', source='{bucket: "*"}', destination='{bucket: "*"}'),
    on("rest", principals='["*"]', actions="['cos:*']", resource='{bucket: "*"}'),
)
MEASURED = "{range: {max: 1GiB}}"
"""A rule that needs the source's size when no range is given."""


# --- COS's own rules -------------------------------------------------------------------------------------------

CONFLICT = CopyConditions(if_match=("a",), if_none_match=("b",))
CLASH = "cos.conditions: if-match and if-none-match given, COS accepts no such combination"
TOO_LARGE = "cos.range: 5368709121 bytes asked, COS copies at most 5 GiB at once"


@pytest.mark.parametrize(
    ("request_", "reason", "code"),
    [
        pytest.param(copy(length=MAX_PART_BYTES + 1), TOO_LARGE, "EntityTooLarge", id="5 GiB and a byte"),
        pytest.param(
            copy(length=None, size=MAX_PART_BYTES + 1), TOO_LARGE, "EntityTooLarge", id="whole source too large"
        ),
        pytest.param(copy(conditions=CONFLICT), CLASH, "InvalidRequest", id="conditions conflict"),
        pytest.param(
            copy(conditions=CONFLICT, action="cos:PutObjectCopy", length=None),
            CLASH,
            "InvalidRequest",
            id="conditions of an object copy conflict",
        ),
        pytest.param(
            AccessRequest(Caller("team:media", "AK"), "cos:UploadPartCopy", end(MEDIA)),
            "cos.copy_source: the copy names no source",
            "InvalidRequest",
            id="copy without source",
        ),
        pytest.param(
            plain("cos:GetObject", end(MEDIA), source=end(RAW)),
            "cos.copy_source: cos:GetObject takes no copy source",
            "InvalidRequest",
            id="read of two",
        ),
    ],
)
def test_what_cos_itself_refuses_no_document_allows(request_: AccessRequest, reason: str, code: str) -> None:
    decision = decide(request_, *EVERYTHING)
    assert (decision.verdict, decision.reason, decision.code) == (Verdict.DENY, reason, code)
    assert len(decision.violations) == 1
    assert (decision.trace, decision.statement_id) == ((), None)


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(copy(length=MAX_PART_BYTES), id="5 GiB"),
        pytest.param(copy(length=None), id="whole source, not measured"),
        pytest.param(copy(length=None, size=MAX_PART_BYTES), id="whole source of 5 GiB"),
        pytest.param(
            copy(length=None, size=MAX_PART_BYTES + 1, action="cos:PutObjectCopy"), id="a whole object may be larger"
        ),
        pytest.param(copy(conditions=CopyConditions(if_match=("a",))), id="one condition"),
    ],
)
def test_what_cos_accepts_is_left_to_the_documents(request_: AccessRequest) -> None:
    statement = EVERYTHING[0].replace("['cos:UploadPartCopy']", "['cos:*']")
    assert decide(request_, statement).allowed


# --- facts -----------------------------------------------------------------------------------------------------


def test_facts_are_asked_for_when_the_outcome_hinges_on_them() -> None:
    decision = decide(copy(length=None), pair(when=MEASURED))
    assert (decision.verdict, decision.needs) == (Verdict.NEEDS_FACTS, frozenset({Fact.SOURCE_SIZE}))
    assert (decision.allowed, decision.reason) == (False, "needs source_size")
    assert [trace.matched for trace in decision.trace] == [False]


@pytest.mark.parametrize(("size", "verdict"), [(GIB, Verdict.ALLOW), (GIB + 1, Verdict.DENY)])
def test_facts_settle_the_outcome(size: int, verdict: Verdict) -> None:
    assert decide(copy(length=None, size=size), pair(when=MEASURED)).verdict is verdict


def test_part_of_unknown_size_is_refused() -> None:
    decision = decide(copy(length=None, measured=True), pair(when=MEASURED))
    assert (decision.verdict, rules_of(decision), decision.needs) == (Verdict.DENY, ["range.size"], frozenset())


@pytest.mark.parametrize(
    "when",
    ["{same_region: false, range: {max: 1GiB}}", "{range: {max: 1GiB}, same_region: false}"],
    ids=["before", "after"],
)
def test_no_fact_is_asked_for_when_another_rule_already_refuses(when: str) -> None:
    decision = decide(copy(length=None), pair(when=when))
    assert (decision.verdict, rules_of(decision)[0]) == (Verdict.DENY, "same_region")


def test_no_fact_is_asked_for_when_a_region_can_never_be_known() -> None:
    request = copy(length=None, source=end(RAW, region=None))
    assert decide(request, pair(when="{same_region: true, range: {max: 1GiB}}")).verdict is Verdict.DENY


def test_no_fact_is_asked_for_when_another_statement_allows() -> None:
    decision = decide(copy(length=None), pair("measured", when=MEASURED), pair("plain"))
    assert (decision.verdict, decision.statement_id) == (Verdict.ALLOW, "plain")


def test_no_fact_is_asked_for_when_another_statement_denies() -> None:
    decision = decide(copy(length=None), pair("measured", when=MEASURED), pair("no", effect="deny"))
    assert (decision.verdict, decision.statement_id) == (Verdict.DENY, "no")


LARGE = pair("large", effect="deny", when="{source_size: {min: 1GiB}}")


def test_a_deny_that_hinges_on_a_fact_asks_for_it() -> None:
    statements = (pair("yes"), LARGE)
    assert decide(copy(), *statements).needs == frozenset({Fact.SOURCE_SIZE})
    assert decide(copy(size=GIB - 1), *statements).statement_id == "yes"
    assert decide(copy(size=GIB), *statements).statement_id == "large"
    assert decide(copy(measured=True), *statements).statement_id == "large"


def test_a_deny_that_hinges_on_a_fact_does_not_ask_when_nothing_is_allowed() -> None:
    assert decide(copy(), LARGE).verdict is Verdict.DENY
    assert decide(copy(), LARGE, pair("other", source="{bucket: x-1250000000}")).verdict is Verdict.DENY


# --- shadow ----------------------------------------------------------------------------------------------------


def test_a_shadow_deny_is_recorded_and_refuses_nothing() -> None:
    decision = decide(copy(), pair("yes"), pair("trial", effect="deny", mode="shadow"))
    assert (decision.verdict, decision.statement_id) == (Verdict.ALLOW, "yes")
    trial = decision.trace[1]
    assert (trial.statement_id, trial.effect, trial.mode, trial.matched) == ("trial", Effect.DENY, Mode.SHADOW, True)


def test_a_shadow_allow_is_recorded_and_allows_nothing() -> None:
    decision = decide(copy(), pair("trial", mode="shadow"))
    assert (decision.verdict, decision.statement_id) == (Verdict.DENY, None)
    assert [(trace.mode, trace.matched) for trace in decision.trace] == [(Mode.SHADOW, True)]
    assert rules_of(decision) == ["action"]


def test_a_shadow_statement_never_causes_a_measurement() -> None:
    decision = decide(copy(length=None), pair("yes"), pair("trial", effect="deny", mode="shadow", when=MEASURED))
    assert decision.verdict is Verdict.ALLOW
    trial = decision.trace[1]
    assert trial.violation is not None
    assert (trial.matched, trial.violation.rule) == (False, "range.size")
