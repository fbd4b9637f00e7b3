"""Lint doubts what can never match and what allows more than it seems to, and nothing else."""

from __future__ import annotations

import pytest

from cos.values import Bucket, Region
from policies.lint import lint
from tests.policies.building import GOOD, MEDIA, RAW, document, load, on, pair


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


EVERY_COPY = "{bucket: '*', key: 'a/*'}"


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        pytest.param([pair("a"), pair("b")], [("b", "hidden")], id="the same twice"),
        pytest.param([pair("b", when="{same_region: true}"), pair("a")], [("b", "hidden")], id="stricter and earlier"),
        pytest.param(
            [pair("a", when="{same_region: true}"), pair("b", when="{same_region: false}")], [], id="rules differ"
        ),
        pytest.param(
            [pair("a", source=EVERY_COPY), pair("b", source=f"{{bucket: {RAW}, key: 'a/b'}}")],
            [("b", "hidden")],
            id="a wider key",
        ),
        pytest.param([pair("a", source=EVERY_COPY), pair("b")], [], id="keys are narrower"),
        pytest.param([pair("a", effect="deny"), pair("b")], [("b", "unreachable")], id="denied altogether"),
        pytest.param([pair("a", effect="deny", when="{same_region: true}"), pair("b")], [], id="denied in part"),
        pytest.param([pair("a", effect="deny", mode="shadow"), pair("b")], [("a", "shadow")], id="denied on trial"),
        pytest.param([pair("a", principals='["team:*"]'), pair("b")], [("b", "hidden")], id="a wider principal"),
        pytest.param([on("a"), pair("b")], [], id="a resource and a pair"),
        pytest.param(
            [pair("a"), pair("b", when="{source_conditions: {pin: etag}}")], [("b", "hidden")], id="a pin beside no pin"
        ),
        pytest.param([pair("a", when="{encryption: require}")], [("a", "parts")], id="encryption of parts only"),
        pytest.param(
            [
                pair("a", when="{storage_class: ARCHIVE}"),
                on("b", actions="['cos:InitiateMultipartUpload']", when="{storage_class: ARCHIVE}"),
            ],
            [],
            id="the class is settled at the start",
        ),
    ],
)
def test_statements_that_others_hide_are_doubted(statements: list[str], expected: list[tuple[str, str]]) -> None:
    findings = lint(load(document(*statements)))
    assert [(finding.statement_id, finding.check) for finding in findings if finding.check != "untested"] == expected


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (pair(), []),
        (pair(source="{bucket: 'ra*'}"), []),
        (pair(source="{bucket: 'nobody-*'}"), ["source selects no registered bucket"]),
        (pair(source=f"{{bucket: {RAW}, region: ap-beijing}}"), ["source selects no registered bucket"]),
        (pair(source=f"{{bucket: {RAW}, account: 1259999999}}"), ["source selects no registered bucket"]),
        (on(actions="['cos:GetService']", resource="{bucket: '*'}"), []),
        (on(resource=f"{{bucket: {RAW}, key: 'x/*'}}"), []),
    ],
)
def test_what_no_registered_bucket_can_match_is_doubted(statement: str, expected: list[str]) -> None:
    buckets = {Bucket(RAW): Region("ap-guangzhou"), Bucket(MEDIA): Region("ap-guangzhou")}
    findings = lint(load(document(statement)), buckets=buckets)
    assert [finding.message for finding in findings if finding.check == "never"] == expected


NORTH_TO_SOUTH = {
    "source": f"{{bucket: {RAW}, regions: [ap-beijing]}}",
    "destination": f"{{bucket: {MEDIA}, regions: [ap-guangzhou, ap-shanghai]}}",
}


@pytest.mark.parametrize(
    ("when", "doubted"),
    [
        ("{regions: [[ap-beijing, ap-guangzhou]]}", False),
        ("{regions: [[ap-guangzhou, ap-beijing]]}", True),
        ("{regions: [[ap-beijing, ap-nanjing]]}", True),
        ("{regions: {within: [[ap-beijing, ap-shanghai]]}}", False),
        ("{regions: {within: [[ap-beijing, ap-nanjing]]}}", True),
        ("{regions: {within: [[ap-nanjing, ap-shanghai]]}}", True),
        ("{regions: {pairs: [[ap-nanjing, ap-beijing]], same_region: allow}}", True),
        ("{regions: {pairs: [[ap-nanjing, ap-beijing]], within: [[ap-beijing, ap-guangzhou]]}}", False),
    ],
)
def test_routes_that_lead_nowhere_are_doubted(when: str, doubted: bool) -> None:
    findings = lint(load(document(pair(when=when, **NORTH_TO_SOUTH))))
    assert [finding.check for finding in findings if finding.check != "untested"] == (["never"] if doubted else [])


def test_copies_within_a_region_lead_somewhere_when_the_ends_share_one() -> None:
    shared = {**NORTH_TO_SOUTH, "destination": f"{{bucket: {MEDIA}, regions: [ap-beijing]}}"}
    when = "{regions: {pairs: [[ap-nanjing, ap-shanghai]], same_region: allow}}"
    assert [item.check for item in lint(load(document(pair(when=when, **shared))))] == ["untested"]
