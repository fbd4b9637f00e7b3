"""What is written down of a request is read back as the same request, and a tree says what a trace says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from cos.conditions import CopyConditions
from policies.decision import Decision, ReasonDetail, Verdict, Violation
from policies.explanation import Check, CheckResult, explain
from policies.nodes import Mapping, Scalar, Sequence, nodes_of
from policies.reader import Reader
from policies.request import AccessRequest, Caller, Facts, Resource
from policies.written import UNNAMED_KEY, read_request, render_request, write_request
from tests.policies.building import MEDIA, RAW, changed, copy, document, end, load, pair

MOMENT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
CALLER = Caller("team:media", UNNAMED_KEY, address="10.0.0.1")


def rebuilt(request: AccessRequest, **changes: Any) -> AccessRequest:
    return changed(request, **{"caller": CALLER, **changes})


COPY = rebuilt(copy())
FULL: dict[str, Any] = {
    "principal": "team:media",
    "action": "cos:UploadPartCopy",
    "source": {"bucket": RAW, "key": "incoming/a", "region": "ap-guangzhou", "version": "v1"},
    "destination": {"bucket": MEDIA, "key": "a", "region": "ap-guangzhou"},
    "range": "bytes=0-1048575",
    "part_number": 1,
    "conditions": {
        "if-match": '"a", "b"',
        "if-none-match": "*",
        "if-modified-since": "Tue, 03 Feb 2026 04:05:06 GMT",
        "if-unmodified-since": "Tue, 03 Feb 2026 04:05:06 GMT",
    },
    "headers": ["acl", "tagging"],
    "storage_class": "ARCHIVE",
    "encryption": "sse-kms",
    "length": 5,
    "address": "10.0.0.1",
    "time": "2026-02-03T04:05:06+00:00",
    "size": 7,
    "etag": "e1",
    "upload_size": 9,
}


def read(written: object) -> AccessRequest:
    reader = Reader("here")
    request = read_request(reader, nodes_of(written), "")
    assert request is not None
    assert reader.errors == []
    return request


def test_everything_is_written_in_the_words_of_tests() -> None:
    request = rebuilt(
        copy(source=end(RAW, version="v1")),
        conditions=CopyConditions(("a", "b"), ("*",), MOMENT, MOMENT),
        headers=frozenset({"tagging", "acl"}),
        storage_class="ARCHIVE",
        encryption="sse-kms",
        object_bytes=5,
        time=MOMENT,
        facts=Facts(True, 7, "e1", None, 9),
    )
    assert render_request(request) == FULL
    assert msgspec.json.encode(write_request(request)) == json.dumps(FULL, separators=(",", ":")).encode()
    assert read(json.loads(json.dumps(FULL))) == request


@pytest.mark.parametrize(
    "request_",
    [
        COPY,
        rebuilt(copy(length=None, part=None, action="cos:PutObjectCopy")),
        rebuilt(copy(), conditions=CopyConditions()),
        rebuilt(copy(source=end(RAW, "雪 \"'\\ @ /x", None)), conditions=None),
        rebuilt(copy(), facts=Facts(True, source_size_bytes=0)),
        rebuilt(copy(), caller=Caller("team:media", UNNAMED_KEY)),
        AccessRequest(CALLER, "cos:GetService", Resource(None)),
        AccessRequest(CALLER, "cos:GetObject", end(RAW)),
        AccessRequest(CALLER, "cos:GetBucket", end(RAW, None)),
    ],
)
def test_what_is_written_is_read_back(request_: AccessRequest) -> None:
    written = render_request(request_)
    assert json.loads(msgspec.json.encode(write_request(request_))) == written
    again = read(json.loads(json.dumps(written)))
    assert render_request(again) == written
    assert (again.resource, again.source, again.facts) == (request_.resource, request_.source, request_.facts)
    assert again.caller == request_.caller


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-03T04:05:06+00:00",
        "2026-02-03T04:05:06.000001+00:00",
        "2026-12-31T23:59:59.999999+00:00",
        "2026-02-03T04:05:06.500000+08:00",
        "2026-02-03T04:05:06-03:30",
        "1970-01-01T00:00:00+00:00",
        "9999-12-31T23:59:59+14:00",
    ],
)
def test_a_moment_is_written_with_its_offset_and_whole_fraction(text: str) -> None:
    moment = datetime.fromisoformat(text)
    assert moment.isoformat() == text
    assert render_request(rebuilt(copy(), time=moment))["time"] == text
    assert write_request(rebuilt(copy(), time=moment.astimezone(UTC))).time == moment.astimezone(UTC).isoformat()


def test_nothing_that_is_absent_is_written() -> None:
    assert set(render_request(AccessRequest(Caller("p", "k"), "cos:GetService", Resource(None)))) == {
        "principal",
        "action",
    }


def test_values_become_the_tree_that_documents_are() -> None:
    root = nodes_of({"a": ["x", 1, True, False], 2: (None,)})
    assert isinstance(root, Mapping)
    (first, items), (second, rest) = root.entries
    assert (first.text, first.plain, second.text) == ("a", False, "2")
    assert isinstance(items, Sequence)
    assert [(item.text, item.plain) for item in items.items if isinstance(item, Scalar)] == [
        ("x", False),
        ("1", True),
        ("true", True),
        ("false", True),
    ]
    assert isinstance(rest, Sequence)
    assert [str(item) for item in rest.items] == ["'None'"]
    assert {(node.line, node.column) for node in (root, first, items, *items.items, rest, *rest.items)} == {(1, 1)}


@pytest.mark.parametrize(
    ("detail", "violations", "told"),
    [
        (ReasonDetail.FULL, (Violation("range.max", "too much"),), "range.max: too much"),
        (ReasonDetail.RULE, (Violation("range.max", "too much"),), "range.max"),
        (ReasonDetail.NONE, (Violation("range.max", "too much"),), ""),
        (ReasonDetail.FULL, (), "no statement allows this"),
        (ReasonDetail.RULE, (), ""),
    ],
)
def test_a_reason_is_told_as_far_as_it_may_be(
    detail: ReasonDetail, violations: tuple[Violation, ...], told: str
) -> None:
    assert Decision(Verdict.DENY, "v", violations=violations).told(detail) == told


def tree(request: AccessRequest, statement: str) -> list[tuple[str, str, str]]:
    policies = load(document(statement))
    (branch,) = explain(policies, policies.decide(request))
    assert branch.line == 3
    assert branch.trace == policies.decide(request).trace[0]
    return [(check.name, str(check.result), check.rule) for check in branch.checks]


RULES = "{same_region: true, range: {max: 1KiB}, part_number: {max: 3}}"


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (copy(length=9), ["+source", "+destination", "+same_region", "+range", "+part_number"]),
        (copy(part=4), ["+source", "+destination", "+same_region", "xrange.max", "xpart_number.max"]),
        (copy(source=end(MEDIA)), ["xsource.bucket", ".destination", ".same_region", ".range", ".part_number"]),
        (copy(destination=end(RAW)), ["+source", "xdestination.bucket", ".same_region", ".range", ".part_number"]),
        (
            copy(length=9, source=end(RAW, region=None)),
            ["+source", "+destination", "xsame_region", "+range", "+part_number"],
        ),
    ],
    ids=["all pass", "two fail", "another source", "another destination", "a region nobody knows"],
)
def test_a_tree_has_every_check_in_order(request_: AccessRequest, expected: list[str]) -> None:
    marks = {"passed": "+", "failed": "x", "unreached": "."}
    found = [marks[result] + (rule or name) for name, result, rule in tree(request_, pair(when=RULES))]
    assert found == expected


def test_an_end_that_cannot_tell_does_not_end_the_tree() -> None:
    statement = pair(source=f"{{bucket: {RAW}, region: ap-guangzhou}}", when="{part_number: {max: 3}}")
    assert tree(copy(source=end(RAW, region=None), part=4), statement) == [
        ("source", "failed", "source.region"),
        ("destination", "passed", ""),
        ("part_number", "failed", "part_number.max"),
    ]


def test_a_statement_that_is_not_in_the_set_shows_what_failed() -> None:
    decision = load(document(pair("a", when="{part_number: {max: 3}}"))).decide(copy(part=4))
    (branch,) = explain(load(document(pair("b"))), decision)
    reason = "part 4 asked, at most 3 allowed"
    assert (branch.line, branch.trace) == (None, decision.trace[0])
    assert branch.checks == (Check("part_number", CheckResult.FAILED, "part_number.max", reason),)


def test_a_check_that_no_statement_explains_is_named_by_its_kind() -> None:
    decision = load(document(pair("a", when="{same_region: false}"))).decide(copy())
    (branch,) = explain(load(document(pair("b"))), decision)
    reason = "copy within ap-guangzhou asked, only between regions allowed"
    assert branch.checks == (Check("same_region", CheckResult.FAILED, "same_region", reason),)


def test_a_check_that_failed_says_why_and_others_say_nothing() -> None:
    policies = load(document(pair(when="{part_number: {max: 3}}", source=f"{{bucket: {RAW}}}")))
    (branch,) = explain(policies, policies.decide(copy(part=4)))
    assert branch.checks == (
        Check("source", CheckResult.PASSED),
        Check("destination", CheckResult.PASSED),
        Check("part_number", CheckResult.FAILED, "part_number.max", "part 4 asked, at most 3 allowed"),
    )
    (branch,) = explain(policies, policies.decide(copy(source=end(MEDIA))))
    assert branch.checks == (
        Check("source", CheckResult.FAILED, "source.bucket", "media-1250000000 asked, expected raw-1250000000"),
        Check("destination", CheckResult.UNREACHED),
        Check("part_number", CheckResult.UNREACHED),
    )
