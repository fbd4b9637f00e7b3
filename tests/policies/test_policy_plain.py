"""A decision that is remembered is the decision that would be made: held against an engine that remembers nothing."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from cos.byte_range import ByteRange
from cos.conditions import CopyConditions
from cos.values import PartNumber
from policies import rules
from policies.decision import Decision, Effect, Mode, Outcome, Verdict
from policies.engine import MAX_REMEMBERED, Engine
from policies.loading import PolicySet
from policies.patterns import Pattern
from policies.plain import MAX_CANDIDATES
from policies.request import AccessRequest, Caller, Facts
from policies.rule import KINDS, Rule
from policies.statement import Selector, Statement
from tests.policies.building import GIB, MEDIA, MIB, RAW, changed, copy, document, end, load, on, pair, plain

assert rules.__all__, "importing them registers their kinds"

WHENS = [
    "{range: {required: true, max: 1MiB}}",
    "{same_region: true}",
    "{same_region: false}",
    "{same_region: true, range: {max: 1MiB}}",
    "{part_number: {max: 5}}",
    "{networks: [10.0.0.0/8]}",
    "{period: {not_after: '2026-06-01T00:00:00+08:00'}}",
    "{source_size: {max: 1GiB}}",
    "{source_conditions: {pin: etag}}",
    "{source_conditions: {require_any: [if-match]}}",
    "{headers: {forbid: [acl]}}",
    "{territory: [mainland->mainland]}",
    "{regions: {pairs: [[ap-guangzhou, ap-shanghai]]}}",
    "{source_version: forbid}",
    "{object_size: 1GiB}",
]
ENDS = [
    (end(RAW), end(MEDIA, "films/a")),
    (end(RAW, "elsewhere/a"), end(MEDIA, "films/a")),
    (end(RAW, version="v1"), end(MEDIA, "films/a", "ap-shanghai")),
    (end("x-1250000000"), end(MEDIA, region=None)),
]
CONFLICT = CopyConditions(if_match=("e",), if_none_match=("e",))
"""What COS does not accept."""


def some_policy(chance: random.Random) -> PolicySet:
    statements = []
    for number in range(chance.randint(1, 6)):
        effect = "allow" if number == 0 or chance.random() < 0.7 else "deny"
        when = chance.choice([*WHENS, "{}", "{}"])
        statements.append(
            pair(
                f"s{number}",
                effect=effect,
                mode=chance.choice(["enforce", "enforce", "enforce", "shadow"]),
                principals=chance.choice(['["team:media"]', '["*"]', '["team:*", "app:a"]']),
                source=chance.choice([f"{{bucket: {RAW}, key: 'incoming/*'}}", "{bucket: '*'}"]),
                destination=chance.choice([f"{{bucket: {MEDIA}}}", "{bucket: '*', region: ap-guangzhou}"]),
                when="{}" if effect == "deny" and "pin" in when else when,
            )
        )
    return load(document(*statements))


def varied(chance: random.Random, asked: AccessRequest) -> AccessRequest:
    """The same ends, asked by the same principal for the same; everything else as it comes."""
    first = chance.choice([0, MIB])
    length = chance.choice([1, MIB, MIB, 2 * MIB, 6 * GIB])
    return changed(
        asked,
        caller=Caller(
            asked.caller.principal,
            chance.choice(["key", "other"]),
            labels=chance.choice([(), (("a", "b"),)]),
            address=chance.choice([None, "10.1.2.3", "10.9.9.9", "192.0.2.1"]),
        ),
        part_number=PartNumber(chance.choice([1, 2, 9])),
        byte_range=chance.choice([None, *[ByteRange(first, first + length - 1)] * 4]),
        conditions=chance.choice([*[None, CopyConditions(), CopyConditions(if_match=("e",))] * 4, CONFLICT]),
        headers=frozenset(chance.sample(["acl", "tagging"], chance.randint(0, 2))),
        time=chance.choice([None, datetime(2026, 5, 3, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)]),
        storage_class=chance.choice([None, "STANDARD"]),
        encryption=chance.choice([None, "sse-cos"]),
        object_bytes=chance.choice([None, 1]),
        facts=chance.choice([Facts(), Facts(True), Facts(True, 9 * MIB, "e1"), Facts(True, 9 * GIB, "e2")]),
    )


@pytest.mark.parametrize("seed", range(30))
def test_what_was_decided_before_changes_nothing(seed: int) -> None:
    chance = random.Random(seed)
    remembered: dict[int, Decision] = {}
    again = 0
    for _ in range(8):
        policy_set = some_policy(chance)
        for _ in range(60):
            source, resource = chance.choice(ENDS)
            principal = chance.choice(["team:media", "team:media", "app:a", "nobody"])
            asked = varied(chance, changed(copy(principal=principal), resource=resource, source=source))
            decision = policy_set.decide(asked)
            assert decision == PolicySet(policy_set.documents, policy_set.version).decide(asked), asked
            again += id(decision) in remembered
            remembered[id(decision)] = decision
    assert again >= 10, "some of them were remembered"


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if getattr(kind.build, "of_ends", False)])
def test_a_rule_that_says_it_looks_at_ends_only_does_so(kind: str) -> None:
    chance = random.Random(1)
    asking = [when for when in [*WHENS, "{version: require}", "{source_version: require}"] if f"{{{kind}:" in when]
    assert asking
    for when in asking:
        statement = on(when=when) if kind == "version" else pair(when=when)
        (rule,) = [item for item in load(document(statement)).statements[0].rules if type(item) is KINDS[kind].build]
        for source, resource in ENDS:
            asked = changed(copy(), resource=resource, source=source)
            outcome = rule.check(asked)
            for _ in range(100):
                assert rule.check(varied(chance, asked)) == outcome


# --- what is remembered ----------------------------------------------------------------------------------------


def reading(name: str, *asked: Rule, mode: Mode = Mode.ENFORCE, effect: Effect = Effect.ALLOW) -> Statement:
    buckets = Selector("resource", (Pattern("*"),))
    actions = frozenset({"cos:GetObject"})
    return Statement(name, "a.yaml", 1, effect, mode, (Pattern("*"),), actions, buckets, rules=asked)


def read(key: str = "a", part: int | None = None) -> AccessRequest:
    request = plain("cos:GetObject", end(RAW, key))
    return changed(request, part_number=PartNumber(part)) if part is not None else request


@dataclass(frozen=True, slots=True)
class FaultyLater:
    """A rule that breaks its promise for one part only."""

    def check(self, request: AccessRequest) -> Outcome:
        if request.part_number == 2:
            raise TypeError("expected str, got None")
        return None


def test_a_rule_that_raises_after_it_was_remembered_denies_and_is_told() -> None:
    engine = Engine([reading("other"), reading("faulty", FaultyLater())], "v")
    assert engine.decide(read(part=1)).allowed
    assert engine.decide(read(part=1)) is engine.decide(read(part=3))
    decision = engine.decide(read(part=2))
    assert (decision.verdict, decision.code) == (Verdict.DENY, "InternalError")
    assert [error.error for error in decision.errors] == ["TypeError: expected str, got None"]
    assert engine.decide(read(part=1)).allowed


def test_what_a_statement_denies_plainly_is_remembered_with_its_reason() -> None:
    engine = Engine([reading("yes"), reading("no", effect=Effect.DENY), reading("trial", mode=Mode.SHADOW)], "v")
    first, second = engine.decide(read(part=1)), engine.decide(read(part=2))
    assert first is second
    assert (first.verdict, first.statement_id, len(first.trace)) == (Verdict.DENY, "no", 3)


def test_a_request_that_is_amended_is_amended_each_time_anew() -> None:
    policy_set = load(document(pair(when="{source_conditions: {pin: etag}}")))
    for etag in ("e1", "e2"):
        decision = policy_set.decide(changed(copy(), facts=Facts(True, source_etag=etag)))
        assert [amendment.value for amendment in decision.amendments] == [f'"{etag}"']
    assert policy_set.decide(copy()).verdict is Verdict.NEEDS_FACTS


def test_sets_remember_each_for_itself() -> None:
    allowing, denying = load(document(pair())), load(document(pair(), pair("no", effect="deny")))
    assert allowing.decide(copy()).allowed
    assert not denying.decide(copy()).allowed
    assert allowing.decide(copy()).allowed


def test_no_more_is_remembered_than_was_said() -> None:
    engine = Engine([reading("yes")], "v", remembers=2)
    for round_ in range(2):
        for key in ("a", "b", "c", "d", "e"):
            assert engine.decide(read(key)).allowed, round_
            assert 1 <= len(engine._plain) <= 2
    assert MAX_REMEMBERED <= 1024


@pytest.mark.parametrize(("count", "kept"), [(MAX_CANDIDATES, True), (MAX_CANDIDATES + 1, False)])
def test_a_decision_of_very_many_statements_is_made_each_time(count: int, kept: bool) -> None:
    engine = Engine([reading(f"s{number}") for number in range(count)], "v")
    first, second = engine.decide(read()), engine.decide(read())
    assert first == second
    assert (first is second) is kept
