"""What is sent upstream, built from what was judged."""

from __future__ import annotations

import pytest

from cos.address import Domains, parse_address
from cos.calls import read_call
from cos.copy_source import CopySource
from cos.errors import COSError
from cos.operations import find_operation
from cos.request import read_request
from cos.rewrite import UpstreamRequest, head_source, rewrite
from cos.target import Parameter
from cos.values import Bucket, ObjectKey, Region, VersionId

DOMAINS = Domains(("gw.example.com",))
GUANGZHOU, SHANGHAI = Region("ap-guangzhou"), Region("ap-shanghai")
SOURCE = (b"x-cos-copy-source", b"src-1250000000.gw.example.com:8080/a%20b?VERSIONID=v1")


def sent(
    method: str,
    target: bytes,
    *headers: tuple[bytes, bytes],
    host: bytes = b"dst-1250000000.gw.example.com:8080",
    region: Region | None = GUANGZHOU,
    source_region: Region | None = SHANGHAI,
) -> UpstreamRequest:
    request = read_request(method, target, [(b"host", host), *headers])
    address = parse_address(request.host, request.target.path, DOMAINS)
    call = read_call(request, address, find_operation(request, address.level), DOMAINS)
    return rewrite(request, call, region=region, source_region=source_region)


def test_upload_part_copy_names_real_hosts_and_rendered_values() -> None:
    request = sent(
        "PUT", b"/up/./a?partNumber=1&uploadId=u1", SOURCE, (b"x-cos-copy-source-range", b"bytes=0-9"),
        (b"x-cos-copy-source-if-match", b'"e"'),
    )  # fmt: skip
    assert request == UpstreamRequest.of(
        method="PUT",
        host="dst-1250000000.cos.ap-guangzhou.myqcloud.com",
        path=b"/up/./a",
        query=(Parameter("partNumber", "1"), Parameter("uploadId", "u1")),
        target=b"/up/.%2Fa?partNumber=1&uploadId=u1",
        headers=(
            (b"x-cos-copy-source-if-match", b'"e"'),
            (b"x-cos-copy-source", b"src-1250000000.cos.ap-shanghai.myqcloud.com/a%20b?versionId=v1"),
            (b"x-cos-copy-source-range", b"bytes=0-9"),
            (b"content-length", b"0"),
        ),
    )


def test_the_s3_dialect_is_kept() -> None:
    request = sent("PUT", b"/k?partNumber=1&uploadId=u", (b"x-amz-copy-source", b"src-1250000000/k"))
    assert dict(request.headers)[b"x-amz-copy-source"] == b"/src-1250000000/k"


@pytest.mark.parametrize(
    "header",
    [
        (b"authorization", b"q-sign-algorithm=sha1&q-ak=a"),
        (b"x-cos-security-token", b"t"),
        (b"cookie", b"a=b"),
        (b"x-forwarded-for", b"10.0.0.1"),
        (b"x-http-method-override", b"DELETE"),
        (b"x-forwarded-host", b"evil.com"),
        (b"connection", b"close"),
        (b"expect", b"100-continue"),
        (b"te", b"trailers"),
        (b"proxy-authorization", b"Basic eDp5"),
        (b"x-cos-sdk-retry", b"true"),
        (b"content-type", b""),
    ],
    ids=lambda header: header[0].decode(),
)
def test_what_is_the_callers_own_stays_behind(header: tuple[bytes, bytes]) -> None:
    assert header[0] not in dict(sent("GET", b"/k", header).headers)


@pytest.mark.parametrize(
    "header",
    [
        (b"range", b"bytes=0-9"),
        (b"content-type", b"text/plain"),
        (b"x-cos-acl", b"private"),
        (b"x-cos-meta-name", "值".encode()),
        (b"x-cos-meta-empty", b""),
        (b"accept-encoding", b"identity"),
    ],
    ids=lambda header: header[0].decode(),
)
def test_what_belongs_to_the_object_is_passed_on(header: tuple[bytes, bytes]) -> None:
    assert header in sent("PUT", b"/k", (b"content-length", b"1"), header).headers


@pytest.mark.parametrize("name", [b"x-cos-unheard-of", b"x-cos-callback", b"pic-operations", b"x-ci-process"])
def test_unknown_control_headers_are_refused(name: bytes) -> None:
    with pytest.raises(COSError) as caught:
        sent("PUT", b"/k", (b"content-length", b"0"), (name, b"a"))
    assert caught.value.code == "NotImplemented"


def test_the_callers_signature_parameters_stay_behind() -> None:
    request = sent("GET", b"/k?versionId=v&q-sign-algorithm=sha1&q-ak=a&q-signature=0&x-cos-security-token=t")
    assert (request.query, request.target) == ((Parameter("versionId", "v"),), b"/k?versionId=v")


def test_the_go_sdks_version_is_sent_as_version_id() -> None:
    assert sent("DELETE", b"/k?VersionId=v").target == b"/k?versionId=v"


@pytest.mark.parametrize(
    ("method", "target", "host", "region", "expected"),
    [
        ("GET", b"/", b"gw.example.com", None, ("service.cos.myqcloud.com", b"/")),
        ("GET", b"/", b"cos.ap-shanghai.myqcloud.com", SHANGHAI, ("cos.ap-shanghai.myqcloud.com", b"/")),
        (
            "GET", b"/dst-1250000000//a", b"gw.example.com", GUANGZHOU,
            ("dst-1250000000.cos.ap-guangzhou.myqcloud.com", b"//a"),
        ),
        (
            "HEAD", b"/dst-1250000000", b"gw.example.com", GUANGZHOU,
            ("dst-1250000000.cos.ap-guangzhou.myqcloud.com", b"/"),
        ),
    ],
    ids=["service", "regional-service", "path-style-object", "path-style-bucket"],
)  # fmt: skip
def test_hosts_and_paths(
    method: str, target: bytes, host: bytes, region: Region | None, expected: tuple[str, bytes]
) -> None:
    request = sent(method, target, host=host, region=region)
    assert (request.host, request.target) == expected


@pytest.mark.parametrize(
    ("method", "target", "framing", "expected"),
    [
        ("PUT", b"/k", (b"content-length", b"5"), (b"content-length", b"5")),
        ("PUT", b"/k", (b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"chunked")),
        ("POST", b"/k?uploads", (b"content-length", b"0"), (b"content-length", b"0")),
    ],
    ids=["length", "chunked", "empty"],
)
def test_framing(method: str, target: bytes, framing: tuple[bytes, bytes], expected: tuple[bytes, bytes]) -> None:
    assert sent(method, target, framing).headers == (expected,)


def test_requests_without_a_body_have_no_framing() -> None:
    assert sent("GET", b"/k").headers == ()


def test_a_bucket_or_source_without_its_region_is_a_programming_mistake() -> None:
    with pytest.raises(ValueError, match="bucket needs its region"):
        sent("GET", b"/k", region=None)
    with pytest.raises(ValueError, match="source needs its region"):
        sent("PUT", b"/k", SOURCE, source_region=None)


def test_the_size_of_a_source_is_asked_of_its_real_host() -> None:
    request = head_source(CopySource(Bucket("src-1250000000"), ObjectKey("a b"), None, VersionId("v")), region=SHANGHAI)
    assert (request.method, request.host, request.target) == (
        "HEAD",
        "src-1250000000.cos.ap-shanghai.myqcloud.com",
        b"/a%20b?versionId=v",
    )
