"""Lint doubts what can never match and what allows more than it seems to, and nothing else."""

from __future__ import annotations

import pytest

from cos.values import Bucket, Region
from policies.lint import Finding, lint
from tests.policies.building import GOOD, MEDIA, RAW, document, load, on, pair


def doubts_about(*statements: str) -> list[str]:
    """The findings of a document without tests, but for that one."""
    return [
        f"{finding.check}: {finding.message}"
        for finding in lint(load(document(*statements)))
        if finding.check != "untested"
    ]


WIDE_SOURCE = "wide: source is every object of every bucket, for its principals"
EVERYBODY = "everybody: it allows something to every principal"
ON_NO_BUCKET = "never: listing buckets is on no bucket: it can only match bucket '*'"
NO_KEY = "never: its actions are on buckets, which have no key: it can never match with a key pattern"
NO_COMMON = "never: same_region: true, but source and destination name no common region"
ONE_REGION = "never: same_region: false, but source and destination name the same one region"
NO_ROUTE = "never: regions: no pair or group leads from the source's regions to the destination's"


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        pytest.param(pair(), [], id="nothing to doubt"),
        pytest.param(pair(source='{bucket: "*"}'), [WIDE_SOURCE], id="every source"),
        pytest.param(pair(source='{bucket: "*", key: "a/*"}'), [], id="every bucket, some keys"),
        pytest.param(pair(source='{bucket: "*", region: ap-beijing}'), [], id="every bucket of a region"),
        pytest.param(pair(principals='["*"]'), [EVERYBODY], id="everybody"),
        pytest.param(pair(principals='["team:a", "*"]'), [EVERYBODY], id="somebody and everybody"),
        pytest.param(
            on(resource='{bucket: "*", key: "*"}', principals='["*"]'),
            ["wide: resource is every object of every bucket, for everybody", EVERYBODY],
            id="all of it",
        ),
        pytest.param(pair(source='{bucket: "*", account: "1250000000"}'), [], id="every bucket of an account"),
        pytest.param(
            pair(source='{bucket: "*"}', destination='{bucket: [raw-1250000000, "*"], key: [a, "*"]}'),
            [WIDE_SOURCE, WIDE_SOURCE.replace("source", "destination")],
            id="every source and destination",
        ),
        pytest.param(on(resource='{bucket: "*"}', effect="deny"), [], id="a wide deny is fine"),
        pytest.param(on(actions="['cos:GetService']", resource='{bucket: "*"}'), [], id="list of buckets"),
        pytest.param(on(actions="['cos:GetService']"), [ON_NO_BUCKET], id="list of buckets on a bucket"),
        pytest.param(
            on(actions="['cos:GetBucket']", resource=f"{{bucket: {RAW}, key: 'a/*'}}"), [NO_KEY], id="bucket with key"
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
            [NO_COMMON],
            id="same region of two",
        ),
        pytest.param(
            pair(
                source=f"{{bucket: {RAW}, region: ap-beijing}}",
                destination=f"{{bucket: {RAW}, region: ap-beijing}}",
                when="{same_region: true}",
            ),
            [],
            id="same region of one",
        ),
        pytest.param(
            pair(
                source=f"{{bucket: {RAW}, region: ap-beijing}}",
                destination=f"{{bucket: {RAW}, region: ap-shanghai}}",
                when="{same_region: false}",
            ),
            [],
            id="different regions of two",
        ),
        pytest.param(pair(effect="deny", when="{encryption: forbid}"), [], id="a denial of what is not encrypted"),
        pytest.param(on(when="{encryption: require}"), [], id="encryption of what is no part"),
        pytest.param(
            pair(
                source=f"{{bucket: {RAW}, region: ap-beijing}}",
                destination=f"{{bucket: {RAW}, region: ap-beijing}}",
                when="{same_region: false}",
            ),
            [ONE_REGION],
            id="different regions of one",
        ),
        pytest.param(
            pair(
                source=f"{{bucket: {RAW}, region: ap-beijing}}",
                destination=f"{{bucket: {RAW}, region: ap-shanghai}}",
                when="{regions: [[ap-shanghai, ap-beijing]]}",
            ),
            [NO_ROUTE],
            id="no route",
        ),
        pytest.param(
            pair(source=f"{{bucket: {RAW}, region: ap-beijing}}", when="{same_region: true}"),
            [],
            id="same region as a destination anywhere",
        ),
        pytest.param(
            pair(source=f"{{bucket: {RAW}, regions: [xx-b, ap-beijing, xx-a]}}"),
            [
                "region: source names xx-a, a region the tables do not know",
                "region: source names xx-b, a region the tables do not know",
            ],
            id="unknown regions",
        ),
        pytest.param(
            pair(mode="shadow"), ["shadow: it is judged and recorded, but it does not allow anything"], id="on trial"
        ),
        pytest.param(
            pair(mode="shadow", effect="deny"),
            ["shadow: it is judged and recorded, but it does not deny anything"],
            id="a denial on trial",
        ),
    ],
)
def test_each_doubt_is_raised_where_it_belongs(statement: str, expected: list[str]) -> None:
    assert doubts_about(statement) == expected


def test_documents_without_tests_are_doubted() -> None:
    findings = lint(load(document(pair()), GOOD.replace("id: copy", "id: copy-good")))
    (finding,) = (finding for finding in findings if finding.check == "untested")
    assert finding == Finding("untested", "a.yaml", 1, "", "the document has no tests of its own")
    assert str(finding) == "a.yaml:1: the document has no tests of its own [untested]"


def test_only_what_the_author_asked_for_is_a_note() -> None:
    findings = lint(load(document(pair(mode="shadow"), pair("wide", principals='["*"]'))))
    assert {finding.check: finding.is_note for finding in findings} == {
        "untested": False, "shadow": True, "everybody": False,
    }  # fmt: skip


def test_a_finding_reads_as_one_line() -> None:
    (finding,) = (f for f in lint(load(document(pair(mode="shadow")))) if f.check == "shadow")
    assert str(finding) == "a.yaml:3: copy: it is judged and recorded, but it does not allow anything [shadow]"


def test_a_region_the_document_adds_is_known() -> None:
    text = document(pair(source=f"{{bucket: {RAW}, region: me-jeddah}}", when="{territory: overseas->mainland}"))
    text = text.replace("version: 1\n", "version: 1\nterritories: {overseas: [me-jeddah]}\n")
    assert [finding.check for finding in lint(load(text))] == ["untested"]


EVERY_COPY = "{bucket: '*', key: 'a/*'}"
NORTH = f"{{bucket: {RAW}, regions: [ap-beijing, ap-nanjing], accounts: ['1250000000', '1259999999']}}"
TAKEN = "hidden: everything it applies to is taken by 'a' already"
DENIED = "unreachable: everything it allows is denied by 'a'"


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        pytest.param([pair("a"), pair("b")], {"b": TAKEN}, id="the same twice"),
        pytest.param([pair("b", when="{same_region: true}"), pair("a")], {"b": TAKEN}, id="stricter and earlier"),
        pytest.param(
            [pair("a", when="{same_region: true}"), pair("b", when="{same_region: false}")], {}, id="rules differ"
        ),
        pytest.param(
            [pair("a", source=EVERY_COPY), pair("b", source=f"{{bucket: {RAW}, key: 'a/b'}}")],
            {"b": TAKEN},
            id="a wider key",
        ),
        pytest.param([pair("a", source=EVERY_COPY), pair("b")], {}, id="keys are narrower"),
        pytest.param(
            [pair("a", source=EVERY_COPY), pair("b", source=f"{{bucket: {RAW}, key: 'a/../b'}}")],
            {},
            id="a key that a star does not grant",
        ),
        pytest.param(
            [pair("a", source=EVERY_COPY, effect="deny"), pair("b", source=f"{{bucket: {RAW}, key: 'x/../b'}}")],
            {"b": DENIED},
            id="a key that every denial takes in",
        ),
        pytest.param(
            [pair("a", destination=NORTH), pair("b", destination=f"{{bucket: {RAW}}}")],
            {"a": TAKEN.replace("'a'", "'b'")},
            id="any region",
        ),
        pytest.param(
            [pair("a", destination=NORTH), pair("b", destination=NORTH)],
            {"b": TAKEN},
            id="the same regions and accounts",
        ),
        pytest.param(
            [pair("a", source=NORTH), pair("b", source=NORTH.replace("ap-beijing, ", ""))],
            {"b": TAKEN},
            id="one of its regions",
        ),
        pytest.param(
            [pair("a", source=NORTH), pair("b", source=NORTH.replace("ap-beijing", "ap-shanghai"))],
            {},
            id="another region",
        ),
        pytest.param(
            [pair("a", source=NORTH), pair("b", source=NORTH.replace(", '1259999999'", ""))],
            {"b": TAKEN},
            id="one of its accounts",
        ),
        pytest.param(
            [pair("a", source=NORTH), pair("b", source=NORTH.replace("1259999999", "1258888888"))],
            {},
            id="another account",
        ),
        pytest.param(
            [pair("a", source=NORTH), pair("b", source=NORTH.partition(", accounts")[0] + "}")],
            {"a": TAKEN.replace("'a'", "'b'")},
            id="any account",
        ),
        pytest.param([pair("a", effect="deny"), pair("b")], {"b": DENIED}, id="denied altogether"),
        pytest.param([pair("a", effect="deny", when="{same_region: true}"), pair("b")], {}, id="denied in part"),
        pytest.param([pair("a"), pair("b", effect="deny")], {"a": DENIED.replace("'a'", "'b'")}, id="denied later"),
        pytest.param(
            [pair("a", effect="deny", mode="shadow"), pair("b")],
            {"a": "shadow: it is judged and recorded, but it does not deny anything"},
            id="denied on trial",
        ),
        pytest.param([pair("a", principals='["team:*"]'), pair("b")], {"b": TAKEN}, id="a wider principal"),
        pytest.param([on("a"), pair("b")], {}, id="a resource and a pair"),
        pytest.param([on("a"), on("b")], {"b": TAKEN}, id="the same resource"),
        pytest.param([on("a"), on("b", resource=f"{{bucket: {MEDIA}}}")], {}, id="another bucket"),
        pytest.param(
            [on("a", resource="{bucket: '*', key: 'a/*'}"), on("b", resource="{bucket: '*', key: 'a/../b'}")],
            {},
            id="a key of a resource that a star does not grant",
        ),
        pytest.param(
            [pair("a", destination=EVERY_COPY), pair("b", destination=f"{{bucket: {RAW}, key: 'a/../b'}}")],
            {},
            id="a key of a destination that a star does not grant",
        ),
        pytest.param([on("a"), on("b", actions="['cos:HeadObject']")], {}, id="another action"),
        pytest.param(
            [pair("a"), pair("b", when="{source_conditions: {pin: etag}}")],
            {"b": "hidden: everything it applies to is taken by 'a', which adds nothing to a request"},
            id="a pin beside no pin",
        ),
        pytest.param(
            [pair("a", when="{encryption: require}")],
            {
                "a": "parts: encryption of parts is settled by cos:InitiateMultipartUpload, "
                "and no statement has it there"
            },
            id="encryption of parts only",
        ),
        pytest.param(
            [pair("a", when="{storage_class: ARCHIVE}")],
            {
                "a": "parts: storage_class of parts is settled by cos:InitiateMultipartUpload, "
                "and no statement has it there"
            },
            id="the class of parts only",
        ),
        pytest.param(
            [
                pair("a", when="{storage_class: ARCHIVE}"),
                on("b", actions="['cos:InitiateMultipartUpload']", when="{storage_class: ARCHIVE}"),
            ],
            {},
            id="the class is settled at the start",
        ),
    ],
)
def test_statements_that_others_hide_are_doubted(statements: list[str], expected: dict[str, str]) -> None:
    findings = lint(load(document(*statements)))
    assert {
        finding.statement_id: f"{finding.check}: {finding.message}"
        for finding in findings
        if finding.check != "untested"
    } == expected


def test_a_statement_hidden_by_another_document_names_it() -> None:
    findings = lint(load(document(pair("a")), document(pair("b"))))
    assert [str(finding) for finding in findings if finding.check == "hidden"] == [
        "b.yaml:3: b: everything it applies to is taken by 'a' of a.yaml already [hidden]"
    ]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (pair(), []),
        (pair(source="{bucket: 'ra*'}"), []),
        (pair(source=f"{{bucket: {RAW}, region: ap-guangzhou, account: 1250000000}}"), []),
        (pair(destination="{bucket: 'nobody-*'}"), ["destination selects no registered bucket"]),
        (pair(source="{bucket: 'nobody-*'}"), ["source selects no registered bucket"]),
        (pair(source=f"{{bucket: {RAW}, region: ap-beijing}}"), ["source selects no registered bucket"]),
        (pair(source=f"{{bucket: {RAW}, account: 1259999999}}"), ["source selects no registered bucket"]),
        (on(actions="['cos:GetService']", resource="{bucket: '*'}"), []),
        (on(actions="['cos:GetService']", resource="{bucket: 'nobody-*'}"), [ON_NO_BUCKET.removeprefix("never: ")]),
        (on(resource=f"{{bucket: {RAW}, key: 'x/*'}}"), []),
        (on(resource=f"{{bucket: {RAW}, key: 'x/*'}}", effect="deny"), []),
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
