"""Rules on what is written: how large, how kept, pinned to which source; and the same rules for every way to write."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from cos.conditions import CopyConditions
from cos.values import Region
from policies.decision import Amendment, Fact, Verdict
from policies.request import AccessRequest, Facts
from policies.rules.conditions import ConditionName, Pin, SourceConditionsRule
from policies.rules.object_size import ObjectSizeRule
from policies.rules.regions import RegionsRule
from policies.rules.storage import Encryption, EncryptionRule, StorageClass, StorageClassRule
from policies.rules.versions import Presence
from policies.sizes import Size
from tests.policies.building import (
    MEDIA,
    RAW,
    changed,
    copy,
    decide,
    end,
    errors_of,
    load,
    on,
    outcome_of,
    pair,
    plain,
    rules_of,
)

MAX = Size(100)
SIZED = ObjectSizeRule(max=MAX)


def put(action: str = "cos:PutObject", **fields: Any) -> AccessRequest:
    return plain(action, end(MEDIA, "a"), **fields)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        pytest.param(copy(length=100), "passes", id="part copy of all that fits"),
        pytest.param(copy(length=101), "object_size.max", id="part copy too large"),
        pytest.param(copy(length=None, size=100), "passes", id="whole source"),
        pytest.param(copy(length=None, size=101), "object_size.max", id="whole source too large"),
        pytest.param(copy(length=None), "unknown object_size source_size", id="source to be measured"),
        pytest.param(
            copy(length=None, action="cos:PutObjectCopy", part=None, size=101), "object_size.max", id="plain copy"
        ),
        pytest.param(put(object_bytes=100), "passes", id="upload"),
        pytest.param(put(object_bytes=101), "object_size.max", id="upload too large"),
        pytest.param(put(), "unknown object_size", id="upload of unknown length"),
        pytest.param(put("cos:UploadPart", object_bytes=101), "object_size.max", id="part too large"),
        pytest.param(put("cos:AppendObject", object_bytes=101), "object_size.max", id="append"),
        pytest.param(put("cos:PostObject", object_bytes=101), "object_size.max", id="form"),
        pytest.param(
            put("cos:CompleteMultipartUpload"), "unknown object_size upload_size", id="completion to be measured"
        ),
        pytest.param(
            put("cos:CompleteMultipartUpload", facts=Facts(True, upload_size_bytes=100)), "passes", id="completion"
        ),
        pytest.param(
            put("cos:CompleteMultipartUpload", facts=Facts(True, upload_size_bytes=101)),
            "object_size.max",
            id="completion too large",
        ),
        pytest.param(put("cos:GetObject"), "passes", id="a read writes nothing"),
        pytest.param(put("cos:InitiateMultipartUpload"), "passes", id="a start writes nothing"),
    ],
)
def test_an_object_is_bounded_whichever_way_it_is_written(request_: AccessRequest, expected: str) -> None:
    assert outcome_of(SIZED, request_) == expected


def test_a_completion_asks_for_its_parts_to_be_measured() -> None:
    statement = on(
        actions="['cos:CompleteMultipartUpload']", resource=f"{{bucket: {MEDIA}}}", when="{object_size: 100}"
    )
    asked = decide(put("cos:CompleteMultipartUpload"), statement)
    assert (asked.verdict, asked.needs) == (Verdict.NEEDS_FACTS, {Fact.UPLOAD_SIZE})
    unmeasurable = decide(put("cos:CompleteMultipartUpload", facts=Facts(measured=True)), statement)
    assert (unmeasurable.verdict, rules_of(unmeasurable)) == (Verdict.DENY, ["object_size"])


# --- encryption and storage class --------------------------------------------------------------------------

REQUIRED = EncryptionRule(Presence.REQUIRE)
KMS = EncryptionRule(Presence.REQUIRE, frozenset({Encryption.KMS, Encryption.CUSTOMER}))
FORBIDDEN = EncryptionRule(Presence.FORBID)
NO_KMS = EncryptionRule(Presence.FORBID, frozenset({Encryption.KMS}))


@pytest.mark.parametrize(
    ("rule", "request_", "expected"),
    [
        (REQUIRED, put(encryption="sse-cos"), "passes"),
        (REQUIRED, put(encryption="other"), "passes"),
        (REQUIRED, put(), "encryption"),
        (REQUIRED, copy(action="cos:PutObjectCopy", part=None), "encryption"),
        (REQUIRED, copy(), "passes"),
        (REQUIRED, put("cos:UploadPart"), "passes"),
        (REQUIRED, put("cos:InitiateMultipartUpload"), "encryption"),
        (KMS, put(encryption="sse-kms"), "passes"),
        (KMS, put(encryption="sse-c"), "passes"),
        (KMS, put(encryption="sse-cos"), "encryption.methods"),
        (KMS, put(), "encryption"),
        (FORBIDDEN, put(), "passes"),
        (FORBIDDEN, put(encryption="sse-cos"), "encryption"),
        (FORBIDDEN, copy(), "encryption"),
        (NO_KMS, put(encryption="sse-kms"), "encryption"),
        (NO_KMS, put(encryption="sse-cos"), "passes"),
        (NO_KMS, put(), "passes"),
    ],
)
def test_encryption_is_judged_where_it_is_settled(rule: EncryptionRule, request_: AccessRequest, expected: str) -> None:
    assert outcome_of(rule, request_) == expected


STANDARD = StorageClassRule(frozenset({StorageClass.STANDARD}))
MULTI_ZONE = StorageClassRule(frozenset({StorageClass.MAZ_STANDARD, StorageClass.ARCHIVE}))
COLD = StorageClassRule(frozenset({StorageClass.ARCHIVE}))


@pytest.mark.parametrize(
    ("rule", "request_", "expected"),
    [
        (STANDARD, put(), "passes"),
        (STANDARD, put(storage_class="STANDARD"), "passes"),
        (STANDARD, put(storage_class="ARCHIVE"), "storage_class"),
        (STANDARD, put(storage_class="GLACIER"), "storage_class"),
        (MULTI_ZONE, put(), "passes"),
        (COLD, put(), "storage_class"),
        (COLD, put(storage_class="ARCHIVE"), "passes"),
        (COLD, put(storage_class="archive"), "storage_class"),
        (COLD, copy(action="cos:PutObjectCopy", part=None), "storage_class"),
        (COLD, copy(), "passes"),
        (COLD, put("cos:UploadPart"), "passes"),
    ],
)
def test_storage_classes_are_judged_where_they_are_settled(
    rule: StorageClassRule, request_: AccessRequest, expected: str
) -> None:
    assert outcome_of(rule, request_) == expected


# --- pins ---------------------------------------------------------------------------------------------------

PINNED = SourceConditionsRule(pin=Pin.ETAG)
MEASURED = Facts(True, source_etag="e1")
AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("conditions", "facts", "expected", "added"),
    [
        (None, MEASURED, "passes", '"e1"'),
        (CopyConditions(), MEASURED, "passes", '"e1"'),
        (None, Facts(), "unknown source_conditions.pin source_etag", None),
        (None, Facts(True), "unknown source_conditions.pin source_etag", None),
        (CopyConditions(if_match=("mine",)), Facts(), "passes", None),
        (CopyConditions(if_match=("mine",)), MEASURED, "passes", None),
        (CopyConditions(if_match=("*",)), MEASURED, "source_conditions.pin", None),
        (CopyConditions(if_match=("a", "b")), MEASURED, "source_conditions.pin", None),
        (CopyConditions(if_none_match=("x",)), MEASURED, "source_conditions.pin", '"e1"'),
        (CopyConditions(if_unmodified_since=AT), MEASURED, "passes", '"e1"'),
        (CopyConditions(if_modified_since=AT), MEASURED, "source_conditions.pin", '"e1"'),
    ],
)
def test_a_pin_adds_what_is_missing_where_that_is_safe(
    conditions: CopyConditions | None, facts: Facts, expected: str, added: str | None
) -> None:
    request = changed(copy(conditions=conditions), facts=facts)
    assert outcome_of(PINNED, request) == expected
    if expected == "passes":
        amendment = PINNED.amend(request)
        assert amendment == (Amendment("copy-source-if-match", added, "source_conditions.pin") if added else None)


def test_a_pin_satisfies_the_requirement_of_if_match() -> None:
    rule = SourceConditionsRule(require_all=frozenset({ConditionName.IF_MATCH}), pin=Pin.ETAG)
    assert outcome_of(rule, changed(copy(), facts=MEASURED)) == "passes"


def test_a_pin_beside_a_date_is_judged_as_the_pair_it_makes() -> None:
    request = changed(copy(conditions=CopyConditions(if_unmodified_since=AT)), facts=MEASURED)
    both = frozenset({ConditionName.IF_MATCH, ConditionName.IF_UNMODIFIED_SINCE})
    assert outcome_of(SourceConditionsRule(require_all=both, pin=Pin.ETAG), request) == "passes"
    no_date = SourceConditionsRule(forbid=frozenset({ConditionName.IF_UNMODIFIED_SINCE}), pin=Pin.ETAG)
    assert outcome_of(no_date, request) == "source_conditions.forbid"


def test_a_rule_without_a_pin_adds_nothing() -> None:
    rule = SourceConditionsRule(require_any=frozenset({ConditionName.IF_MATCH}))
    assert (rule.amends, PINNED.amends) == (False, True)
    assert rule.amend(changed(copy(), facts=MEASURED)) is None


def test_only_the_statement_that_decides_amends() -> None:
    request = changed(copy(), facts=MEASURED)
    pinned = pair("pinned", when="{source_conditions: {pin: etag}}")
    assert [item.name for item in decide(request, pinned).amendments] == ["copy-source-if-match"]
    assert decide(request, pair("free"), pinned).amendments == ()
    shadow = pair("pinned", mode="shadow", when="{source_conditions: {pin: etag}}")
    assert decide(request, pair("free"), shadow).amendments == ()
    denied = decide(request, pinned, pair("no", effect="deny"))
    assert (denied.verdict, denied.amendments) == (Verdict.DENY, ())


def test_a_pin_is_no_rule_of_a_deny_statement() -> None:
    text = "version: 1\nstatements:\n  " + pair("no", effect="deny", when="{source_conditions: {pin: etag}}") + "\n"
    (error,) = errors_of(text)
    assert "pin belongs in an allow statement" in error.hint


def test_a_pin_contradicts_a_forbidden_if_match() -> None:
    with pytest.raises(ValueError, match="forbidden or pinned"):
        SourceConditionsRule(forbid=frozenset({ConditionName.IF_MATCH}), pin=Pin.ETAG)


# --- groups of regions --------------------------------------------------------------------------------------

NORTH = frozenset({Region("ap-beijing"), Region("ap-nanjing")})
SOUTH = frozenset({Region("ap-guangzhou"), Region("ap-shenzhen-fsi")})


@pytest.mark.parametrize(
    ("source", "destination", "expected"),
    [
        ("ap-beijing", "ap-nanjing", "passes"),
        ("ap-beijing", "ap-beijing", "passes"),
        ("ap-guangzhou", "ap-shenzhen-fsi", "passes"),
        ("ap-beijing", "ap-guangzhou", "regions.within"),
        ("ap-shanghai", "ap-shanghai", "regions.within"),
    ],
)
def test_both_ends_lie_in_one_group(source: str, destination: str, expected: str) -> None:
    request = copy(source=end(RAW, region=source), destination=end(MEDIA, region=destination))
    assert outcome_of(RegionsRule(within=(NORTH, SOUTH)), request) == expected


def test_a_side_of_a_route_may_be_a_set() -> None:
    statement = pair(when='{regions: [["@north", [ap-guangzhou, ap-chengdu]]]}')
    text = f"version: 1\nsets: {{regions: {{north: [ap-beijing, ap-nanjing]}}}}\nstatements:\n  {statement}\n"
    policies = load(text)
    for source, destination, allowed in (
        ("ap-nanjing", "ap-chengdu", True),
        ("ap-beijing", "ap-guangzhou", True),
        ("ap-guangzhou", "ap-beijing", False),
    ):
        request = copy(source=end(RAW, region=source), destination=end(MEDIA, region=destination))
        assert policies.decide(request).allowed is allowed
