"""Explaining and enforcing never disagree: generated requests against generated policies, judged three ways.

1. The engine, as the pipeline asks it.
2. The engine, asked by `policy explain`: the request was written down as the audit log does, and read again.
3. A plain evaluator below, without index, facts or ranking: every statement, one after the other.
"""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime

import pytest

from cos.byte_range import ByteRange
from cos.conditions import CopyConditions
from cos.values import Bucket, ObjectKey, PartNumber, Region
from policies.builtin import check_builtin
from policies.decision import Decision, Effect, Mode, Unknown, Verdict, Violation
from policies.explanation import CheckResult, explain
from policies.loading import DocumentSource, PolicySet, parse_policies
from policies.nodes import nodes_of
from policies.reader import Reader
from policies.request import AccessRequest, Caller, Facts, Resource
from policies.statement import Statement
from policies.written import UNNAMED_KEY, read_request, render_request

BUCKETS = ["raw-1250000000", "media-1250000000", "far-1259999999"]
KEYS = ["a", "in/a", "in/../b", "out/x/y", "in/雪"]
REGIONS = ["ap-guangzhou", "ap-shanghai", "ap-singapore", "xx-nowhere"]
PRINCIPALS = ["team:a", "team:b", "app:c"]
COPYING = ["cos:UploadPartCopy", "cos:PutObjectCopy"]
PLAIN = [
    "cos:PutObject",
    "cos:GetObject",
    "cos:CompleteMultipartUpload",
    "cos:InitiateMultipartUpload",
    "cos:UploadPart",
]
RULES = [
    ("same_region", [True, False]),
    ("range", [{"required": True, "max": "1MiB"}, {"min": 100, "small_last_part": "allow"}]),
    ("alignment", ["1MiB"]),
    ("source_size", [{"max": "2MiB"}]),
    ("source_conditions", [{"require_any": ["if-match"]}, {"pin": "etag"}, {"forbid": ["if-none-match"]}]),
    ("source_version", ["forbid"]),
    ("territory", [["mainland->mainland"]]),
    ("regions", [{"pairs": [["ap-guangzhou", ["ap-shanghai", "ap-singapore"]]], "within": [REGIONS[:2]]}]),
    ("part_number", [{"max": 5}]),
    ("headers", [{"forbid": ["acl"]}, {"require_any": ["tagging"]}]),
    ("networks", [["10.0.0.0/8"]]),
    ("period", [{"days": ["mon", "tue", "wed"]}, {"not_after": "2026-06-01T00:00:00+08:00"}]),
    ("object_size", ["1MiB"]),
    ("encryption", ["require", {"expected": "require", "methods": ["sse-kms"]}]),
    ("storage_class", [["STANDARD"], ["ARCHIVE"]]),
]  # fmt: skip
COPY_RULES = {"same_region", "range", "alignment", "source_size", "source_conditions", "source_version", "territory",
              "regions"}  # fmt: skip
MEASURED_BY = {"range", "alignment", "source_size", "source_conditions", "object_size"}
MEASURING = [rule for rule in RULES if rule[0] in MEASURED_BY]
REQUESTS_PER_POLICY = 50
LATE = datetime(2027, 1, 1, tzinfo=UTC)


def some_policy(chance: random.Random) -> PolicySet:
    statements = []
    for number in range(chance.randint(1, 12)):
        copies = chance.random() < 0.6
        effect = "allow" if chance.random() < 0.8 else "deny"
        when = {}
        for name, choices in chance.sample(RULES + MEASURING * 2, chance.choice([0, 0, 1, 1, 2, 3])):
            choice = chance.choice(choices)
            if (copies or name not in COPY_RULES) and not (effect == "deny" and choice == {"pin": "etag"}):
                when[name] = choice
        ends = ("source", "destination") if copies else ("resource",)
        statements.append(
            {
                "id": f"s{number}",
                "effect": effect,
                "mode": "shadow" if chance.random() < 0.15 else "enforce",
                "principals": chance.choice([["*"], ["team:*"], ["team:a"], ["team:a", "app:*"]]),
                "actions": chance.choice([["cos:*"], [chance.choice(COPYING if copies else PLAIN)]]),
                **{end: some_selector(chance) for end in ends},
                "when": when,
            }
        )
    text = json.dumps({"version": 1, "statements": statements}, ensure_ascii=False)
    policy_set, errors = parse_policies([DocumentSource("generated.yaml", text)])
    assert policy_set is not None, errors
    return policy_set


def some_selector(chance: random.Random) -> dict[str, object]:
    selector: dict[str, object] = {"bucket": chance.choice([["*"], ["raw-*"], [BUCKETS[0]], BUCKETS[:2]])}
    if chance.random() < 0.4:
        selector["key"] = chance.choice([["in/*"], ["*"], ["a", "out/*"]])
    if chance.random() < 0.2:
        selector["regions"] = chance.sample(REGIONS[:3], 2)
    if chance.random() < 0.1:
        selector["account"] = ["1250000000"]
    return selector


def some_request(chance: random.Random) -> AccessRequest:
    copies = chance.random() < 0.6
    action = chance.choice(COPYING if copies else PLAIN)
    parts = action in ("cos:UploadPartCopy", "cos:UploadPart")
    first, length = (
        chance.choice([0, 1024**2, 5]),
        chance.choice([1, 99, 1024**2, 1024**2, 2 * 1024**2, 2 * 1024**2, 6 * 1024**3]),
    )
    measured = chance.random() < 0.5
    facts = Facts()
    if measured and copies:
        facts = Facts(True, chance.choice([1, first + length, 9 * 1024**3]), chance.choice([None, "e1"]))
    elif measured and action == "cos:CompleteMultipartUpload":
        facts = Facts(True, upload_size_bytes=chance.choice([1, 2 * 1024**2]))
    return AccessRequest(
        caller=Caller(chance.choice(PRINCIPALS), UNNAMED_KEY, address=chance.choice([None, "10.1.2.3", "192.0.2.1"])),
        action=action,
        resource=some_end(chance),
        source=some_end(chance) if copies else None,
        part_number=PartNumber(chance.choice([1, 9])) if parts else None,
        byte_range=ByteRange(first, first + length - 1) if action == COPYING[0] and chance.random() < 0.7 else None,
        conditions=some_conditions(chance) if copies else None,
        headers=frozenset(chance.sample(["acl", "tagging", "storage-class"], chance.randint(0, 2))),
        time=chance.choice([None, datetime(2026, 5, chance.randint(1, 28), 3, tzinfo=UTC), LATE]),
        storage_class=chance.choice([None, "STANDARD", "ARCHIVE"]),
        encryption=chance.choice([None, "sse-cos", "sse-kms"]),
        object_bytes=chance.choice([None, 1, 2 * 1024**2]) if action in ("cos:PutObject", "cos:UploadPart") else None,
        facts=facts,
    )  # fmt: skip


def some_end(chance: random.Random) -> Resource:
    region = chance.choice([*REGIONS[:3], *REGIONS, None])
    return Resource(
        Bucket(chance.choice(BUCKETS)), ObjectKey(chance.choice(KEYS)), Region(region) if region is not None else None
    )


def some_conditions(chance: random.Random) -> CopyConditions:
    return chance.choice(
        [
            *[CopyConditions()] * 6,
            *[CopyConditions(if_match=("e1",))] * 3,
            CopyConditions(if_match=("*",)),
            CopyConditions(if_match=("a", "b"), if_unmodified_since=datetime(2026, 1, 1, tzinfo=UTC)),
            CopyConditions(if_none_match=("e1",)),
            CopyConditions(if_match=("a",), if_none_match=("b",)),
        ]
    )


def plainly(statements: tuple[Statement, ...], request: AccessRequest, *, shadows: bool) -> Verdict:
    """The verdict by the words of the guide, every statement asked; NEEDS_FACTS when a fact could change it."""
    if check_builtin(request) is not None:
        return Verdict.DENY
    yes: set[Effect] = set()
    perhaps: set[Effect] = set()
    for statement in statements:
        named = any(pattern.matches(request.caller.principal) for pattern in statement.principals)
        if not named or request.action not in statement.actions or (statement.mode is Mode.SHADOW and not shadows):
            continue
        outcomes = [
            selector.check(end, statement.effect)
            for selector, end in (
                (statement.source, request.source),
                (statement.destination or statement.resource, request.resource),
            )
            if selector is not None and end is not None
        ]
        if (statement.source is None) is (request.source is not None):
            continue
        outcomes += [rule.check(request) for rule in statement.rules]
        if any(isinstance(outcome, Violation) for outcome in outcomes):
            continue
        unknowns = [outcome for outcome in outcomes if isinstance(outcome, Unknown)]
        facts = [unknown.fact for unknown in unknowns if unknown.fact is not None and not request.facts.measured]
        if not unknowns or (statement.effect is Effect.DENY and not facts):
            yes.add(statement.effect)
        elif facts and (statement.effect is Effect.DENY or len(facts) == len(unknowns)):
            perhaps.add(statement.effect)
    if Effect.DENY in yes:
        return Verdict.DENY
    if Effect.ALLOW in yes:
        return Verdict.NEEDS_FACTS if Effect.DENY in perhaps else Verdict.ALLOW
    return Verdict.NEEDS_FACTS if Effect.ALLOW in perhaps else Verdict.DENY


def written_and_read(request: AccessRequest) -> AccessRequest:
    reader = Reader("audit")
    read = read_request(reader, nodes_of(json.loads(json.dumps(render_request(request)))), "")
    assert read is not None, reader.errors
    assert reader.errors == []
    return read


def assert_tree_agrees(policy_set: PolicySet, decision: Decision, request: AccessRequest) -> None:
    """The tree of checks says what the verdict says."""
    for branch in explain(policy_set, decision):
        failed = [check for check in branch.checks if check.result is CheckResult.FAILED]
        if not branch.trace.matched:
            assert failed
        elif failed:
            # Only a deny statement may apply although it could not tell.
            assert branch.trace.effect is Effect.DENY
        if failed:
            assert (failed[0].rule, failed[0].reason) == (
                branch.trace.violations[0].rule, branch.trace.violations[0].reason,
            ) or failed[0].rule in {violation.rule for violation in branch.trace.violations}  # fmt: skip
    enforced = [trace for trace in decision.trace if trace.mode is Mode.ENFORCE and trace.matched]
    effects = {trace.effect for trace in enforced}
    if decision.verdict is Verdict.ALLOW:
        assert effects == {Effect.ALLOW}
        assert decision.statement_id in {trace.statement_id for trace in enforced}
    if decision.verdict is Verdict.DENY and check_builtin(request) is None:
        assert Effect.DENY in effects or not effects
        assert decision.violations


def check(seed: int, requests: int) -> dict[Verdict, int]:
    chance = random.Random(seed)
    seen = dict.fromkeys(Verdict, 0)
    for number in range(requests):
        if number % REQUESTS_PER_POLICY == 0:
            policy_set = some_policy(chance)
        request = some_request(chance)
        enforced = policy_set.decide(request)
        explained = policy_set.decide(written_and_read(request))
        # Whether facts that are all unknown were measured is not written down.
        known = request.facts == Facts() or written_and_read(request).facts.measured == request.facts.measured
        if known:
            assert explained == enforced, request
        assert enforced.verdict is plainly(policy_set.statements, request, shadows=False), request
        if enforced.rehearsed in (Verdict.ALLOW, Verdict.DENY) and not enforced.needs:
            hinges = plainly(policy_set.statements, request, shadows=True)
            assert hinges in (enforced.rehearsed, Verdict.NEEDS_FACTS), request
        assert_tree_agrees(policy_set, enforced, request)
        seen[enforced.verdict] += 1
    return seen


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_explaining_agrees_with_enforcing(seed: int) -> None:
    seen = check(seed, 1_500)
    assert min(seen.values()) >= 5, seen


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_explaining_agrees_with_enforcing_on_100_000_requests() -> None:
    seen = check(20_260_101, 100_000)
    assert sum(seen.values()) == 100_000
