"""Requests → typed calls."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cos.address import Domains, parse_address
from cos.byte_range import ByteRange
from cos.calls import Call, ObjectCall, PutObjectCopy, UploadPartCopy, read_call
from cos.conditions import CopyConditions
from cos.copy_source import CopySource
from cos.errors import COSError
from cos.operations import find_operation
from cos.request import read_request
from cos.values import Bucket, ObjectKey, Region

DOMAINS = Domains(("gw.example.com",))
HOST = "dst-1250000000.cos.ap-guangzhou.myqcloud.com"
SOURCE = ("x-cos-copy-source", "src-1250000000.cos.ap-shanghai.myqcloud.com/incoming/a.bin")
PART = "/k?partNumber=7&uploadId=u1"


def call(method: str, target: str, *headers: tuple[str, str]) -> Call:
    raw_headers = [(b"host", HOST.encode()), *((name.encode(), value.encode()) for name, value in headers)]
    request = read_request(method, target.encode(), raw_headers)
    address = parse_address(request.host, request.target.path, DOMAINS)
    return read_call(request, address, find_operation(request, address.level), DOMAINS)


def test_upload_part_copy_with_everything() -> None:
    copy = call(
        "PUT",
        PART,
        SOURCE,
        ("x-cos-copy-source-Range", "bytes=0-1048575"),
        ("x-cos-copy-source-If-Match", '"e"'),
        ("x-cos-copy-source-If-Unmodified-Since", "Mon, 04 Sep 2017 04:45:45 GMT"),
        ("content-length", "0"),
    )
    assert isinstance(copy, UploadPartCopy)
    assert (copy.part_number, copy.upload_id, copy.byte_range) == (7, "u1", ByteRange(0, 1048575))
    assert copy.source == CopySource(Bucket("src-1250000000"), ObjectKey("incoming/a.bin"), Region("ap-shanghai"))
    moment = datetime(2017, 9, 4, 4, 45, 45, tzinfo=UTC)
    assert copy.conditions == CopyConditions(if_match=("e",), if_unmodified_since=moment)


@pytest.mark.parametrize("headers", [(), (("x-cos-copy-source-range", ""),)], ids=["absent", "empty"])
def test_no_range_means_the_whole_source(headers: tuple[tuple[str, str], ...]) -> None:
    copy = call("PUT", PART, SOURCE, *headers)
    assert isinstance(copy, UploadPartCopy)
    assert copy.byte_range is None


def test_copy_in_the_s3_dialect() -> None:
    copy = call("PUT", PART, ("x-amz-copy-source", "/src-1250000000/a%20b"), ("x-amz-copy-source-range", "bytes=0-9"))
    assert isinstance(copy, UploadPartCopy)
    assert copy.source == CopySource(Bucket("src-1250000000"), ObjectKey("a b"))
    assert copy.byte_range == ByteRange(0, 9)


def test_put_object_copy_has_no_part() -> None:
    copy = call("PUT", "/k", SOURCE, ("x-cos-copy-source-range", ""))
    assert isinstance(copy, PutObjectCopy)
    assert copy.source.key == "incoming/a.bin"


def test_conflicting_conditions_are_parsed_for_policy_to_judge() -> None:
    copy = call("PUT", PART, SOURCE, ("x-cos-copy-source-if-match", "a"), ("x-cos-copy-source-if-none-match", "b"))
    assert isinstance(copy, UploadPartCopy)
    assert copy.conditions.conflict


@pytest.mark.parametrize(
    ("method", "target", "headers", "body_bytes"),
    [
        ("PUT", "/k", (("content-length", "5"),), 5),
        ("PUT", "/k", (("transfer-encoding", "chunked"),), None),
        ("GET", "/k", (), 0),
        ("POST", "/?delete", (("content-length", "9"),), 9),
    ],
)
def test_other_operations_know_the_length_of_their_body(
    method: str, target: str, headers: tuple[tuple[str, str], ...], body_bytes: int | None
) -> None:
    read = call(method, target, *headers)
    assert isinstance(read, ObjectCall)
    assert read.body_bytes == body_bytes


@pytest.mark.parametrize("spelling", ["versionId", "VersionId"])
def test_the_version_of_an_object_call_is_seen_in_either_spelling(spelling: str) -> None:
    read = call("DELETE", f"/k?{spelling}=v1")
    assert isinstance(read, ObjectCall)
    assert read.version_id == "v1"


@pytest.mark.parametrize(
    ("method", "target", "headers", "code"),
    [
        pytest.param("PUT", PART, (SOURCE, ("content-length", "1")), "UnexpectedContent", id="copy-with-a-body"),
        pytest.param("PUT", PART, (SOURCE, ("transfer-encoding", "chunked")), "UnexpectedContent", id="copy-chunked"),
        pytest.param("GET", "/k", (("content-length", "1"),), "UnexpectedContent", id="get-with-a-body"),
        pytest.param("PUT", PART, (("x-cos-copy-source", ""),), "InvalidCopySource", id="empty-source"),
        pytest.param("PUT", PART, (("x-cos-copy-source", "/src-1250000000/k"),), "InvalidCopySource", id="s3-source"),
        pytest.param(
            "PUT", PART, (SOURCE, ("x-cos-copy-source-range", "bytes=0-")), "InvalidArgument", id="open-range"
        ),
        pytest.param("PUT", PART, (SOURCE, ("x-cos-copy-source-if-match", "")), "InvalidArgument", id="empty-etag"),
        pytest.param("PUT", PART, (SOURCE, ("x-cos-copy-source-if-match", "é")), "InvalidRequest", id="etag-not-ascii"),
        pytest.param("PUT", "/k?partNumber=0&uploadId=u", (SOURCE,), "InvalidArgument", id="part-zero"),
        pytest.param("PUT", "/k?partNumber=10001&uploadId=u", (SOURCE,), "InvalidArgument", id="part-10001"),
        pytest.param("PUT", "/k?partNumber=1&uploadId=", (SOURCE,), "InvalidArgument", id="no-upload-id"),
        pytest.param(
            "PUT", "/k", (SOURCE, ("x-cos-copy-source-range", "bytes=0-9")), "InvalidRequest", id="range-no-part"
        ),
        pytest.param("PUT", PART, (("x-cos-copy-source-range", "bytes=0-9"),), "InvalidRequest", id="range-no-source"),
        pytest.param("PUT", "/k", (("x-cos-copy-source-if-match", "e"),), "InvalidRequest", id="condition-no-source"),
        pytest.param("GET", "/k?versionId=", (), "InvalidArgument", id="empty-version"),
        pytest.param("POST", "/?delete", (("content-encoding", "gzip"),), "InvalidRequest", id="packed-document"),
    ],
)
def test_other_calls_are_refused(method: str, target: str, headers: tuple[tuple[str, str], ...], code: str) -> None:
    with pytest.raises(COSError) as caught:
        call(method, target, *headers)
    assert caught.value.code == code
