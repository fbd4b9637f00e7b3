"""Lint doubts what can never match and what allows more than it seems to, and nothing else."""

from __future__ import annotations

import pytest

from policies.lint import lint
from tests.policies.building import GOOD, RAW, document, load, on, pair


def checks_of(*statements: str) -> list[str]:
    return [finding.check for finding in lint(load(document(*statements))) if finding.check != "untested"]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        pytest.param(pair(), [], id="nothing to doubt"),
        pytest.param(pair(source='{bucket: "*"}'), ["wide"], id="every source"),
        pytest.param(pair(source='{bucket: "*", key: "a/*"}'), [], id="every bucket, some keys"),
        pytest.param(pair(source='{bucket: "*", region: ap-beijing}'), [], id="every bucket of a region"),
        pytest.param(pair(principals='["*"]'), ["everybody"], id="everybody"),
        pytest.param(on(resource='{bucket: "*", key: "*"}', principals='["*"]'), ["wide", "everybody"], id="all of it"),
        pytest.param(on(resource='{bucket: "*"}', effect="deny"), [], id="a wide deny is fine"),
        pytest.param(on(actions="['cos:GetService']", resource='{bucket: "*"}'), [], id="list of buckets"),
        pytest.param(on(actions="['cos:GetService']"), ["never"], id="list of buckets on a bucket"),
        pytest.param(
            on(actions="['cos:GetBucket']", resource=f"{{bucket: {RAW}, key: 'a/*'}}"), ["never"], id="bucket with key"
        ),
        pytest.param(
            on(actions="['cos:GetBucket']", resource=f"{{bucket: {RAW}, key: '*'}}"), [], id="bucket with any key"
        ),
        pytest.param(
            on(actions="['cos:DeleteMultipleObjects']", resource=f"{{bucket: {RAW}, key: 'a/*'}}"),
            [],
            id="batch delete is judged by key",
        ),
        pytest.param(
            pair(
                source=f"{{bucket: {RAW}, region: ap-beijing}}",
                destination=f"{{bucket: {RAW}, region: ap-shanghai}}",
                when="{same_region: true}",
            ),
            ["never"],
            id="same region of two",
        ),
        pytest.param(
            pair(
                source=f"{{bucket: {RAW}, region: ap-beijing}}",
                destination=f"{{bucket: {RAW}, region: ap-beijing}}",
                when="{same_region: false}",
            ),
            ["never"],
            id="different regions of one",
        ),
        pytest.param(
            pair(
                source=f"{{bucket: {RAW}, region: ap-beijing}}",
                destination=f"{{bucket: {RAW}, region: ap-shanghai}}",
                when="{regions: [[ap-shanghai, ap-beijing]]}",
            ),
            ["never"],
            id="no route",
        ),
        pytest.param(pair(source=f"{{bucket: {RAW}, region: me-jeddah}}"), ["region"], id="unknown region"),
        pytest.param(pair(mode="shadow"), ["shadow"], id="on trial"),
    ],
)
def test_each_doubt_is_raised_where_it_belongs(statement: str, expected: list[str]) -> None:
    assert checks_of(statement) == expected


def test_documents_without_tests_are_doubted() -> None:
    findings = lint(load(document(pair()), GOOD.replace("id: copy", "id: copy-good")))
    assert [(finding.document, finding.check) for finding in findings if finding.check == "untested"] == [
        ("a.yaml", "untested")
    ]


def test_a_finding_reads_as_one_line() -> None:
    (finding,) = (f for f in lint(load(document(pair(mode="shadow")))) if f.check == "shadow")
    assert str(finding) == "a.yaml:3: copy: it is judged and recorded, but it does not allow anything [shadow]"


def test_a_region_the_document_adds_is_known() -> None:
    text = document(pair(source=f"{{bucket: {RAW}, region: me-jeddah}}", when="{territory: overseas->mainland}"))
    text = text.replace("version: 1\n", "version: 1\nterritories: {overseas: [me-jeddah]}\n")
    assert [finding.check for finding in lint(load(text))] == ["untested"]
