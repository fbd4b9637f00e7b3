"""The tests inside a document hold, or the document is not activated."""

from __future__ import annotations

import pytest

from cos.byte_range import ByteRange
from policies.problems import PolicyErrors
from policies.request import Resource
from tests.policies.building import GOOD, RAW, document, end, errors_of, load, on, pair

OTHER = document(on("other", principals="[q]"))
FURTHER = pair("further", source="{bucket: x-1250000000}")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("expect: allow", "expect: deny", "found allow, expected deny"),
        ("expect: allow", "expect: needs_facts", "found allow, expected needs_facts"),
        (
            "bytes=0-1048575",
            "bytes=0-1048574",
            "found deny (range.min: 1048575 bytes asked, at least 1 MiB required), expected allow",
        ),
        (
            "- name: it works",
            "- name: it works\n    statement: further",
            "found a decision by copy, expected one by further",
        ),
        (
            "expect: allow",
            "expect: allow\n    statement: copy\n    reason: range.max",
            "found the reasons none, expected the reason range.max",
        ),
        (
            "range: bytes=0-1048575\n    expect: allow",
            "range: bytes=0-9\n    expect: deny\n    reason: range.max",
            "found the reasons range.min, source.bucket, expected the reason range.max",
        ),
        (
            "range: bytes=0-1048575\n    expect: allow",
            "range: bytes=0-9\n    expect: deny\n    statement: copy",
            "found a decision by no statement, expected one by copy",
        ),
        ("expect: allow", "expect: allow\n    rehearsed: deny", "found nothing rehearsed, expected deny rehearsed"),
    ],
)
def test_a_document_that_fails_its_own_tests_is_not_activated(old: str, new: str, problem: str) -> None:
    text = GOOD.replace(old, new).replace("tests:\n", f"  {FURTHER}\ntests:\n")
    assert [str(error) for error in errors_of(text)] == [f"a.yaml:23:5: tests[0]: {problem} (test 'it works')"]


def test_what_a_test_rehearses_is_compared() -> None:
    trial = pair("trial", effect="deny", mode="shadow")
    text = GOOD.replace("tests:\n", f"  {trial}\ntests:\n").replace(
        "expect: allow", "expect: allow\n    rehearsed: deny"
    )
    (outcome,) = load(text).run_tests()
    assert outcome.passed
    (error,) = errors_of(text.replace("rehearsed: deny", "rehearsed: allow"))
    assert (error.found, error.expected) == ("deny rehearsed", "allow rehearsed")


@pytest.mark.parametrize(
    ("reason", "holds"),
    [("range", True), ("range.max", True), ("range.m", False), ("rang", False), ("same_region", False)],
)
def test_a_reason_is_a_rule_or_its_kind(reason: str, holds: bool) -> None:
    text = GOOD.replace("bytes=0-1048575", "{first: 0, length: 2GiB}").replace(
        "expect: allow", f"expect: deny\n    reason: {reason}"
    )
    if holds:
        load(text)
    else:
        assert "the reasons range.max" in errors_of(text)[0].found


def test_a_test_is_judged_by_the_whole_set() -> None:
    with pytest.raises(PolicyErrors, match="it works"):
        load(GOOD, document(pair("no", effect="deny")))


def test_a_test_names_a_statement_of_its_document() -> None:
    (error,) = errors_of(GOOD.replace("expect: allow", "expect: allow\n    statement: copi"))
    assert (error.path, error.hint) == ("tests[0].statement", "did you mean 'copy'?")


@pytest.mark.parametrize(
    "request_",
    [
        "{principal: p, action: 'cos:PutObject', resource: {bucket: raw-1250000000, key: a@b, region: ap-beijing}}",
        "{principal: p, action: 'cos:PutObject', resource: raw-1250000000/a, headers: [acl], address: 10.0.0.1}",
        "{principal: p, action: 'cos:PutObject', resource: raw-1250000000/a, time: 2026-01-01T00:00:00Z}",
        "{principal: p, action: 'cos:UploadPart', resource: raw-1250000000/a, part_number: 10000}",
        "{principal: p, action: 'cos:GetObject', resource: {bucket: raw-1250000000, key: a, version: v1}}",
        "{principal: p, action: 'cos:GetService'}",
    ],
)
def test_requests_of_tests_are_read(request_: str) -> None:
    text = f"{OTHER}tests:\n  - {{name: n, request: {request_}, expect: deny, reason: principal}}\n"
    assert load(text).run_tests()[0].passed


@pytest.mark.parametrize(
    ("written", "resource"),
    [
        ("raw-1250000000", end(RAW, None, None)),
        ("raw-1250000000@ap-beijing", end(RAW, None, "ap-beijing")),
        ("raw-1250000000/a/b/", end(RAW, "a/b/", None)),
        ("raw-1250000000/a@ap-beijing", end(RAW, "a", "ap-beijing")),
        ("raw-1250000000/a@b@ap-beijing", end(RAW, "a@b", "ap-beijing")),
        ("{bucket: raw-1250000000, key: a, region: ap-beijing, version: v}", end(RAW, "a", "ap-beijing", "v")),
    ],
)
def test_an_end_is_written_in_one_word_or_as_a_mapping(written: str, resource: Resource) -> None:
    request = f"{{principal: p, action: 'cos:GetObject', resource: {written}, range: {{first: 7, length: 1}}}}"
    text = f"{OTHER}tests:\n  - {{name: n, request: {request}, expect: deny}}\n"
    (test,) = load(text).documents[0].tests
    assert (test.request.resource, test.request.byte_range) == (resource, ByteRange(7, 7))


def test_a_key_with_an_at_sign_takes_a_mapping() -> None:
    request_ = "{principal: p, action: 'cos:GetObject', resource: {bucket: raw-1250000000, key: a@b}}"
    text = f"{OTHER}tests:\n  - {{name: n, request: {request_}, expect: deny}}\n"
    assert load(text).documents[0].tests[0].request.resource == end(RAW, "a@b", None)
    assert "expected a region" in str(
        errors_of(text.replace("{bucket: raw-1250000000, key: a@b}", "raw-1250000000/a@B"))[0]
    )
