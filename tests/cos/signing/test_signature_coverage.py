"""What a caller must have signed, and the few things real SDKs leave unsigned."""

from __future__ import annotations

import pytest

from cos.address import Level
from cos.errors import COSError
from cos.request import Request, read_request
from cos.signing import Carrier, Claim, QSignTerms, Scope, SigV4Terms, Window, check_coverage

HOST = (b"host", b"examplebucket-1250000000.cos.ap-guangzhou.myqcloud.com")
Fields = list[tuple[bytes, bytes]]


def request(target: str = "/key", *headers: tuple[bytes, bytes], method: str = "PUT") -> Request:
    return read_request(method, target.encode(), [HOST, *headers])


def cos_claim(headers: str = "host", parameters: str = "") -> Claim:
    return Claim(
        carrier=Carrier.HEADER,
        access_key_id="AK",
        window=Window(0, 1),
        signed_headers=tuple(headers.split(";")) if headers else (),
        signed_parameters=tuple(parameters.split(";")) if parameters else (),
        signature="",
        terms=QSignTerms("0;1", "0;1", Window(0, 1)),
    )


def s3_claim(headers: str) -> Claim:
    return Claim(
        carrier=Carrier.HEADER,
        access_key_id="AK",
        window=Window(0, 0),
        signed_headers=tuple(headers.split(";")),
        signed_parameters=None,
        signature="",
        terms=SigV4Terms("", Scope("20231114", "r", "s3"), "UNSIGNED-PAYLOAD"),
    )


_COVERED = [
    pytest.param(request(), cos_claim(), id="host alone"),
    pytest.param(request("/k?partNumber=1&uploadId=u"), cos_claim("host", "partnumber;uploadid"), id="parameters"),
    pytest.param(request("/k?a%2FB=1"), cos_claim("host", "a%2fb"), id="encoded parameter"),
    pytest.param(request("/k", (b"x-cos-acl", b"private")), cos_claim("host;x-cos-acl"), id="control header"),
    pytest.param(request("/k", (b"x-cos-meta-a+b", b"1")), cos_claim("host;x-cos-meta-a%2bb"), id="encoded header"),
    pytest.param(request("/k", (b"user-agent", b"x"), (b"content-type", b"t")), cos_claim(), id="ordinary headers"),
    pytest.param(request("/k", (b"x-cos-security-token", b"t")), cos_claim(), id="token header of node and java"),
    pytest.param(request("/k?x-cos-security-token=t"), cos_claim(), id="token parameter of node and java"),
    pytest.param(request("/k", (b"x-cos-sdk-log-debug", b"off")), cos_claim(), id="java debug marker"),
    pytest.param(request("/k", (b"x-cos-sdk-retry", b"true")), cos_claim(), id="java retry marker"),
    pytest.param(request("/k", (b"x-amz-acl", b"private")), s3_claim("host;x-amz-acl"), id="s3 control header"),
    pytest.param(request("/k?versionId=1"), s3_claim("host"), id="s3 signs every parameter"),
]


@pytest.mark.parametrize(("covered", "claim"), _COVERED)
def test_a_request_that_is_covered_is_accepted(covered: Request, claim: Claim) -> None:
    check_coverage(covered, claim, level=Level.OBJECT)


_UNCOVERED_HEADERS = [
    pytest.param(request(), cos_claim(""), "host", id="host"),
    pytest.param(request("/k", (b"x-cos-copy-source", b"s")), cos_claim(), "x-cos-copy-source", id="copy source"),
    pytest.param(request("/k", (b"x-cos-acl", b"")), cos_claim(), "x-cos-acl", id="empty header"),
    pytest.param(request("/k", (b"x-ci-x", b"1")), cos_claim(), "x-ci-x", id="ci header"),
    pytest.param(request("/k", (b"pic-operations", b"{}")), cos_claim(), "pic-operations", id="pic operations"),
    pytest.param(
        request("/k", (b"x-cos-acl", b"a"), (b"x-cos-grant-read", b"b")),
        cos_claim("host;x-cos-acl"),
        "x-cos-grant-read",
        id="one of two",
    ),
    pytest.param(
        request("/k", (b"x-cos-meta-a%2bb", b"1")),
        cos_claim("host;x-cos-meta-a%2bb"),
        "x-cos-meta-a%2bb",
        id="a name that looks like another's encoding",
    ),
    pytest.param(request("/k", (b"x-amz-copy-source", b"s")), s3_claim("host"), "x-amz-copy-source", id="s3"),
    pytest.param(request("/k"), s3_claim("x-amz-date"), "host", id="s3 host"),
]


@pytest.mark.parametrize(("uncovered", "claim", "named"), _UNCOVERED_HEADERS)
def test_an_unsigned_control_header_is_refused_and_named(uncovered: Request, claim: Claim, named: str) -> None:
    with pytest.raises(COSError) as caught:
        check_coverage(uncovered, claim, level=Level.OBJECT)
    assert caught.value.code == "AccessDenied"
    assert caught.value.details == (("HeadersNotSigned", named),)


@pytest.mark.parametrize(
    ("target", "listed", "named"),
    [
        ("/k?partNumber=1&uploadId=u", "", "partNumber, uploadId"),
        ("/k?partNumber=1&uploadId=u", "partnumber", "uploadId"),
        ("/k?versionId=1", "versionid2", "versionId"),
        ("/?marker=a", "", "marker"),
    ],
    ids=["none listed", "one listed", "another listed", "list-buckets parameter on an object"],
)
def test_an_unsigned_parameter_is_refused_and_named(target: str, listed: str, named: str) -> None:
    with pytest.raises(COSError) as caught:
        check_coverage(request(target, method="GET"), cos_claim("host", listed), level=Level.BUCKET)
    assert caught.value.code == "AccessDenied"
    assert caught.value.details == (("ParametersNotSigned", named),)


_LIST_BUCKETS = "/?marker=&max-keys=2000&tagkey=a&tagvalue=b&region=r&create-time=1&range=gt"


def test_pythons_list_buckets_may_leave_its_query_unsigned() -> None:
    check_coverage(request(_LIST_BUCKETS, method="GET"), cos_claim(), level=Level.SERVICE)


@pytest.mark.parametrize(
    ("target", "method", "level"),
    [
        (_LIST_BUCKETS, "GET", Level.BUCKET),
        (_LIST_BUCKETS, "PUT", Level.SERVICE),
        (_LIST_BUCKETS + "&acl", "GET", Level.SERVICE),
    ],
    ids=["on a bucket", "another method", "a further parameter"],
)
def test_nothing_but_list_buckets_may_leave_a_query_unsigned(target: str, method: str, level: Level) -> None:
    with pytest.raises(COSError, match="not signed"):
        check_coverage(request(target, method=method), cos_claim(), level=level)


@pytest.mark.parametrize(
    ("header", "claim"),
    [
        ((b"x-amz-copy-source", b"/b/k"), cos_claim("host;x-amz-copy-source")),
        ((b"x-cos-copy-source", b"b/k"), s3_claim("host;x-cos-copy-source")),
    ],
    ids=["s3 header, cos signature", "cos header, s3 signature"],
)
def test_a_signature_of_one_dialect_does_not_cover_the_other(header: tuple[bytes, bytes], claim: Claim) -> None:
    with pytest.raises(COSError, match="under this signature"):
        check_coverage(request("/k", header), claim, level=Level.OBJECT)
