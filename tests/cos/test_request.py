"""One request, parsed once."""

from __future__ import annotations

import pytest

from cos.errors import COSError
from cos.request import MAX_HEADER_BYTES, MAX_HEADERS, METHODS, Dialect, Request, read_request

HOST = (b"Host", b"dst-1250000000.cos.ap-guangzhou.myqcloud.com")


def read(*headers: tuple[bytes, bytes], method: str = "PUT", target: bytes = b"/k") -> Request:
    return read_request(method, target, [HOST, *headers])


@pytest.mark.parametrize("method", sorted(METHODS))
def test_known_methods(method: str) -> None:
    assert read(method=method).method == method


@pytest.mark.parametrize("method", ["", "put", "Put", "PATCH", "TRACE", "CONNECT", "PROPFIND", "PUT ", "GET\r\nX: y"])
def test_other_methods_are_refused(method: str) -> None:
    with pytest.raises(COSError) as caught:
        read(method=method)
    assert (caught.value.code, caught.value.status) == ("MethodNotAllowed", 405)


@pytest.mark.parametrize(
    ("headers", "target", "dialect"),
    [
        pytest.param([], b"/k", Dialect.COS, id="unmarked"),
        pytest.param([(b"X-Cos-Acl", b"private")], b"/k", Dialect.COS, id="cos-header"),
        pytest.param([(b"Authorization", b"q-sign-algorithm=sha1")], b"/k", Dialect.COS, id="cos-signature"),
        pytest.param([(b"X-Amz-Date", b"20260101T000000Z")], b"/k", Dialect.S3, id="s3-header"),
        pytest.param([(b"Authorization", b"AWS4-HMAC-SHA256 x")], b"/k", Dialect.S3, id="s3-signature"),
        pytest.param([], b"/k?X-Amz-Algorithm=AWS4-HMAC-SHA256", Dialect.S3, id="s3-presigned"),
        pytest.param([], b"/k?q-sign-algorithm=sha1", Dialect.COS, id="cos-presigned"),
    ],
)
def test_dialect(headers: list[tuple[bytes, bytes]], target: bytes, dialect: Dialect) -> None:
    assert read(*headers, target=target).dialect is dialect


@pytest.mark.parametrize(
    ("headers", "target"),
    [
        pytest.param([(b"x-cos-acl", b"a"), (b"x-amz-acl", b"a")], b"/k", id="both-headers"),
        pytest.param(
            [(b"authorization", b"q-sign-algorithm=sha1"), (b"x-amz-copy-source", b"/a-1/k")], b"/k", id="s3-on-cos"
        ),
        pytest.param(
            [(b"authorization", b"AWS4-HMAC-SHA256 x"), (b"x-cos-copy-source", b"a")], b"/k", id="cos-source-s3-sign"
        ),
        pytest.param([(b"x-cos-copy-source", b"a")], b"/k?X-Amz-Signature=0", id="cos-source-s3-presigned"),
        pytest.param([(b"x-amz-copy-source", b"a")], b"/k?q-sign-algorithm=sha1", id="s3-source-cos-presigned"),
        pytest.param([], b"/k?X-Amz-Signature=0&q-sign-algorithm=sha1", id="both-presigned"),
        pytest.param([], b"/k?x-amz-signature=0&x-cos-security-token=t", id="both-parameters"),
    ],
)
def test_mixed_dialects_are_refused(headers: list[tuple[bytes, bytes]], target: bytes) -> None:
    with pytest.raises(COSError) as caught:
        read(*headers, target=target)
    assert (caught.value.code, caught.value.status) == ("InvalidRequest", 400)


def test_control_headers_are_read_in_the_requests_dialect() -> None:
    assert read((b"X-Cos-Copy-Source-Range", b"bytes=0-9")).control("copy-source-range") == b"bytes=0-9"
    assert read((b"x-amz-copy-source-range", b"bytes=0-9")).control("copy-source-range") == b"bytes=0-9"
    assert read((b"x-cos-acl", b"")).control("acl") == b""
    assert read().control("acl") is None


@pytest.mark.parametrize(
    "name",
    [
        "host", "authorization", "content-length", "transfer-encoding", "content-md5", "content-type", "date", "range",
        "if-match", "x-cos-copy-source", "x-cos-copy-source-range", "x-cos-acl", "x-cos-security-token", "x-ci-a",
    ],
)  # fmt: skip
def test_repeated_control_headers_are_refused_even_when_equal(name: str) -> None:
    with pytest.raises(COSError) as caught:
        read((name.encode(), b"1"), (name.upper().encode(), b"1"))
    assert caught.value.code == "InvalidRequest"


@pytest.mark.parametrize("name", [b"x-cos-meta-r", b"x-amz-meta-r", b"accept"])
def test_repeated_metadata_is_kept(name: bytes) -> None:
    assert read((name, b"two"), (name, b"one")).headers.get_all(name) == [b"two", b"one"]


@pytest.mark.parametrize(
    "header",
    [
        pytest.param((b"x_cos_copy_source", b"a"), id="underscore"),
        pytest.param((b"", b"a"), id="empty-name"),
        pytest.param((b"x-cos-acl ", b"a"), id="space-before-colon"),
        pytest.param((b"x-cos:acl", b"a"), id="colon"),
        pytest.param(("x-cos-é".encode(), b"a"), id="name-not-ascii"),
        pytest.param((b"a\nb", b"a"), id="line-feed-in-name"),
        pytest.param((b"a", b"b\r\nx-cos-acl: public-read"), id="crlf"),
        pytest.param((b"a", b"b\nc"), id="line-feed"),
        pytest.param((b"a", b"b\x00c"), id="nul"),
        pytest.param((b"a", b"\x1b[31m"), id="escape"),
        pytest.param((b"a", b"b\x7f"), id="delete"),
        pytest.param((b"connection", b"x-cos-copy-source"), id="connection-names-a-header"),
        pytest.param((b"connection", b"close, x-cos-copy-source"), id="connection-names-a-header-too"),
        pytest.param((b"connection", b"upgrade"), id="connection-upgrade"),
        pytest.param((b"a", b"b" * MAX_HEADER_BYTES), id="too-many-bytes"),
    ],
)
def test_other_headers_are_refused(header: tuple[bytes, bytes]) -> None:
    with pytest.raises(COSError) as caught:
        read(header)
    assert (caught.value.code, caught.value.status) == ("InvalidRequest", 400)


@pytest.mark.parametrize("value", [b"close", b"keep-alive", b"Keep-Alive, TE", b""])
def test_connection_may_name_only_itself(value: bytes) -> None:
    assert read((b"Connection", value)).headers.get(b"connection") == value


def test_number_and_size_of_headers_are_bounded_inclusively() -> None:
    fields = [(b"n%d" % i, b"") for i in range(MAX_HEADERS - 1)]
    assert len(read(*fields).headers) == MAX_HEADERS
    with pytest.raises(COSError):
        read(*fields, (b"one-more", b""))
    room = MAX_HEADER_BYTES - len(HOST[0]) - len(HOST[1]) - 1
    assert read((b"a", b"b" * room)).headers.get(b"a") == b"b" * room
    with pytest.raises(COSError):
        read((b"a", b"b" * (room + 1)))


@pytest.mark.parametrize(
    "target",
    [b"/k?partNumber=1&PartNumber=2", b"/k?acl&ACL", b"/k?versionId=a&VersionId=a", b"/k?uploadid=1&uploadId=1"],
)
def test_parameters_that_differ_in_case_are_refused(target: bytes) -> None:
    with pytest.raises(COSError) as caught:
        read(target=target)
    assert caught.value.code == "InvalidURI"


def test_the_go_sdks_version_parameter_is_the_version() -> None:
    target = read(method="DELETE", target=b"/k?VersionId=v&x=1").target
    assert (target.value("versionId"), target.value("VersionId"), target.value("x")) == ("v", None, "1")
    assert target.raw == b"/k?VersionId=v&x=1"


@pytest.mark.parametrize(
    ("host", "target", "expected"),
    [
        pytest.param(b"Gw.Example.com:8080", b"/k", "gw.example.com:8080", id="lower-case"),
        pytest.param(b"gw.example.com", b"http://GW.example.com/k", "gw.example.com", id="absolute"),
        pytest.param(b"gw.example.com", b"http://gw.example.com:80/k", "gw.example.com", id="absolute-default-port"),
        pytest.param(b"gw.example.com:443", b"https://gw.example.com/k", "gw.example.com:443", id="https-default-port"),
    ],
)
def test_host(host: bytes, target: bytes, expected: str) -> None:
    assert read_request("GET", target, [(b"Host", host)]).host == expected


@pytest.mark.parametrize(
    ("headers", "target"),
    [
        pytest.param([], b"/k", id="none"),
        pytest.param([(b"host", b"")], b"/k", id="empty"),
        pytest.param([(b"host", b"\xff")], b"/k", id="not-ascii"),
        pytest.param([(b"host", b"a"), (b"host", b"b")], b"/k", id="two"),
        pytest.param([(b"host", b"a")], b"http://evil.com/k", id="absolute-other"),
        pytest.param([(b"host", b"a:8080")], b"http://a/k", id="absolute-other-port"),
        pytest.param([], b"http://a/k", id="absolute-without-host"),
    ],
)
def test_a_request_without_exactly_one_host_is_refused(headers: list[tuple[bytes, bytes]], target: bytes) -> None:
    with pytest.raises(COSError) as caught:
        read_request("GET", target, headers)
    assert caught.value.status == 400


@pytest.mark.parametrize("name", [b"x-cos-request-id", b"x-cos-hash-crc64ecma"])
def test_fields_of_answers_sent_back_say_nothing_of_the_dialect(name: bytes) -> None:
    fields = [(b"host", b"gateway.test"), (name, b"1"), (b"x-amz-date", b"20260801T000000Z")]
    assert read_request("PUT", b"/b-1250000000/k", fields).dialect is Dialect.S3
