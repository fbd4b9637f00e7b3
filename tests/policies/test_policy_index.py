"""The index leaves out only what cannot apply: it is held against a list that is searched from end to end."""

from __future__ import annotations

import random

import pytest

from policies.decision import Effect, Mode
from policies.index import MAX_NAMES, Candidate, Index
from policies.patterns import Pattern
from policies.request import AccessRequest
from policies.statement import Selector, Statement
from tests.policies.building import MEDIA, RAW, changed, copy, document, end, load, pair, plain

COPIES = frozenset({"cos:UploadPartCopy", "cos:PutObjectCopy"})
READS = frozenset({"cos:GetObject"})
ACTIONS = [frozenset({"cos:UploadPartCopy"}), frozenset({"cos:PutObjectCopy"}), COPIES]
PLAIN = [READS, frozenset({"cos:GetObject", "cos:PutObject"})]
PRINCIPALS = ["team:a", "team:b", "team:*", "*", "app:x"]
BUCKETS = ["a-1250000000", "b-1250000000", "c-1250000000"]
SELECTED = [[BUCKETS[0]], [BUCKETS[1]], BUCKETS[:2], BUCKETS, ["*"], ["a-*", BUCKETS[2]]]


def selector(which: str, buckets: list[str]) -> Selector:
    return Selector(which, tuple(Pattern(bucket) for bucket in buckets))


def statement(
    name: str,
    *,
    principals: list[str],
    actions: frozenset[str],
    about: list[str],
    source: list[str] | None = None,
    mode: Mode = Mode.ENFORCE,
) -> Statement:
    copies = source is not None
    return Statement(
        name,
        "a.yaml",
        1,
        Effect.ALLOW,
        mode,
        tuple(Pattern(principal) for principal in principals),
        actions,
        resource=None if copies else selector("resource", about),
        source=selector("source", source) if source is not None else None,
        destination=selector("destination", about) if copies else None,
    )


def some_statements(chance: random.Random) -> list[Statement]:
    found = []
    for number in range(chance.randint(1, 8)):
        copies = chance.random() < 0.6
        found.append(
            statement(
                f"s{number}",
                principals=chance.sample(PRINCIPALS, chance.choice([1, 1, 2, 3])),
                actions=chance.choice(ACTIONS if copies else PLAIN),
                about=chance.choice(SELECTED),
                source=chance.choice(SELECTED) if copies else None,
                mode=chance.choice([Mode.ENFORCE, Mode.ENFORCE, Mode.SHADOW]),
            )
        )
    return found


def ids(candidates: list[Candidate]) -> list[str]:
    """Their ids; every candidate speaks for the statement at its place."""
    for candidate in candidates:
        item = candidate.statement
        assert (candidate.id, candidate.actions) == (item.id, item.actions)
    return [candidate.statement.id for candidate in candidates]


def names_it(item: Statement, principal: str, action: str) -> bool:
    return action in item.actions and any(pattern.matches(principal) for pattern in item.principals)


def reaches(item: Selector, bucket: str | None) -> bool:
    return any(pattern.matches(bucket or "") for pattern in item.buckets)


def may_be_about(item: Selector, bucket: str) -> bool:
    """A glob may be about every bucket: what it is about is asked of it."""
    return reaches(item, bucket) or not all(pattern.literal for pattern in item.buckets)


@pytest.mark.parametrize("seed", range(40))
def test_nothing_that_applies_is_left_out(seed: int) -> None:
    chance = random.Random(seed)
    statements = some_statements(chance)
    index = Index(statements)
    for principal in ("team:a", "team:b", "team:z", "app:x", "nobody"):
        assert index.names(principal) == any(
            pattern.matches(principal) for item in statements for pattern in item.principals
        )
        for action in ("cos:UploadPartCopy", "cos:PutObjectCopy", "cos:GetObject", "cos:PutObject"):
            named = [item for item in statements if names_it(item, principal, action)]
            assert ids(index.find(principal, action)) == [item.id for item in named]
            assert all(found.statement is statements[found.ordinal] for found in index.find(principal, action))
            for bucket in (*BUCKETS, "z-1250000000"):
                about = [item.id for item in named if may_be_about(item.ends[-1], bucket)]
                assert ids(index.find_about(principal, action, bucket)) == about
                for source in (*BUCKETS, "z-1250000000") if action.endswith("Copy") else (None,):
                    selecting, complete = index.find_selecting(principal, action, bucket, source)
                    found = ids(selecting)
                    apply = [
                        item.id
                        for item in named
                        if reaches(item.ends[-1], bucket)
                        and (source is None or reaches(item.ends[0], source) or item.mode is Mode.SHADOW)
                    ]
                    assert set(apply) <= set(found) <= set(about)
                    assert found == sorted(set(found), key=about.index)
                    assert not complete or found == about


@pytest.mark.parametrize("seed", range(40))
def test_a_candidate_asks_what_its_statement_asks(seed: int) -> None:
    chance = random.Random(seed)
    statements = some_statements(chance)
    index = Index(statements)
    for bucket in BUCKETS:
        for source in BUCKETS:
            request = changed(copy(principal="team:a"), resource=end(bucket), source=end(source))
            for candidate in index.find_selecting("team:a", "cos:UploadPartCopy", bucket, source)[0]:
                assert candidate.checks.judge(request) == candidate.statement.judge(request)
                assert candidate.statement is statements[candidate.ordinal]
                assert (candidate.id, candidate.actions) == (candidate.statement.id, candidate.statement.actions)


def many(count: int, prefix: str) -> list[str]:
    return [f"{prefix}{number}-1250000000" for number in range(count)]


@pytest.mark.parametrize(
    ("about", "source"),
    [
        (many(MAX_NAMES, "x"), None),
        (many(MAX_NAMES + 1, "x"), None),
        (many(8, "x"), many(8, "y")),
        (many(5, "x"), many(13, "y")),
        (many(1, "x"), many(MAX_NAMES + 1, "y")),
    ],
    ids=["64 buckets", "65 buckets", "64 pairs", "65 pairs", "65 sources"],
)
def test_a_statement_of_however_many_buckets_is_found_by_each(about: list[str], source: list[str] | None) -> None:
    action = "cos:UploadPartCopy" if source else "cos:GetObject"
    long = statement("long", principals=["p"], actions=frozenset({action}), about=about, source=source)
    other = statement("other", principals=["p"], actions=READS, about=["z-1250000000"])
    index = Index([other, long])
    for bucket in about:
        for origin in source or [None]:
            assert ids(index.find_selecting("p", action, bucket, origin)[0]) == ["long"]
    assert ids(index.find_selecting("p", action, "y-1250000000", "y-1250000000" if source else None)[0]) == []


def test_what_is_known_to_be_all_is_said_so_only_then() -> None:
    one = statement("one", principals=["p"], actions=READS, about=BUCKETS[:1])
    two = statement("two", principals=["p"], actions=READS, about=BUCKETS[:2])
    far = statement("far", principals=["q"], actions=READS, about=BUCKETS[:1])
    assert Index([one, far]).find_selecting("p", "cos:GetObject", BUCKETS[0], None)[1] is True
    assert Index([one, two]).find_selecting("p", "cos:GetObject", BUCKETS[0], None)[1] is False
    assert Index([one]).find_selecting("p", "cos:GetObject", BUCKETS[1], None) == ([], False)
    assert Index([one]).find_selecting("p", "cos:PutObject", BUCKETS[0], None) == ([], False)
    assert Index([one]).find_selecting("q", "cos:GetObject", BUCKETS[0], None) == ([], False)


# --- statements that differ in little ------------------------------------------------------------------------


def test_statements_that_share_what_they_ask_differ_in_their_names() -> None:
    policy_set = load(
        document(
            pair("one", when="{range: {max: 1MiB}}"),
            pair("two", source="{bucket: x-1250000000}", when="{range: {max: 1MiB}}"),
            pair("three", source="{bucket: y-1250000000}", when="{range: {max: 1KiB}}"),
            pair("no", source="{bucket: z-1250000000}", effect="deny", when="{range: {max: 1MiB}}"),
            pair("keyed", source="{bucket: w-1250000000, key: a}", when="{range: {max: 1MiB}}"),
            pair("placed", source="{bucket: v-1250000000, region: ap-seoul}", when="{range: {max: 1MiB}}"),
            pair("owned", source="{bucket: u-1250000000, account: '1'}", when="{range: {max: 1MiB}}"),
            pair("any-key", source="{bucket: t-1250000000, key: [a, '*']}", when="{range: {max: 1MiB}}"),
        ),
        document(pair("elsewhere", source="{bucket: s-1250000000}", when="{range: {max: 1MiB}}")),
    )

    def decided(bucket: str, key: str = "k") -> tuple[str | None, str | None, str]:
        decision = policy_set.decide(copy(source=end(bucket, key)))
        return decision.statement_id, decision.document, str(decision.verdict)

    assert decided(RAW) == ("one", "a.yaml", "allow")
    assert decided("x-1250000000") == ("two", "a.yaml", "allow")
    assert decided("y-1250000000") == (None, None, "deny")
    assert decided("z-1250000000") == ("no", "a.yaml", "deny")
    assert decided("w-1250000000") == (None, None, "deny")
    assert decided("w-1250000000", "a") == ("keyed", "a.yaml", "allow")
    assert decided("v-1250000000") == (None, None, "deny")
    assert decided("u-1250000000") == (None, None, "deny")
    assert decided("t-1250000000") == ("any-key", "a.yaml", "allow")
    assert decided("s-1250000000") == ("elsewhere", "b.yaml", "allow")


def test_an_operation_on_no_bucket_is_judged_by_statements_of_every_bucket() -> None:
    listing = frozenset({"cos:GetService"})
    every = statement("every", principals=["p"], actions=listing, about=["*"])
    index = Index([every, statement("some", principals=["p"], actions=listing, about=[MEDIA])])
    request: AccessRequest = plain("cos:GetService", end(None, None, None), principal="p")
    judged = {item.statement.id: item.checks.judge(request) for item in index.find("p", "cos:GetService")}
    assert judged["every"] is None
    assert judged["some"] is not None
