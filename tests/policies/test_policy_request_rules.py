"""Rules about any request: control headers, versions, networks, periods."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from policies.request import AccessRequest, Caller
from policies.rules.headers import HeaderName, HeadersRule
from policies.rules.network import Network, NetworksRule
from policies.rules.period import Day, Hours, Moment, Offset, PeriodRule
from policies.rules.versions import Presence, VersionRule
from tests.policies.building import RAW, end, outcome_of, plain


def names(*texts: str) -> tuple[HeaderName, ...]:
    return tuple(HeaderName.parse(text) for text in texts)


@pytest.mark.parametrize(
    ("rule_", "given", "outcome"),
    [
        (HeadersRule(forbid=names("acl", "grant-*")), set(), "passes"),
        (HeadersRule(forbid=names("acl", "grant-*")), {"storage-class"}, "passes"),
        (HeadersRule(forbid=names("acl", "grant-*")), {"acl"}, "headers.forbid"),
        (HeadersRule(forbid=names("acl", "grant-*")), {"grant-full-control"}, "headers.forbid"),
        (HeadersRule(forbid=names("X-Amz-ACL")), {"acl"}, "headers.forbid"),
        (HeadersRule(require_all=names("a", "b")), {"a"}, "headers.require_all"),
        (HeadersRule(require_all=names("a", "b")), {"a", "b"}, "passes"),
        (HeadersRule(require_any=names("a", "b*")), set(), "headers.require_any"),
        (HeadersRule(require_any=names("a", "b*")), {"bc"}, "passes"),
    ],
)
def test_headers_are_required_and_forbidden_by_name(rule_: HeadersRule, given: set[str], outcome: str) -> None:
    request = plain("cos:PutObject", end(RAW), headers=frozenset(given))
    assert outcome_of(rule_, request) == outcome


@pytest.mark.parametrize(
    ("presence", "version", "outcome"),
    [("require", "v", "passes"), ("require", None, "version"), ("forbid", "v", "version"), ("forbid", None, "passes")],
)
def test_a_version_is_required_or_forbidden(presence: str, version: str | None, outcome: str) -> None:
    request = plain("cos:DeleteObject", end(RAW, version=version))
    assert outcome_of(VersionRule(Presence(presence)), request) == outcome


@pytest.mark.parametrize(
    ("networks", "address", "outcome"),
    [
        (["10.0.0.0/8"], "10.255.255.255", "passes"),
        (["10.0.0.0/8"], "11.0.0.0", "networks"),
        (["10.0.0.0/8"], "9.255.255.255", "networks"),
        (["10.0.0.0/8", "2001:db8::/32"], "2001:db8::1", "passes"),
        (["10.0.0.0/8"], "::1", "networks"),
        (["10.0.0.0/8"], "::ffff:10.0.0.1", "passes"),
        (["192.0.2.1"], "192.0.2.1", "passes"),
        (["10.0.0.0/8"], None, "unknown networks"),
        (["10.0.0.0/8"], "10.0.0.1, 10.0.0.2", "unknown networks"),
    ],
)
def test_the_callers_address_lies_in_a_network(networks: list[str], address: str | None, outcome: str) -> None:
    rule_ = NetworksRule(allow=tuple(Network.parse(text) for text in networks))
    request = AccessRequest(Caller("team:media", "AK", address=address), "cos:GetObject", end(RAW))
    assert outcome_of(rule_, request) == outcome


START, STOP = Moment.parse("2026-01-01T00:00:00+08:00"), Moment.parse("2026-12-31T23:59:59+08:00")
NIGHT, DAY = Hours.parse("22:00-06:00"), Hours.parse("08:00-18:00")


@pytest.mark.parametrize(
    ("rule_", "time", "outcome"),
    [
        (PeriodRule(not_before=START), "2025-12-31T15:59:59+00:00", "period.not_before"),
        (PeriodRule(not_before=START), "2025-12-31T16:00:00+00:00", "passes"),
        (PeriodRule(not_after=STOP), "2026-12-31T15:59:59+00:00", "passes"),
        (PeriodRule(not_after=STOP), "2026-12-31T16:00:00+00:00", "period.not_after"),
        (PeriodRule(hours=DAY), "2026-06-01T07:59:59+08:00", "period.hours"),
        (PeriodRule(hours=DAY), "2026-06-01T08:00:00+08:00", "passes"),
        (PeriodRule(hours=DAY), "2026-06-01T08:30:00+08:00", "passes"),
        (PeriodRule(hours=DAY), "2026-06-01T17:59:59+08:00", "passes"),
        (PeriodRule(hours=DAY), "2026-06-01T18:00:00+08:00", "period.hours"),
        (PeriodRule(hours=DAY), "2026-06-01T18:59:59+08:00", "period.hours"),
        (PeriodRule(hours=DAY), "2026-06-01T00:00:00+00:00", "passes"),
        (PeriodRule(hours=DAY, utc_offset=Offset.parse("+00:00")), "2026-06-01T00:00:00+00:00", "period.hours"),
        (PeriodRule(hours=NIGHT), "2026-06-01T22:00:00+08:00", "passes"),
        (PeriodRule(hours=NIGHT), "2026-06-01T05:59:00+08:00", "passes"),
        (PeriodRule(hours=NIGHT), "2026-06-01T06:00:00+08:00", "period.hours"),
        (PeriodRule(hours=Hours.parse("18:00-24:00")), "2026-06-01T23:59:59+08:00", "passes"),
        (PeriodRule(days=frozenset({Day.MON})), "2026-06-01T12:00:00+08:00", "passes"),
        (PeriodRule(days=frozenset({Day.MON})), "2026-05-31T12:00:00+08:00", "period.days"),
        (PeriodRule(days=frozenset({Day.MON})), "2026-05-31T16:00:00+00:00", "passes"),
        (PeriodRule(hours=DAY), None, "unknown period"),
        (PeriodRule(hours=DAY), "2026-06-01T12:00:00", "unknown period"),
    ],
)
def test_a_period_is_judged_in_its_own_offset(rule_: PeriodRule, time: str | None, outcome: str) -> None:
    now = datetime.fromisoformat(time) if time is not None else None
    assert outcome_of(rule_, plain("cos:GetObject", end(RAW), time=now)) == outcome


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (HeaderName.parse, ""), (HeaderName.parse, "a b"), (HeaderName.parse, "a_b"), (HeaderName.parse, "x-cos-"),
        (HeaderName.parse, "a" * 129),
        (Network.parse, "10.0.0.1/8"), (Network.parse, "10.0.0"), (Network.parse, "any"),
        (Hours.parse, "8:00-18:00"), (Hours.parse, "08:00-25:00"), (Hours.parse, "08:00-08:00"), (Hours.parse, "all"),
        (Moment.parse, "2026-01-01T00:00:00"), (Moment.parse, "tomorrow"),
        (Offset.parse, "8"), (Offset.parse, "+15:00"),
    ],
)  # fmt: skip
def test_texts_that_mean_nothing_are_refused(parse: object, text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse(text)  # type: ignore[operator]  # a table of callables


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("08:30-18:15", Hours(510, 1095)),
        ("22:00-06:00", Hours(1320, 360)),
        ("00:00-24:00", Hours(0, 1440)),
        ("00:00-00:01", Hours(0, 1)),
        ("18:05-24:00", Hours(1085, 1440)),
    ],
)
def test_hours_are_minutes_of_the_day(text: str, hours: Hours) -> None:
    assert Hours.parse(text) == hours
    assert str(hours) == text


@pytest.mark.parametrize(("text", "minutes"), [("+08:00", 480), ("-03:30", -210), ("+00:00", 0), ("+05:45", 345)])
def test_an_offset_is_east_of_utc_when_positive(text: str, minutes: int) -> None:
    assert Offset.parse(text).zone == timezone(timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("acl", "acl"),
        ("X-COS-Acl", "acl"),
        ("x-amz-grant-*", "grant-*"),
        ("x-cos-x-cos-acl", "x-cos-acl"),
        ("meta-x-cos-acl", "meta-x-cos-acl"),
        ("x-oss-acl", "x-oss-acl"),
        ("a" * 128, "a" * 128),
    ],
)
def test_a_header_is_named_without_the_prefix_of_its_dialect(text: str, name: str) -> None:
    assert HeaderName.parse(text).pattern.text == name


def test_rules_without_a_parameter_or_against_themselves_are_refused() -> None:
    with pytest.raises(ValueError, match="require_any"):
        HeadersRule()
    with pytest.raises(ValueError, match="not_before"):
        PeriodRule()
    with pytest.raises(ValueError, match="come before"):
        PeriodRule(not_before=STOP, not_after=START)
    assert PeriodRule(not_before=START, not_after=START).check(
        plain("cos:GetObject", end(RAW), time=datetime(2025, 12, 31, 16, tzinfo=UTC))
    ) is None  # fmt: skip
