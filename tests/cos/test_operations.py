"""THE table: what a method, a level and sub-resources ask for."""

from __future__ import annotations

import pytest

from cos.address import Level
from cos.errors import COSError
from cos.operations import ACTIONS, OPERATIONS, Body, Operation, find_operation
from cos.request import read_request

COPY = ((b"x-cos-copy-source", b"src-1250000000.cos.ap-guangzhou.myqcloud.com/k"),)
AMZ_COPY = ((b"x-amz-copy-source", b"/src-1250000000/k"),)
Headers = tuple[tuple[bytes, bytes], ...]


def find(method: str, level: Level, query: str = "", headers: Headers = ()) -> Operation:
    return find_operation(read_request(method, f"/k?{query}".encode(), [(b"host", b"a"), *headers]), level)


S, B, O = Level.SERVICE, Level.BUCKET, Level.OBJECT  # noqa: E741  # columns of the table below


@pytest.mark.parametrize(
    ("method", "level", "query", "headers", "name"),
    [
        ("GET", S, "marker=&max-keys=2000", (), "GetService"),
        ("GET", B, "", (), "GetBucket"),
        ("GET", B, "prefix=&delimiter=&marker=&max-keys=1000&encoding-type=url", (), "GetBucket"),
        ("GET", B, "list-type=2&prefix=a", (), "GetBucket"),
        ("HEAD", B, "", (), "HeadBucket"),
        ("GET", B, "uploads=&prefix=", (), "ListMultipartUploads"),
        ("POST", B, "delete", (), "DeleteMultipleObjects"),
        ("PUT", B, "policy", (), "PutBucketPolicy"),
        ("PUT", B, "inventory&id=1", (), "PutBucketInventory"),
        ("PUT", O, "", (), "PutObject"),
        ("PUT", O, "x-id=PutObject", (), "PutObject"),
        ("PUT", O, "", COPY, "PutObjectCopy"),
        ("PUT", O, "", AMZ_COPY, "PutObjectCopy"),
        ("GET", O, "response-content-type=a&versionId=v", (), "GetObject"),
        ("DELETE", O, "VersionId=v", (), "DeleteObject"),
        ("POST", O, "append&position=0", (), "AppendObject"),
        ("POST", O, "select&select-type=2", (), "SelectObjectContent"),
        ("POST", O, "uploads", (), "InitiateMultipartUpload"),
        ("PUT", O, "partNumber=1&uploadId=u", (), "UploadPart"),
        ("GET", O, "partNumber=1", (), "GetObject"),
        ("HEAD", O, "partNumber=1&versionId=v", (), "HeadObject"),
        ("PUT", O, "uploadId=u&partNumber=1", COPY, "UploadPartCopy"),
        ("PUT", O, "partNumber=1&uploadId=u&x-id=UploadPartCopy", AMZ_COPY, "UploadPartCopy"),
        ("GET", O, "uploadId=u&max-parts=1000", (), "ListParts"),
        ("POST", O, "uploadId=u", (), "CompleteMultipartUpload"),
        ("DELETE", O, "uploadId=u", (), "AbortMultipartUpload"),
        ("GET", O, "q-sign-algorithm=sha1&q-ak=a&q-signature=0", (), "GetObject"),
        ("PUT", O, "partNumber=1&uploadId=u&q-signature=0&x-cos-security-token=t", (), "UploadPart"),
    ],
)
def test_one_operation(method: str, level: Level, query: str, headers: Headers, name: str) -> None:
    assert find(method, level, query, headers).name == name


@pytest.mark.parametrize(
    ("method", "level", "query", "headers", "code"),
    [
        pytest.param("PUT", O, "partNumber=1&uploadId=u&uploads", COPY, "InvalidArgument", id="two-operations"),
        pytest.param("PUT", O, "partNumber=1&uploadId=u&acl", (), "InvalidArgument", id="part-and-acl"),
        pytest.param("GET", B, "policy&acl", (), "InvalidArgument", id="two-sub-resources"),
        pytest.param("PUT", O, "uploadId=u", COPY, "InvalidArgument", id="no-part-number"),
        pytest.param("PUT", O, "partNumber=1", COPY, "InvalidArgument", id="no-upload-id"),
        pytest.param("PUT", O, "partNumber=1", (), "InvalidArgument", id="no-upload-id-no-copy"),
        pytest.param("PUT", O, "partNumber=1&partNumber=2&uploadId=u", COPY, "InvalidArgument", id="repeated"),
        pytest.param("PUT", O, "partNumber=1&uploadId=u&uploadId=u", COPY, "InvalidArgument", id="repeated-equal"),
        pytest.param("PUT", O, "PARTNUMBER=1&UPLOADID=u", (), "InvalidArgument", id="other-case"),
        pytest.param("PUT", O, "unknownsub", (), "InvalidArgument", id="unknown"),
        pytest.param("PUT", O, "delete", (), "InvalidArgument", id="word-of-another-level"),
        pytest.param("PUT", O, "versionId=v", (), "InvalidArgument", id="parameter-of-another-operation"),
        pytest.param("GET", O, "prefix=a", (), "InvalidArgument", id="list-parameter-on-an-object"),
        pytest.param(
            "PUT", O, "partNumber=1&uploadId=u&x-cos-copy-source=a", (), "InvalidArgument", id="source-in-query"
        ),
        pytest.param("DELETE", O, "", COPY, "InvalidRequest", id="copy-source-on-delete"),
        pytest.param("GET", O, "", AMZ_COPY, "InvalidRequest", id="copy-source-on-get"),
        pytest.param("POST", O, "uploads", COPY, "InvalidRequest", id="copy-source-on-initiate"),
        pytest.param("PUT", B, "", COPY, "InvalidRequest", id="copy-source-on-a-bucket"),
        pytest.param("PUT", O, "acl", COPY, "InvalidRequest", id="copy-source-on-acl"),
        pytest.param("PUT", S, "", (), "MethodNotAllowed", id="put-on-the-service"),
        pytest.param("POST", B, "policy", (), "MethodNotAllowed", id="post-policy"),
        pytest.param("DELETE", B, "delete", (), "MethodNotAllowed", id="delete-delete"),
        pytest.param("POST", O, "", (), "MethodNotAllowed", id="post-on-an-object"),
        pytest.param("POST", O, "append", (), "NotImplemented", id="append-without-position"),
    ],
)
def test_anything_else_is_refused_never_guessed(
    method: str, level: Level, query: str, headers: Headers, code: str
) -> None:
    with pytest.raises(COSError) as caught:
        find(method, level, query, headers)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("method", "level", "query"),
    [
        ("GET", B, "notification"),
        ("PUT", B, "requestPayment="),
        ("GET", B, "publicAccessBlock"),
        ("GET", O, "attributes"),
        ("PUT", O, "retention"),
        ("PUT", O, "legal-hold&versionId=v"),
        ("PUT", O, "symlink"),
        ("GET", O, "torrent"),
    ],
)
def test_what_is_known_and_not_offered_is_said_so(method: str, level: Level, query: str) -> None:
    with pytest.raises(COSError, match="NotImplemented"):
        find(method, level, query, ())


def test_an_empty_copy_source_is_a_copy() -> None:
    assert find("PUT", O, "", ((b"x-cos-copy-source", b""),)).name == "PutObjectCopy"


def test_every_row_has_its_own_shape_and_but_for_parts_its_own_name() -> None:
    names = [operation.name for operation in OPERATIONS if operation.subresource != {"partNumber"}]
    assert len(set(names)) == len(names) == len(ACTIONS)
    assert {o.name for o in OPERATIONS if o.subresource == {"partNumber"}} == {"GetObject", "HeadObject"}
    shapes = {(o.method, o.level, o.subresource, o.copies) for o in OPERATIONS}
    assert len(shapes) == len(OPERATIONS)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: f"{operation.name} {operation.method}")
def test_every_row_is_found_by_its_own_shape(operation: Operation) -> None:
    query = "&".join(sorted(operation.subresource))
    headers = COPY if operation.copies else ()
    assert find(operation.method, operation.level, query, headers) is operation


def test_only_harmless_repeats_are_replayable() -> None:
    writes = {o.name for o in OPERATIONS if o.replayable and o.method not in ("GET", "HEAD", "OPTIONS")}
    assert writes == {"UploadPartCopy"}


def test_copies_have_no_body() -> None:
    assert {o.body for o in OPERATIONS if o.copies} == {Body.NONE}
    assert {o.name for o in OPERATIONS if o.copies} == {"PutObjectCopy", "UploadPartCopy"}


def test_actions_are_cam_names() -> None:
    assert find("PUT", O, "partNumber=1&uploadId=u", COPY).action == "cos:UploadPartCopy"
    assert "cos:UploadPartCopy" in ACTIONS
