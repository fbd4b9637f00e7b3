"""Every reason a rule gives, word for word: callers and operators read them, and tests of documents start with them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from cos.conditions import CopyConditions
from cos.values import PartNumber
from policies.decision import Verdict
from policies.request import AccessRequest, Caller, Facts
from tests.policies.building import MEDIA, MIB, RAW, copy, decide, end, on, pair

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def asked(action: str = "cos:PutObject", *, address: str | None = "192.0.2.1", **fields: Any) -> AccessRequest:
    fields = {"resource": end(RAW, "a"), "time": NOON, **fields}
    return AccessRequest(Caller("team:media", "AK", address=address), action, **fields)


REQUESTS = {
    "put": asked(),
    "kms": asked(encryption="sse-kms"),
    "cos": asked(encryption="sse-cos"),
    "part": asked("cos:UploadPart", part_number=PartNumber(5)),
    "deep": asked(storage_class="DEEP_ARCHIVE"),
    "big": asked(object_bytes=1025),
    "timeless": asked(time=None, address=None),
    "acl": asked(headers=frozenset({"acl"})),
    "version": asked(resource=end(RAW, "a", version="v")),
    "completion": asked("cos:CompleteMultipartUpload", facts=Facts(True, upload_size_bytes=1025)),
    "blind": asked("cos:CompleteMultipartUpload", facts=Facts(measured=True)),
}
REASONS = [
    ("{encryption: require}", "put", "encryption: no server-side encryption asked, it is required"),
    ("{encryption: forbid}", "kms", "encryption: sse-kms asked, none allowed"),
    ("{encryption: forbid}", "part", "encryption: of a part it was settled by the start of its upload"),
    (
        "{encryption: {expected: require, methods: [sse-kms, sse-c]}}",
        "cos",
        "encryption.methods: sse-cos asked, sse-kms or sse-c required",
    ),
    ("{storage_class: [STANDARD, ARCHIVE]}", "deep", "storage_class: DEEP_ARCHIVE asked, expected STANDARD, ARCHIVE"),
    ("{storage_class: ARCHIVE}", "put", "storage_class: STANDARD asked, expected ARCHIVE"),
    ("{object_size: 1KiB}", "big", "object_size.max: the body is larger than 1 KiB"),
    ("{object_size: 1KiB}", "put", "object_size: the body is of unknown size"),
    ("{object_size: 1KiB}", "completion", "object_size.max: the parts of the upload are larger than 1 KiB"),
    ("{object_size: 1KiB}", "blind", "object_size: the parts of the upload are of unknown size"),
    (
        "{period: {not_before: '2026-01-02T00:00:00Z'}}",
        "put",
        "period.not_before: allowed from 2026-01-02T00:00:00+00:00",
    ),
    (
        "{period: {not_after: '2025-01-02T00:00:00Z'}}",
        "put",
        "period.not_after: allowed until 2025-01-02T00:00:00+00:00",
    ),
    ("{period: {days: [mon, tue]}}", "put", "period.days: asked on thu, allowed on mon, tue"),
    (
        "{period: {hours: '22:00-06:30', utc_offset: '-03:30'}}",
        "put",
        "period.hours: asked at 08:30, allowed 22:00-06:30",
    ),
    ("{period: {days: [mon]}}", "timeless", "period: the time of the request is unknown"),
    ("{networks: [10.0.0.0/8]}", "put", "networks: a request from 192.0.2.1 is outside the allowed networks"),
    ("{networks: [10.0.0.0/8]}", "timeless", "networks: the caller's address is unknown"),
    ("{headers: {forbid: [acl]}}", "acl", "headers.forbid: the control header acl is forbidden"),
    ("{headers: {require_all: [tagging]}}", "acl", "headers.require_all: the control header tagging is required"),
    (
        "{headers: {require_any: [tagging, 'grant-*']}}",
        "acl",
        "headers.require_any: a control header tagging or grant-* is required",
    ),
    ("{version: require}", "put", "version: no version is named, one is required"),
    ("{version: forbid}", "version", "version: a version is named, none is allowed"),
    ("{part_number: {max: 3}}", "put", "part_number: this operation has no part number, the statement bounds it"),
    ("{part_number: {max: 3}}", "part", "part_number.max: part 5 asked, at most 3 allowed"),
    ("{part_number: {min: 9}}", "part", "part_number.min: part 5 asked, at least 9 required"),
]
REASONS_OF_COPIES = [
    ("{object_size: 1KiB}", "object_size.max: the range is larger than 1 KiB"),
    ("{same_region: true}", "same_region: copy from ap-guangzhou to ap-shanghai asked, only within one region allowed"),
    ("{same_region: false}", "same_region: copy within ap-guangzhou asked, only between regions allowed"),
    (
        "{regions: {pairs: [[ap-beijing, ap-nanjing]], within: [[ap-chengdu, ap-beijing]]}}",
        (
            "regions.pairs: copy from ap-guangzhou to ap-shanghai asked, allowed: ap-beijing "
            "to ap-nanjing, within ap-beijing and ap-chengdu"
        ),
    ),
    (
        "{territory: [overseas->overseas]}",
        "territory.allow: copy mainland->mainland asked, allowed: overseas->overseas",
    ),
    ("{range: {max: 1KiB}}", "range.max: 1 MiB asked, at most 1 KiB allowed"),
    ("{range: {min: 2MiB}}", "range.min: 1 MiB asked, at least 2 MiB required"),
    (
        "{range: {min: 2MiB, small_last_part: allow}}",
        "range.min: 1 MiB asked, at least 2 MiB required of a part that is not the last",
    ),
    ("{alignment: 3MiB}", "alignment.length: 1 MiB asked, multiples of 3 MiB allowed"),
    ("{source_size: {max: 1KiB}}", "source_size.max: the source is larger than 1 KiB"),
    ("{source_size: {min: 9MiB}}", "source_size.min: the source is smaller than 9 MiB"),
    ("{source_version: require}", "source_version: no version is named, one is required"),
    (
        "{source_conditions: {require_any: [if-match, if-none-match]}}",
        "source_conditions.require_any: if-modified-since given, at least one of if-match and if-none-match required",
    ),
    (
        "{source_conditions: {require_all: [if-match, if-unmodified-since]}}",
        "source_conditions.require_all: if-modified-since given, if-match and if-unmodified-since required",
    ),
    (
        "{source_conditions: {forbid: [if-modified-since]}}",
        "source_conditions.forbid: if-modified-since given, if-modified-since forbidden",
    ),
    (
        "{source_conditions: {pin: etag}}",
        "source_conditions.pin: if-modified-since given, COS takes no if-match beside it: not pinned",
    ),
]


@pytest.mark.parametrize(("when", "request_", "reason"), REASONS)
def test_a_request_is_refused_in_these_words(when: str, request_: str, reason: str) -> None:
    decision = decide(REQUESTS[request_], on(actions="['cos:*']", when=when))
    assert (decision.verdict, decision.reason) == (Verdict.DENY, reason)


@pytest.mark.parametrize(("when", "reason"), REASONS_OF_COPIES)
def test_a_copy_is_refused_in_these_words(when: str, reason: str) -> None:
    across = copy(
        destination=end(MEDIA, "a", "ap-shanghai"), size=5 * MIB, conditions=CopyConditions(if_modified_since=NOON)
    )
    decision = decide(copy() if when == "{same_region: false}" else across, pair(when=when))
    assert (decision.verdict, decision.reason) == (Verdict.DENY, reason)


@pytest.mark.parametrize(
    ("when", "size", "reason"),
    [
        ("{object_size: 1MiB}", None, "object_size: the source is of unknown size"),
        ("{object_size: 1MiB}", MIB + 1, "object_size.max: the source is larger than 1 MiB"),
        ("{source_size: {max: 1MiB}}", None, "source_size: the size of the source is unknown"),
        ("{range: {max: 1MiB}}", None, "range.size: no range given, and the size of the source is unknown"),
        ("{range: {required: true}}", None, "range.required: no range given, one is required"),
        (
            "{source_conditions: {pin: etag}}",
            None,
            "source_conditions.pin: no if-match given, and the ETag of the source is unknown",
        ),
    ],
)
def test_a_copy_of_a_whole_source_is_refused_in_these_words(when: str, size: int | None, reason: str) -> None:
    decision = decide(copy(length=None, size=size, measured=True), pair(when=when))
    assert (decision.verdict, decision.reason) == (Verdict.DENY, reason)
