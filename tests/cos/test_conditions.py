"""The four conditions of a copy: parsed, combined, held against a source."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import combinations

import pytest

from cos.conditions import CONDITION_NAMES, CopyConditions, parse_conditions
from cos.errors import COSError

MODIFIED = datetime(2017, 9, 4, 4, 45, 45, tzinfo=UTC)
DATE = "Mon, 04 Sep 2017 04:45:45 GMT"
EXAMPLE = {"if-match": '"e"', "if-none-match": '"e"', "if-modified-since": DATE, "if-unmodified-since": DATE}


@pytest.mark.parametrize(
    ("text", "etags"),
    [
        pytest.param('"abc"', ("abc",), id="quoted"),
        pytest.param("abc", ("abc",), id="unquoted"),
        pytest.param('"abc", "def"', ("abc", "def"), id="java-list"),
        pytest.param('"abc","def"', ("abc", "def"), id="list-without-space"),
        pytest.param('abc, "d-2"', ("abc", "d-2"), id="mixed"),
        pytest.param("*", ("*",), id="any"),
        pytest.param('  "abc" ', ("abc",), id="spaces"),
    ],
)
def test_etags_are_unquoted(text: str, etags: tuple[str, ...]) -> None:
    conditions = parse_conditions({"if-match": text, "if-none-match": text})
    assert conditions == CopyConditions(if_match=etags, if_none_match=etags)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(" ", id="space"),
        pytest.param('""', id="empty-etag"),
        pytest.param('"*"', id="quoted-wildcard"),
        pytest.param('*, "a"', id="wildcard-in-a-list"),
        pytest.param('"a,b"', id="comma-in-quotes"),
        pytest.param('"a"b', id="text-after-quotes"),
        pytest.param('"a" "b"', id="no-comma"),
        pytest.param('"a",', id="trailing-comma"),
        pytest.param(',"a"', id="leading-comma"),
        pytest.param('"a",,"b"', id="two-commas"),
        pytest.param('"a', id="open-quote"),
        pytest.param('W/"a"', id="weak"),
        pytest.param("a b", id="space-inside"),
        pytest.param("a\n", id="line-feed"),
        pytest.param("é", id="not-ascii"),
    ],
)
@pytest.mark.parametrize("name", ["if-match", "if-none-match"])
def test_other_etags_are_refused(name: str, text: str) -> None:
    with pytest.raises(COSError) as caught:
        parse_conditions({name: text})
    assert caught.value.code == "InvalidArgument"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("2017-09-04T04:45:45Z", id="iso"),
        pytest.param("1504500345", id="unix"),
        pytest.param("04 Sep 2017 04:45:45 GMT", id="no-weekday"),
        pytest.param("Mon, 4 Sep 2017 04:45:45 GMT", id="one-digit-day"),
        pytest.param("Mon, 04 Sep 17 04:45:45 GMT", id="two-digit-year"),
        pytest.param("Monday, 04-Sep-17 04:45:45 GMT", id="rfc-850"),
        pytest.param("Mon Sep  4 04:45:45 2017", id="asctime"),
        pytest.param("Mon, 04 Sep 2017 04:45:45", id="no-zone"),
        pytest.param("Mon, 04 Sep 2017 04:45:45 +0800", id="other-zone"),
        pytest.param("Mon, 31 Feb 2017 04:45:45 GMT", id="no-such-day"),
        pytest.param("Mon, 04 Sep 2017 24:00:00 GMT", id="no-such-hour"),
        pytest.param("Mon, 04 Sep 0000 04:45:45 GMT", id="year-zero"),
        pytest.param("Mon, 04 Sep 2017 04:45:4５ GMT", id="full-width"),
        pytest.param("Mon, 04 Sep 2017 04:45:45 GMT ", id="trailing-space"),
    ],
)
@pytest.mark.parametrize("name", ["if-modified-since", "if-unmodified-since"])
def test_other_dates_are_refused(name: str, text: str) -> None:
    with pytest.raises(COSError) as caught:
        parse_conditions({name: text})
    assert caught.value.code == "InvalidArgument"


def test_dates_are_in_utc() -> None:
    assert parse_conditions({"if-modified-since": DATE}).if_modified_since == MODIFIED


def test_no_conditions_hold_for_everything() -> None:
    conditions = parse_conditions({})
    assert (conditions.present, conditions.conflict) == (frozenset(), False)
    assert conditions.hold(etag="e", last_modified=MODIFIED)


LAWFUL = {
    frozenset({"if-match", "if-unmodified-since"}),
    frozenset({"if-none-match", "if-modified-since"}),
}
COMBINATIONS = [frozenset(names) for size in (1, 2, 3, 4) for names in combinations(CONDITION_NAMES, size)]


@pytest.mark.parametrize("names", COMBINATIONS, ids=lambda names: "+".join(sorted(names)))
def test_only_the_two_documented_pairs_may_be_combined(names: frozenset[str]) -> None:
    conditions = parse_conditions({name: EXAMPLE[name] for name in names})
    assert conditions.present == names
    assert conditions.conflict is (len(names) > 1 and names not in LAWFUL)


@pytest.mark.parametrize(
    ("values", "holds"),
    [
        pytest.param({"if-match": '"e"'}, True, id="match"),
        pytest.param({"if-match": '"x", "e"'}, True, id="match-listed"),
        pytest.param({"if-match": "*"}, True, id="match-any"),
        pytest.param({"if-match": '"x"'}, False, id="match-other"),
        pytest.param({"if-match": '"E"'}, False, id="match-other-case"),
        pytest.param({"if-none-match": '"x"'}, True, id="none-match-other"),
        pytest.param({"if-none-match": '"x", "e"'}, False, id="none-match-listed"),
        pytest.param({"if-none-match": "*"}, False, id="none-match-any"),
        pytest.param(
            {"if-match": '"e"', "if-unmodified-since": "Mon, 04 Sep 2017 04:45:44 GMT"}, False, id="pair-half"
        ),
        pytest.param({"if-none-match": '"x"', "if-modified-since": DATE}, False, id="other-pair-half"),
    ],
)
def test_conditions_on_the_source(values: dict[str, str], holds: bool) -> None:
    assert parse_conditions(values).hold(etag="e", last_modified=MODIFIED) is holds


@pytest.mark.parametrize(
    ("age_seconds", "modified_since", "unmodified_since"),
    [(-1, True, False), (0, False, True), (0.5, False, True), (1, False, True)],
    ids=["modified-after", "same-second", "half-a-second-before", "modified-before"],
)
def test_dates_compare_in_whole_seconds(age_seconds: float, modified_since: bool, unmodified_since: bool) -> None:
    last_modified = MODIFIED - timedelta(seconds=age_seconds)
    since = parse_conditions({"if-modified-since": DATE})
    until = parse_conditions({"if-unmodified-since": DATE})
    assert since.hold(etag="e", last_modified=last_modified) is modified_since
    assert until.hold(etag="e", last_modified=last_modified) is unmodified_since


def test_fractions_of_the_same_second_are_not_after_it() -> None:
    conditions = parse_conditions({"if-unmodified-since": DATE})
    assert conditions.hold(etag="e", last_modified=MODIFIED.replace(microsecond=999_999))
