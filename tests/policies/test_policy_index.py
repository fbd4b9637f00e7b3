"""Which statements a decision looks at: those about its buckets, and for a refusal all that explain it."""

from __future__ import annotations

import pytest

from policies.decision import Verdict
from policies.index import MAX_NAMES, Index
from policies.request import AccessRequest
from policies.statement import Statement
from tests.policies.building import GIB, MEDIA, RAW, copy, document, end, load, on, pair, plain

OTHER = "other-1250000000"


def statements(*written: str) -> tuple[Statement, ...]:
    return load(document(*written)).statements


def selecting(request: AccessRequest, *written: str) -> tuple[list[str], bool]:
    """The ids of what a decision asks first, and whether they are known to be all about the bucket written."""
    source = request.source.bucket if request.source is not None else None
    bucket = request.resource.bucket
    assert bucket is not None
    found, complete = Index(statements(*written)).find_selecting(
        request.caller.principal, request.action, bucket, source
    )
    return [candidate.id for candidate in found], complete


FROM_OTHER = f"{{bucket: {OTHER}}}"


@pytest.mark.parametrize(
    ("written", "found", "complete"),
    [
        pytest.param([pair("a")], ["a"], True, id="one"),
        pytest.param([pair("a", source=FROM_OTHER)], [], False, id="another source"),
        pytest.param([pair("a", destination=FROM_OTHER)], [], False, id="another destination"),
        pytest.param([pair("a"), pair("b", destination=FROM_OTHER)], ["a"], True, id="one beside another destination"),
        pytest.param([pair("a"), pair("b", source=FROM_OTHER)], ["a"], False, id="one beside another source"),
        pytest.param([pair("b"), pair("a")], ["b", "a"], False, id="two of equal names, as they stand"),
        pytest.param([pair("a"), on("b", resource=f"{{bucket: {MEDIA}}}")], ["a"], False, id="another action"),
        pytest.param(
            [pair("a", source=f"{{bucket: [{RAW}, {OTHER}]}}", destination=f"{{bucket: [{OTHER}, {MEDIA}]}}")],
            ["a"],
            True,
            id="several buckets at both ends",
        ),
        pytest.param([pair("a", source='{bucket: "raw-*"}')], ["a"], False, id="a glob at the source"),
        pytest.param([pair("a", source='{bucket: "x-*"}')], ["a"], False, id="a glob that fails is asked all the same"),
        pytest.param([pair("a", destination='{bucket: "media-*"}')], ["a"], False, id="a glob at the destination"),
        pytest.param([pair("a", principals='["team:*"]')], ["a"], False, id="a pattern of principals"),
        pytest.param([pair("a", principals='["team:*", "team:media"]')], ["a"], True, id="named twice, asked once"),
        pytest.param([pair("a", principals='["team:other"]')], [], False, id="another principal"),
        pytest.param([pair("a", source=FROM_OTHER, mode="shadow")], ["a"], False, id="on trial: for every source"),
        pytest.param(
            [pair("c", principals='["*"]'), pair("b", source='{bucket: "*"}'), pair("a")],
            ["c", "b", "a"],
            False,
            id="every way, as they stand",
        ),
    ],
)
def test_a_decision_asks_what_is_about_its_buckets(written: list[str], found: list[str], complete: bool) -> None:
    assert selecting(copy(), *written) == (found, complete)


@pytest.mark.parametrize(("count", "complete"), [(MAX_NAMES, True), (MAX_NAMES + 1, False)])
def test_a_statement_of_very_many_buckets_is_asked_for_its_source(count: int, complete: bool) -> None:
    names = ", ".join([RAW, *(f"b{number}-1250000000" for number in range(count - 1))])
    assert selecting(copy(), pair("a", source=f"{{bucket: [{names}]}}")) == (["a"], complete)
    assert selecting(copy(source=end(OTHER)), pair("a", source=f"{{bucket: [{names}]}}"))[0] == (
        [] if complete else ["a"]
    )


def test_a_resource_is_found_by_its_bucket() -> None:
    written = [on("a"), on("b", resource=f"{{bucket: {OTHER}}}"), on("c", resource='{bucket: "*"}')]
    assert selecting(plain("cos:GetObject", end(RAW)), *written) == (["a", "c"], True)


@pytest.mark.parametrize("principal", [f"team:media\n{RAW}", f"{RAW}\nteam:media", "", "\n"])
def test_no_principal_reaches_another_ones_statements(principal: str) -> None:
    written = [pair("a"), on("b")]
    assert selecting(copy(principal=principal), *written)[0] == []
    assert selecting(plain("cos:GetObject", end(RAW), principal=principal), *written)[0] == []


def test_an_allowed_copy_is_not_explained_by_other_sources_and_a_refused_one_is() -> None:
    policy_set = load(document(pair("mine", when="{range: {max: 1GiB}}"), pair("other", source=FROM_OTHER)))
    allowed, refused = policy_set.decide(copy()), policy_set.decide(copy(length=2 * GIB))
    assert [trace.statement_id for trace in allowed.trace] == ["mine"]
    assert [trace.statement_id for trace in refused.trace] == ["mine", "other"]
    assert refused.reason.startswith("range.max")


def test_what_many_statements_ask_is_one_object() -> None:
    same = [
        pair(f"s{number}", source=f"{{bucket: b{number}-1250000000}}", when="{same_region: true}")
        for number in range(3)
    ]
    index = Index(statements(*same, pair("other", source="{bucket: b9-1250000000}", when="{same_region: false}")))
    checks = [
        index.find_selecting("team:media", "cos:UploadPartCopy", MEDIA, f"b{number}-1250000000")[0][0].checks
        for number in (0, 1, 2, 9)
    ]
    assert checks[0] is checks[1] is checks[2]
    assert checks[3] is not checks[0]


def test_equal_rules_of_denials_and_grants_stay_apart() -> None:
    written = [
        pair("yes", when="{same_region: true}"),
        pair("no", effect="deny", source=FROM_OTHER, when="{same_region: true}"),
    ]
    policy_set = load(document(*written))
    assert policy_set.decide(copy()).verdict is Verdict.ALLOW
    assert policy_set.decide(copy(source=end(OTHER))).statement_id == "no"
