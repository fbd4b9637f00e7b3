"""Default deny, deny wins, shadow never decides, facts only when they matter, and the trace of all of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.decision import Decision, Effect, Mode, Verdict, Violation
from policies.loading import load_policies
from policies.request import AccessRequest
from policies.statement import Statement
from tests.policies.building import GIB, MEDIA, MIB, RAW, copy, decide, document, end, load, on, pair, plain, rules_of

MEASURED = "{range: {max: 1GiB}}"
"""A rule that needs the source's size when no range is given."""


# --- default deny ----------------------------------------------------------------------------------------------


def test_no_document_denies_everything() -> None:
    decision = load_policies([]).decide(copy())
    assert (decision.verdict, rules_of(decision)) == (Verdict.DENY, ["policy"])
    assert decision.reason == "policy: the policy holds no statement"
    assert decision.code == "AccessDenied"


@pytest.mark.parametrize(
    ("request_", "rule"),
    [
        pytest.param(copy(principal="team:other"), "principal", id="another principal"),
        pytest.param(copy(principal="Team:media"), "principal", id="another case"),
        pytest.param(copy(action="cos:PutObjectCopy"), "action", id="another action"),
        pytest.param(plain("cos:GetObject", end(RAW)), "action", id="a read"),
        pytest.param(copy(source=end("other-1250000000")), "source.bucket", id="another source"),
        pytest.param(copy(destination=end(RAW)), "destination.bucket", id="another destination"),
        pytest.param(copy(source=end(MEDIA), destination=end(RAW)), "source.bucket", id="the pair reversed"),
    ],
)
def test_what_no_statement_matches_is_denied_with_a_reason(request_: AccessRequest, rule: str) -> None:
    decision = decide(request_, pair())
    assert (decision.verdict, decision.statement_id) == (Verdict.DENY, None)
    assert rules_of(decision)[0] == rule
    assert not decision.allowed


def test_a_match_is_allowed_and_named() -> None:
    policy_set = load(document(pair("one", source="{bucket: x-1250000000}"), pair("two"), pair("three")))
    decision = policy_set.decide(copy())
    assert (decision.verdict, decision.statement_id, decision.document) == (Verdict.ALLOW, "two", "a.yaml")
    assert (decision.version, decision.violations, decision.allowed) == (policy_set.version, (), True)
    assert decision.reason == "allowed by the statement 'two'"


@pytest.mark.parametrize(
    ("selector", "allowed"),
    [
        (f"{{bucket: {RAW}}}", True),
        ('{bucket: "raw-*"}', True),
        ('{bucket: "*"}', True),
        (f"{{bucket: [x-1250000000, {RAW}]}}", True),
        ('{bucket: "media-*"}', False),
        (f'{{bucket: {RAW}, key: "incoming/*"}}', True),
        (f'{{bucket: {RAW}, key: ["x/*", "incoming/*"]}}', True),
        (f'{{bucket: {RAW}, key: "private/*"}}', False),
        (f"{{bucket: {RAW}, region: ap-guangzhou}}", True),
        (f"{{bucket: {RAW}, regions: [ap-beijing, ap-guangzhou]}}", True),
        (f"{{bucket: {RAW}, regions: [ap-beijing]}}", False),
        (f'{{bucket: {RAW}, account: "1250000000"}}', True),
        (f"{{bucket: {RAW}, accounts: [1250000001, 1250000000]}}", True),
        (f"{{bucket: {RAW}, accounts: [125000000]}}", False),
    ],
)
@pytest.mark.parametrize("which", ["source", "destination", "resource"])
def test_each_end_is_selected_by_bucket_key_region_and_account(selector: str, allowed: bool, which: str) -> None:
    anywhere = '{bucket: "*"}'
    if which == "resource":
        decision = decide(plain("cos:GetObject", end(RAW)), on(resource=selector))
    elif which == "source":
        decision = decide(copy(destination=end(RAW)), pair(source=selector, destination=anywhere))
    else:
        decision = decide(copy(destination=end(RAW)), pair(source=anywhere, destination=selector))
    assert decision.allowed is allowed
    assert all(rule.startswith(f"{which}.") for rule in rules_of(decision))


def test_a_grant_by_prefix_does_not_follow_dots() -> None:
    statement = pair(source=f'{{bucket: {RAW}, key: "incoming/*"}}')
    assert decide(copy(source=end(RAW, "incoming/a")), statement).allowed
    decision = decide(copy(source=end(RAW, "incoming/../private/a")), statement)
    assert (decision.verdict, rules_of(decision)) == (Verdict.DENY, ["source.key"])


@pytest.mark.parametrize("action", ["cos:UploadPartCopy", "cos:PutObjectCopy"])
def test_a_statement_on_a_resource_never_grants_a_copy(action: str) -> None:
    statement = on(principals='["*"]', actions="['cos:*']", resource='{bucket: "*"}')
    decision = decide(copy(action=action), statement)
    assert (decision.verdict, rules_of(decision)) == (Verdict.DENY, ["action"])


@pytest.mark.parametrize("action", ["cos:GetObject", "cos:PutObject", "cos:UploadPart", "cos:DeleteObject"])
def test_a_statement_on_a_pair_never_grants_anything_but_copies(action: str) -> None:
    statement = (
        "- {id: all, effect: allow, principals: ['*'], actions: ['cos:*'], source: {bucket: '*'}, "
        "destination: {bucket: '*'}}"
    )
    decision = decide(plain(action, end(RAW)), statement)
    assert (decision.verdict, rules_of(decision)) == (Verdict.DENY, ["action"])


def test_listing_buckets_is_reached_by_every_bucket_only() -> None:
    request = plain("cos:GetService", end(None, None, None))
    assert decide(request, on(actions="['cos:GetService']", resource='{bucket: "*"}')).allowed
    assert rules_of(decide(request, on(actions="['cos:*']", resource='{bucket: "r*"}'))) == ["resource.bucket"]


def test_a_key_pattern_does_not_match_the_bucket_itself() -> None:
    request = plain("cos:GetBucket", end(RAW, None))
    actions = "['cos:GetBucket']"
    assert decide(request, on(actions=actions)).allowed
    assert decide(request, on(actions=actions, resource=f'{{bucket: {RAW}, key: "*"}}')).allowed
    narrow = on(actions=actions, resource=f'{{bucket: {RAW}, key: "incoming/*"}}')
    assert rules_of(decide(request, narrow)) == ["resource.key"]


# --- deny wins -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [0, 1], ids=["deny first", "deny last"])
def test_deny_wins_in_any_order(order: int) -> None:
    statements = [pair("no", effect="deny", principals='["*"]'), pair("yes")]
    decision = decide(copy(), *(statements if order == 0 else reversed(statements)))
    assert (decision.verdict, decision.statement_id) == (Verdict.DENY, "no")
    assert decision.reason == "deny: the statement 'no' forbids this"


def test_deny_wins_from_another_document() -> None:
    decision = load(document(pair("yes")), document(pair("no", effect="deny"))).decide(copy())
    assert (decision.verdict, decision.statement_id, decision.document) == (Verdict.DENY, "no", "b.yaml")


def test_a_deny_with_a_rule_applies_only_when_the_rule_holds() -> None:
    statements = (pair("yes"), pair("large", effect="deny", when="{range: {min: 1GiB}}"))
    assert decide(copy(length=GIB - 1), *statements).allowed
    assert decide(copy(length=GIB), *statements).statement_id == "large"


@pytest.mark.parametrize(
    "deny",
    [
        pair("no", effect="deny", source=f"{{bucket: {RAW}, region: ap-shanghai}}"),
        pair("no", effect="deny", when="{same_region: true}"),
        pair("no", effect="deny", when="{same_region: false}"),
        pair("no", effect="deny", when="{territory: mainland->overseas}"),
        pair("no", effect="deny", when="{networks: 10.0.0.0/8}"),
        pair("no", effect="deny", when="{period: {hours: '00:00-01:00'}}"),
    ],
    ids=["region", "same region", "other region", "territory", "network", "period"],
)
def test_a_deny_that_cannot_tell_applies(deny: str) -> None:
    request = copy(source=end(RAW, region=None), destination=end(MEDIA, region=None))
    decision = decide(request, pair("yes"), deny)
    assert (decision.verdict, decision.statement_id) == (Verdict.DENY, "no")
    assert decision.trace[1].matched


@pytest.mark.parametrize(
    "allow",
    [
        pair(source=f"{{bucket: {RAW}, region: ap-shanghai}}"),
        pair(when="{same_region: true}"),
        pair(when="{same_region: false}"),
        pair(when="{networks: 10.0.0.0/8}"),
    ],
    ids=["region", "same region", "other region", "network"],
)
def test_an_allow_that_cannot_tell_does_not_apply(allow: str) -> None:
    request = copy(source=end(RAW, region=None), destination=end(MEDIA, region=None))
    assert decide(request, allow).verdict is Verdict.DENY


def test_a_deny_by_key_takes_in_every_key_with_dot_segments() -> None:
    deny = pair("no", effect="deny", source=f'{{bucket: {RAW}, key: "secret/*"}}')
    assert decide(copy(source=end(RAW, "open/a")), pair("yes"), deny).allowed
    assert decide(copy(source=end(RAW, "secret/a")), pair("yes"), deny).statement_id == "no"
    assert decide(copy(source=end(RAW, "open/../secret/a")), pair("yes"), deny).statement_id == "no"


# --- explanation -----------------------------------------------------------------------------------------------


def test_the_trace_holds_every_candidate_in_document_order_with_its_first_failure() -> None:
    decision = decide(
        copy(length=2 * GIB),
        pair("a", source="{bucket: x-1250000000}"),
        pair("others", principals='["team:other"]'),
        pair("b", destination="{bucket: x-1250000000}", principals='["team:*"]'),
        on("reads"),
        pair("c", when="{range: {max: 1GiB}, same_region: false}"),
        pair("d", effect="deny", when="{same_region: false}", principals='["*"]'),
    )
    found = [(item.statement_id, item.violation.rule if item.violation else None) for item in decision.trace]
    # "b" is about another bucket only, and "c" comes nearer.
    assert found == [("a", "source.bucket"), ("c", "range.max"), ("d", "same_region")]
    assert {(item.document, item.matched) for item in decision.trace} == {("a.yaml", False)}


def test_the_nearest_candidate_explains_first_and_completely() -> None:
    decision = decide(
        copy(length=2 * GIB),
        pair("far", source="{bucket: x-1250000000}"),
        pair("near", when="{range: {max: 1GiB}, same_region: false}"),
        pair("middle", destination="{bucket: x-1250000000}"),
    )
    assert rules_of(decision) == ["range.max", "same_region", "source.bucket"]
    assert decision.reason == "range.max: 2 GiB asked, at most 1 GiB allowed"


def test_equal_reasons_are_given_once_and_not_without_end() -> None:
    same = [pair(f"s{i}", source="{bucket: x-1250000000}") for i in range(20)]
    assert rules_of(decide(copy(), *same)) == ["source.bucket"]
    different = [pair(f"s{i}", source=f"{{bucket: x{i}-1250000000}}") for i in range(20)]
    decision = decide(copy(), *different)
    assert (len(decision.violations), len(decision.trace)) == (8, 20)


def test_a_principal_named_twice_is_judged_once() -> None:
    decision = decide(copy(), pair(principals='["team:media", "team:*", "*", "team:media"]'))
    assert [item.statement_id for item in decision.trace] == ["copy"]


def test_a_long_key_is_cut_in_the_reason() -> None:
    decision = decide(copy(source=end(RAW, "k" * 1024)), pair(source=f'{{bucket: {RAW}, key: "incoming/*"}}'))
    assert len(decision.reason) < 200


def test_a_description_tells_why_a_statement_denies() -> None:
    text = document(pair("no", effect="deny")).replace("{id: no,", "{id: no, description: by order of finance,")
    assert load(text).decide(copy()).reason == "deny: the statement 'no' forbids this: by order of finance"


# --- the index -------------------------------------------------------------------------------------------------


def test_statements_of_other_principals_and_actions_are_not_looked_at() -> None:
    policy_set = load(
        document(
            pair("mine"),
            pair("theirs", principals='["team:other"]'),
            on("reads"),
            on("theirs-reads", principals='["team:other"]'),
            pair("everybody", principals='["*"]'),
            pair("apps", principals='["app:*"]'),
        )
    )

    def seen_by(request: AccessRequest) -> list[str]:
        return [item.statement_id for item in policy_set.decide(request).trace]

    assert seen_by(copy()) == ["mine", "everybody"]
    assert seen_by(copy(principal="app:x")) == ["everybody", "apps"]
    assert seen_by(plain("cos:GetObject", end(RAW), principal="team:other")) == ["theirs-reads"]


# --- properties ------------------------------------------------------------------------------------------------

_WHEN = st.sampled_from(
    [
        "{}",
        "{same_region: true}",
        "{same_region: false}",
        MEASURED,
        "{source_size: {min: 1MiB}}",
        "{part_number: {max: 1}}",
    ]
)
_STATEMENTS = st.lists(
    st.tuples(
        st.sampled_from(["allow", "deny"]), st.sampled_from(["enforce", "shadow"]), _WHEN, st.sampled_from([RAW, '"*"'])
    ),
    max_size=5,
)
_REQUESTS = st.builds(
    copy,
    length=st.sampled_from([None, MIB, 2 * GIB]),
    size=st.sampled_from([None, MIB, 2 * GIB]),
    part=st.sampled_from([1, 2]),
    source=st.sampled_from([end(RAW), end(RAW, region=None), end("x-1250000000")]),
)


@given(_STATEMENTS, _REQUESTS)
def test_the_verdict_follows_from_the_trace(
    statements: list[tuple[str, str, str, str]], request_: AccessRequest
) -> None:
    decision = decide(
        request_,
        *(
            pair(f"s{i}", effect=effect, mode=mode, when=when, source=f"{{bucket: {bucket}}}")
            for i, (effect, mode, when, bucket) in enumerate(statements)
        ),
    ) if statements else load_policies([]).decide(request_)  # fmt: skip
    matched = {item.effect for item in decision.trace if item.matched and item.mode is Mode.ENFORCE}
    match decision.verdict:
        case Verdict.ALLOW:
            assert matched == {Effect.ALLOW}
        case Verdict.DENY:
            assert Effect.DENY in matched or not matched
            assert decision.violations
        case Verdict.NEEDS_FACTS:
            assert Effect.DENY not in matched
            assert decision.needs
            assert not request_.facts.measured


@given(_STATEMENTS, _REQUESTS)
def test_a_further_deny_statement_never_allows_more(
    statements: list[tuple[str, str, str, str]], request_: AccessRequest
) -> None:
    written = [
        pair(f"s{i}", effect=effect, mode=mode, when=when, source=f"{{bucket: {bucket}}}")
        for i, (effect, mode, when, bucket) in enumerate([("allow", "shadow", "{}", RAW), *statements])
    ]
    before = decide(request_, *written)
    after = decide(request_, *written, pair("further", effect="deny", when="{part_number: {max: 1}}"))
    assert before.allowed or not after.allowed


def test_a_statement_without_an_end_cannot_be_built() -> None:
    with pytest.raises(ValueError, match=r"^expected a resource, or a source and a destination$"):
        Statement("x", "d", 1, Effect.ALLOW, Mode.ENFORCE, (), frozenset(), None)


def test_a_pair_without_a_source_to_judge_never_matches() -> None:
    (statement,) = load(document(pair())).statements
    judgement = statement.judge(plain("cos:UploadPartCopy", end(MEDIA)))
    assert judgement is not None
    assert judgement.violations == (Violation("source", "the copy names no source"),)
    assert (judgement.unknowns, judgement.passed, judgement.unselected) == ((), 0, True)


@pytest.mark.parametrize(
    ("request_", "violations", "unknowns", "passed", "unselected"),
    [
        (copy(source=end(MEDIA)), ["source.bucket"], [], 0, True),
        (copy(source=end(RAW, "x")), ["source.key"], [], 1, True),
        (copy(source=end(RAW, region="ap-seoul")), ["source.region"], [], 2, True),
        (copy(destination=end(RAW)), ["destination.bucket"], [], 4, True),
        (copy(destination=end(MEDIA, "b")), ["destination.key"], [], 5, True),
        (copy(part=3), ["part_number.max"], ["source_size"], 8, False),
        (copy(part=3, size=9), ["part_number.max", "source_size.min"], [], 8, False),
        (copy(size=9), ["source_size.min"], [], 9, False),
        (copy(), [], ["source_size"], 9, False),
        (copy(source=end(RAW, region=None)), [], ["source.region", "source_size"], 9, False),
        (copy(source=end(RAW, region=None), part=3), ["part_number.max"], ["source.region", "source_size"], 8, False),
        (copy(source=end(RAW, region=None), destination=end(RAW)), ["destination.bucket"], [], 4, True),
    ],
)
def test_a_judgement_counts_what_passed_before_the_first_failure(
    request_: AccessRequest, violations: list[str], unknowns: list[str], passed: int, unselected: bool
) -> None:
    source = f"{{bucket: {RAW}, key: 'incoming/*', region: ap-guangzhou}}"
    destination = f"{{bucket: {MEDIA}, key: [a, c]}}"
    when = "{part_number: {max: 2}, source_size: {min: 10}}"
    (statement,) = load(document(pair(source=source, destination=destination, when=when))).statements
    judgement = statement.judge(request_)
    assert judgement is not None
    assert [violation.rule for violation in judgement.violations] == violations
    assert [unknown.violation.rule for unknown in judgement.unknowns] == unknowns
    assert (judgement.passed, judgement.unselected) == (passed, unselected)


def test_a_denial_without_violations_still_gives_a_reason() -> None:
    decision = Decision(Verdict.DENY, "0")
    assert (decision.reason, decision.code) == ("no statement allows this", "AccessDenied")
