"""Rules about copies: range, part number, regions, territories, conditions, versions, sizes, alignment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from cos.conditions import CopyConditions
from cos.values import Region
from policies.decision import Fact, Unknown, Violation
from policies.regions import Territories, Territory
from policies.request import AccessRequest
from policies.rule import Rule
from policies.rules.conditions import ConditionName, SourceConditionsRule
from policies.rules.part_number import PartNumberRule
from policies.rules.ranges import RangeRule, SmallLastPart
from policies.rules.regions import RegionsRule, Route, SameRegion, SameRegionRule, TerritoryRule
from policies.rules.source_size import AlignmentRule, SourceSizeRule
from policies.rules.versions import Presence, SourceVersionRule
from policies.sizes import Size
from tests.policies.building import GIB, MEDIA, MIB, RAW, copy, end, outcome_of

AT = datetime(2017, 9, 4, 4, 45, 45, tzinfo=UTC)


BOUNDED = RangeRule(min=Size(MIB), max=Size(GIB))
SMALL = RangeRule(min=Size(MIB), max=Size(GIB), small_last_part=SmallLastPart.ALLOW)


@pytest.mark.parametrize(
    ("rule", "request_", "outcome"),
    [
        pytest.param(BOUNDED, copy(length=MIB - 1), "range.min", id="min-1"),
        pytest.param(BOUNDED, copy(length=MIB), "passes", id="min"),
        pytest.param(BOUNDED, copy(length=MIB + 1), "passes", id="min+1"),
        pytest.param(BOUNDED, copy(length=GIB - 1), "passes", id="max-1"),
        pytest.param(BOUNDED, copy(length=GIB), "passes", id="max"),
        pytest.param(BOUNDED, copy(length=GIB + 1), "range.max", id="max+1"),
        pytest.param(BOUNDED, copy(length=GIB, first=10 * GIB), "passes", id="length counts, not offset"),
        pytest.param(BOUNDED, copy(length=None), "unknown range.size source_size", id="whole source, not measured"),
        pytest.param(BOUNDED, copy(length=None, size=GIB), "passes", id="whole source of max"),
        pytest.param(BOUNDED, copy(length=None, size=GIB + 1), "range.max", id="whole source of max+1"),
        pytest.param(BOUNDED, copy(length=None, size=MIB - 1), "range.min", id="whole source of min-1"),
        pytest.param(BOUNDED, copy(length=None, size=0), "range.min", id="whole empty source"),
        pytest.param(RangeRule(required=True), copy(length=None), "range.required", id="required, none"),
        pytest.param(RangeRule(required=True), copy(length=1), "passes", id="required, one byte"),
        pytest.param(SMALL, copy(length=91), "unknown range.min source_size", id="small, not measured"),
        pytest.param(SMALL, copy(length=91, first=MIB, size=MIB + 91), "passes", id="small and last"),
        pytest.param(
            SMALL, copy(length=91, first=MIB, size=MIB + 92), "range.min", id="small, one byte before the end"
        ),
        pytest.param(
            SMALL, copy(length=91, first=MIB, size=MIB + 90), "range.min", id="small, one byte beyond the end"
        ),
        pytest.param(SMALL, copy(length=MIB, first=0), "passes", id="not small, not measured"),
        pytest.param(SMALL, copy(length=None, size=91), "passes", id="small whole source"),
        pytest.param(SMALL, copy(length=None, size=0), "passes", id="empty whole source"),
        pytest.param(SMALL, copy(length=GIB + 1, size=GIB + 1), "range.max", id="last but too large"),
    ],
)
def test_range_bounds_the_bytes_of_one_copy(rule: RangeRule, request_: AccessRequest, outcome: str) -> None:
    assert outcome_of(rule, request_) == outcome


@pytest.mark.parametrize(
    ("number", "outcome"),
    [
        (1, "part_number.min"), (2, "passes"), (3, "passes"), (4, "passes"), (5, "part_number.max"),
        (None, "part_number"),
    ],
)  # fmt: skip
def test_part_number_bounds_are_inclusive(number: int | None, outcome: str) -> None:
    assert outcome_of(PartNumberRule(min=2, max=4), copy(part=number)) == outcome


def between(source: str | None, destination: str | None) -> AccessRequest:
    return copy(source=end(RAW, region=source), destination=end(MEDIA, "a", region=destination))


ROUTES = RegionsRule(pairs=frozenset({(Region("ap-beijing"), Region("ap-guangzhou"))}))
HOME = RegionsRule(pairs=ROUTES.pairs, same_region=SameRegion.ALLOW)


@pytest.mark.parametrize(
    ("rule", "source", "destination", "outcome"),
    [
        (SameRegionRule(expected=True), "ap-beijing", "ap-beijing", "passes"),
        (SameRegionRule(expected=True), "ap-beijing", "ap-beijing-1", "same_region"),
        (SameRegionRule(expected=True), None, "ap-beijing", "unknown same_region"),
        (SameRegionRule(expected=True), "ap-beijing", None, "unknown same_region"),
        (SameRegionRule(expected=True), None, None, "unknown same_region"),
        (SameRegionRule(expected=False), "ap-beijing", "ap-beijing", "same_region"),
        (SameRegionRule(expected=False), "ap-beijing", "ap-shanghai", "passes"),
        (SameRegionRule(expected=False), None, "ap-shanghai", "unknown same_region"),
        (ROUTES, "ap-beijing", "ap-guangzhou", "passes"),
        (ROUTES, "ap-guangzhou", "ap-beijing", "regions.pairs"),
        (ROUTES, "ap-beijing", "ap-beijing", "regions.pairs"),
        (ROUTES, "ap-beijing", None, "unknown regions.pairs"),
        (HOME, "ap-chengdu", "ap-chengdu", "passes"),
        (HOME, "ap-chengdu", "ap-guangzhou", "regions.pairs"),
        (HOME, None, None, "unknown regions.pairs"),
    ],
)
def test_regions_are_compared_and_an_unknown_one_equals_none(
    rule: Rule, source: str | None, destination: str | None, outcome: str
) -> None:
    assert outcome_of(rule, between(source, destination)) == outcome


@pytest.mark.parametrize(
    ("routes", "source", "destination", "outcome"),
    [
        ("mainland->mainland", "ap-beijing", "ap-shenzhen-fsi", "passes"),
        ("mainland->mainland", "ap-beijing", "ap-hongkong", "territory.allow"),
        ("mainland->overseas", "ap-beijing", "ap-hongkong", "passes"),
        ("mainland->overseas", "ap-hongkong", "ap-beijing", "territory.allow"),
        ("overseas->mainland", "eu-frankfurt", "ap-nanjing", "passes"),
        ("overseas->overseas", "eu-frankfurt", "sa-saopaulo", "passes"),
        ("overseas->overseas", "me-jeddah", "sa-saopaulo", "unknown territory.allow"),
        ("overseas->overseas", "sa-saopaulo", "me-jeddah", "unknown territory.allow"),
        ("overseas->overseas", None, "sa-saopaulo", "unknown territory.allow"),
    ],
)
def test_territories_are_judged_by_direction(
    routes: str, source: str | None, destination: str | None, outcome: str
) -> None:
    rule = TerritoryRule(allow=frozenset({Route.parse(routes)}))
    assert outcome_of(rule, between(source, destination)) == outcome


def test_a_region_added_to_a_table_is_in_its_territory() -> None:
    tables = Territories().extended(overseas=[Region("me-jeddah")])
    rule = TerritoryRule(allow=frozenset({Route.parse("overseas->overseas")}), territories=tables)
    assert outcome_of(rule, between("me-jeddah", "eu-frankfurt")) == "passes"
    assert Territories().of(Region("me-jeddah")) is None
    assert tables.of(Region("ap-hongkong")) is Territory.OVERSEAS
    with pytest.raises(ValueError, match="ap-beijing in both"):
        tables.extended(overseas=[Region("ap-beijing")])


MATCH, NONE_MATCH = CopyConditions(if_match=("e",)), CopyConditions(if_none_match=("e",))
MODIFIED, UNMODIFIED = CopyConditions(if_modified_since=AT), CopyConditions(if_unmodified_since=AT)
MATCH_UNMODIFIED = CopyConditions(if_match=("e",), if_unmodified_since=AT)


def conditions(**given: object) -> SourceConditionsRule:
    def names(value: object) -> frozenset[ConditionName]:
        return frozenset(ConditionName(name) for name in str(value).split())

    wanted = {key: value if key in ("exact_etag", "pairs") else names(value) for key, value in given.items()}
    return SourceConditionsRule(**wanted)  # type: ignore[arg-type]  # keyed by name in the table below


@pytest.mark.parametrize(
    ("rule", "given", "outcome"),
    [
        (conditions(require_any="if-match"), None, "source_conditions.require_any"),
        (conditions(require_any="if-match"), CopyConditions(), "source_conditions.require_any"),
        (conditions(require_any="if-match if-none-match"), MATCH, "passes"),
        (conditions(require_any="if-match if-none-match"), NONE_MATCH, "passes"),
        (conditions(require_any="if-match if-none-match"), MODIFIED, "source_conditions.require_any"),
        (conditions(require_all="if-match if-unmodified-since"), MATCH, "source_conditions.require_all"),
        (conditions(require_all="if-match if-unmodified-since"), UNMODIFIED, "source_conditions.require_all"),
        (conditions(require_all="if-match if-unmodified-since"), MATCH_UNMODIFIED, "passes"),
        (conditions(forbid="if-modified-since"), MODIFIED, "source_conditions.forbid"),
        (conditions(forbid="if-modified-since"), MATCH, "passes"),
        (conditions(forbid="if-modified-since"), None, "passes"),
        (conditions(pairs=frozenset()), MATCH, "passes"),
        (conditions(pairs=frozenset()), MATCH_UNMODIFIED, "source_conditions.pairs"),
        (
            conditions(pairs=frozenset({(ConditionName.IF_UNMODIFIED_SINCE, ConditionName.IF_MATCH)})),
            MATCH_UNMODIFIED,
            "passes",
        ),
        (conditions(exact_etag=True), MATCH, "passes"),
        (conditions(exact_etag=True), None, "passes"),
        (conditions(exact_etag=True), CopyConditions(if_match=("*",)), "source_conditions.exact_etag"),
        (conditions(exact_etag=True), CopyConditions(if_match=("a", "b")), "source_conditions.exact_etag"),
    ],
)
def test_conditions_are_required_and_forbidden(
    rule: SourceConditionsRule, given: CopyConditions | None, outcome: str
) -> None:
    assert outcome_of(rule, copy(conditions=given)) == outcome


@pytest.mark.parametrize(
    ("rule", "version", "outcome"),
    [
        (SourceVersionRule(Presence.REQUIRE), "v1", "passes"),
        (SourceVersionRule(Presence.REQUIRE), None, "source_version"),
        (SourceVersionRule(Presence.FORBID), "null", "source_version"),
        (SourceVersionRule(Presence.FORBID), None, "passes"),
    ],
)
def test_a_source_version_is_required_or_forbidden(rule: SourceVersionRule, version: str | None, outcome: str) -> None:
    assert outcome_of(rule, copy(source=end(RAW, version=version))) == outcome


@pytest.mark.parametrize(
    ("size", "outcome"),
    [
        (None, "unknown source_size source_size"), (9, "source_size.min"), (10, "passes"), (11, "passes"),
        (20, "passes"), (21, "source_size.max"),
    ],
)  # fmt: skip
def test_source_size_bounds_are_inclusive(size: int | None, outcome: str) -> None:
    assert outcome_of(SourceSizeRule(min=Size(10), max=Size(20)), copy(size=size)) == outcome


@pytest.mark.parametrize(
    ("request_", "outcome"),
    [
        pytest.param(copy(length=MIB), "passes", id="aligned"),
        pytest.param(copy(length=MIB, first=1), "alignment.first", id="first off by one"),
        pytest.param(copy(length=MIB, first=MIB), "passes", id="second step"),
        pytest.param(copy(length=MIB + 1), "unknown alignment.length source_size", id="uneven, not measured"),
        pytest.param(copy(length=MIB + 1, size=MIB + 1), "passes", id="uneven and last"),
        pytest.param(copy(length=MIB + 1, size=MIB + 2), "alignment.length", id="uneven and not last"),
        pytest.param(copy(length=None), "passes", id="whole source"),
    ],
)
def test_ranges_keep_to_the_step_but_for_the_last(request_: AccessRequest, outcome: str) -> None:
    assert outcome_of(AlignmentRule(step=Size(MIB)), request_) == outcome


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(lambda: RangeRule(min=Size(2), max=Size(1)), id="range min > max"),
        pytest.param(lambda: RangeRule(), id="range without a bound"),
        pytest.param(lambda: RangeRule(small_last_part=SmallLastPart.ALLOW), id="small last part without min"),
        pytest.param(lambda: PartNumberRule(min=0), id="part number 0"),
        pytest.param(lambda: PartNumberRule(max=10_001), id="part number 10001"),
        pytest.param(lambda: PartNumberRule(min=3, max=2), id="part number min > max"),
        pytest.param(lambda: SourceConditionsRule(), id="no condition"),
        pytest.param(lambda: conditions(require_any="if-match", forbid="if-match"), id="required and forbidden"),
        pytest.param(lambda: conditions(require_all="if-match if-none-match"), id="unlawful pair required"),
        pytest.param(
            lambda: conditions(pairs=frozenset({(ConditionName.IF_MATCH, ConditionName.IF_NONE_MATCH)})),
            id="unlawful pair allowed",
        ),
        pytest.param(lambda: SourceSizeRule(), id="no size"),
        pytest.param(lambda: SourceSizeRule(min=Size(2), max=Size(1)), id="size min > max"),
        pytest.param(lambda: AlignmentRule(step=Size(0)), id="step 0"),
        pytest.param(lambda: Route.parse("mainland"), id="route without arrow"),
        pytest.param(lambda: Route.parse("mainland->mars"), id="route to nowhere"),
        pytest.param(lambda: Route.parse("mars->mainland"), id="route from nowhere"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(build: object) -> None:
    with pytest.raises(ValueError, match="expected"):
        build()  # type: ignore[operator]  # a table of callables


def test_the_fact_a_rule_asks_for_is_the_size() -> None:
    outcome = BOUNDED.check(copy(length=None))
    assert isinstance(outcome, Unknown)
    assert outcome.fact is Fact.SOURCE_SIZE


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(lambda: RangeRule(min=Size(1), max=Size(1)), id="range min = max"),
        pytest.param(lambda: PartNumberRule(min=10_000, max=10_000), id="part number min = max"),
        pytest.param(lambda: PartNumberRule(min=1, max=1), id="part number 1"),
        pytest.param(lambda: SourceSizeRule(min=Size(1), max=Size(1)), id="size min = max"),
        pytest.param(lambda: AlignmentRule(step=Size(1)), id="step 1"),
    ],
)
def test_bounds_may_meet(build: Callable[[], Rule]) -> None:
    assert build()


def reason_of(rule: Rule, request: AccessRequest) -> str:
    match rule.check(request):
        case Violation() as violation:
            return violation.reason
        case Unknown() as unknown:
            return unknown.violation.reason
        case None:
            raise AssertionError("expected the rule to be violated")


@pytest.mark.parametrize(
    ("rule", "request_", "reason"),
    [
        (BOUNDED, copy(length=2 * GIB), "2 GiB asked, at most 1 GiB allowed"),
        (BOUNDED, copy(length=1), "1 byte asked, at least 1 MiB required"),
        (SMALL, copy(length=9, size=MIB), "9 bytes asked, at least 1 MiB required of a part that is not the last"),
        (PartNumberRule(max=4), copy(part=5), "part 5 asked, at most 4 allowed"),
        (SameRegionRule(expected=True), between("ap-beijing", "ap-seoul"),
         "copy from ap-beijing to ap-seoul asked, only within one region allowed"),
        (SameRegionRule(expected=True), between("ap-beijing", None), "the region of the destination is unknown"),
        (SameRegionRule(expected=True), between(None, None), "the region of the source is unknown"),
        (ROUTES, between("ap-seoul", "ap-seoul"),
         "copy from ap-seoul to ap-seoul asked, allowed: ap-beijing to ap-guangzhou"),
        (TerritoryRule(allow=frozenset({Route.parse("mainland->mainland"), Route.parse("overseas->mainland")})),
         between("ap-beijing", "ap-seoul"),
         "copy mainland->overseas asked, allowed: mainland->mainland, overseas->mainland"),
        (TerritoryRule(allow=frozenset()), between("xx-a", "ap-seoul"), "region xx-a is in no known territory"),
        (TerritoryRule(allow=frozenset()), between("ap-seoul", "xx-b"), "region xx-b is in no known territory"),
        (conditions(exact_etag=True), copy(conditions=CopyConditions(if_match=("*",))),
         "* given in if-match, exactly one ETag required"),
        (conditions(exact_etag=True), copy(conditions=CopyConditions(if_match=("a", "b"))),
         "2 ETags given in if-match, exactly one ETag required"),
        (conditions(require_any="if-match if-none-match"), copy(),
         "no condition given, at least one of if-match and if-none-match required"),
    ],
)  # fmt: skip
def test_a_reason_says_what_was_asked_and_what_is_allowed(rule: Rule, request_: AccessRequest, reason: str) -> None:
    assert reason_of(rule, request_) == reason
