"""Which credential opens which bucket, and which one copies between two accounts."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from cos.values import Region, parse_bucket, parse_region
from gateway.credentials.choice import Assignment, Choice, Reach
from gateway.ports import BucketRecord, CredentialUnavailable, NoCredentialForBoth
from policies.patterns import Pattern

A, B, C = "1250000000", "1259999999", "1258888888"


@dataclass(frozen=True)
class Held:
    name: str
    account: str


MAIN, LOGS, OTHER = Held("main", A), Held("logs", A), Held("other", B)


def bucket(
    name: str = "media", account: str = A, region: str = "ap-guangzhou", named: str | None = None
) -> BucketRecord:
    return BucketRecord(parse_bucket(f"{name}-{account}"), parse_region(region), account, named)


def assignment(credential: str, *patterns: str, regions: tuple[str, ...] = ()) -> Assignment:
    return Assignment(credential, tuple(map(Pattern, patterns)), frozenset(map(Region, regions)))


LOGS_FIRST = Choice([assignment("logs", "logs-*"), assignment("main", "*")])
BY_REGION = Choice([assignment("logs", "*", regions=("ap-shanghai",)), assignment("main", "*")])


@pytest.mark.parametrize(
    ("choice", "asked", "expected"),
    [
        (LOGS_FIRST, bucket("logs-2026"), "logs"),
        (LOGS_FIRST, bucket("media"), "main"),
        (LOGS_FIRST, bucket("mylogs-2026"), "main"),
        (LOGS_FIRST, bucket("logs-2026", named="main"), "main"),
        (BY_REGION, bucket(region="ap-shanghai"), "logs"),
        (BY_REGION, bucket(region="ap-guangzhou"), "main"),
        (Choice(), bucket(account=B), "other"),
        (Choice(reaches={"other": Reach(reads=frozenset({C}))}), bucket(account=C), "other"),
    ],
    ids=["glob", "rest", "glob is whole", "named first", "region", "another region", "account", "reach"],
)
def test_the_first_that_says_something_decides(choice: Choice, asked: BucketRecord, expected: str) -> None:
    assert choice.for_bucket(asked, [MAIN, LOGS, OTHER]).name == expected


@pytest.mark.parametrize(
    ("choice", "asked"),
    [
        (Choice(), bucket()),
        (Choice(), bucket(account=C)),
        (Choice(), bucket(named="gone")),
        (Choice([assignment("gone", "*")]), bucket()),
        (Choice(reaches={"main": Reach(frozenset({C})), "other": Reach(frozenset({C}))}), bucket(account=C)),
    ],
    ids=["two of the account", "none", "named, gone", "assigned, gone", "two reach"],
)
def test_what_is_not_clear_is_refused(choice: Choice, asked: BucketRecord) -> None:
    with pytest.raises(CredentialUnavailable, match="Expected one active credential"):
        choice.for_bucket(asked, [MAIN, LOGS, OTHER])


READS_B = {"main": Reach(reads=frozenset({B}))}
WRITES_A = {"other": Reach(writes=frozenset({A}))}


@pytest.mark.parametrize(
    ("reaches", "destination", "source", "expected"),
    [
        ({}, bucket(), bucket("raw"), "main"),
        (READS_B, bucket(), bucket(account=B), "main"),
        (WRITES_A, bucket(), bucket(account=B), "other"),
        ({**READS_B, **WRITES_A}, bucket(), bucket(account=B), "main"),
        ({}, bucket(), bucket(account=B, named="main"), "main"),
        ({}, bucket(named="other"), bucket(account=B), "other"),
        ({"other": Reach(frozenset({C}), frozenset({A}))}, bucket(), bucket(account=C), "other"),
    ],
    ids=[
        "one account",
        "destination's reads",
        "source's writes",
        "the destination's goes first",
        "registry names it for the source",
        "registry names it for the destination",
        "a third account's",
    ],
)
def test_a_copy_takes_the_credential_that_can_do_both(
    reaches: dict[str, Reach], destination: BucketRecord, source: BucketRecord, expected: str
) -> None:
    assert Choice(reaches=reaches).for_copy(destination, source, [MAIN, OTHER]).name == expected


@pytest.mark.parametrize(
    ("reaches", "destination", "source"),
    [
        ({}, bucket(), bucket(account=B)),
        ({"main": Reach(writes=frozenset({B}))}, bucket(), bucket(account=B)),
        ({"other": Reach(reads=frozenset({A}))}, bucket(), bucket(account=B)),
        (READS_B, bucket(account=B), bucket()),
        ({}, bucket(), bucket(account=C)),
        (
            {"main": Reach(frozenset({C}), frozenset({B})), "other": Reach(frozenset({C}), frozenset())},
            bucket(account=C),
            bucket(),
        ),
    ],
    ids=["no reach", "writes is not reads", "reads is not writes", "the other way", "nobody", "third account"],
)
def test_a_copy_nobody_can_do_says_what_is_missing(
    reaches: dict[str, Reach], destination: BucketRecord, source: BucketRecord
) -> None:
    with pytest.raises(NoCredentialForBoth, match=rf"read '{source.name}'.*write '{destination.name}'.*cross_account"):
        Choice(reaches=reaches).for_copy(destination, source, [MAIN, OTHER])


def test_two_that_can_do_both_are_not_guessed_between() -> None:
    reaches = {"other": Reach(writes=frozenset({A})), "third": Reach(frozenset({B}), frozenset({A}))}
    with pytest.raises(NoCredentialForBoth, match=r"\['other', 'third'\]"):
        Choice(reaches=reaches).for_copy(bucket(), bucket(account=B), [MAIN, OTHER, Held("third", C)])


def test_the_buckets_of_a_credential_are_those_it_opens() -> None:
    records = [bucket("logs-1"), bucket("media"), bucket(account=B), bucket(account=C)]
    assert LOGS_FIRST.buckets_of("logs", records[:2], [MAIN, LOGS, OTHER]) == records[:1]
    assert Choice().buckets_of("other", records, [MAIN, LOGS, OTHER]) == records[2:3]
