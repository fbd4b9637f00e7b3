"""x-cos-copy-source and x-amz-copy-source."""

from __future__ import annotations

import pytest

from cos.address import Domains
from cos.copy_source import CopySource, parse_copy_source, render_copy_source
from cos.errors import COSError
from cos.request import Dialect
from cos.values import Bucket, ObjectKey, Region, VersionId

DOMAINS = Domains(("gw.example.com", "127.0.0.1"))
BUCKET = Bucket("sourcebucket-1250000000")
SHANGHAI = Region("ap-shanghai")
HOST = b"sourcebucket-1250000000.cos.ap-shanghai.myqcloud.com"


def parse_cos(raw: bytes) -> CopySource:
    return parse_copy_source(raw, dialect=Dialect.COS, domains=DOMAINS)


def parse_s3(raw: bytes) -> CopySource:
    return parse_copy_source(raw, dialect=Dialect.S3, domains=DOMAINS)


@pytest.mark.parametrize(
    ("raw_key", "key"),
    [
        pytest.param(b"exampleobject1", "exampleobject1", id="plain"),
        pytest.param(b"a%2Fb%2fc", "a/b/c", id="go-encodes-slashes"),
        pytest.param(b"a+b%2Bc", "a+b+c", id="plus-is-literal"),
        pytest.param(b"a%20b", "a b", id="space"),
        pytest.param(b"a b", "a b", id="raw-space"),
        pytest.param("目录/对象".encode(), "目录/对象", id="raw-utf-8"),
        pytest.param(b"%E7%9B%AE%E5%BD%95", "目录", id="encoded-utf-8"),
        pytest.param(b"k%2520x", "k%20x", id="decoded-once"),
        pytest.param(b"/a", "/a", id="leading-slash"),
        pytest.param(b"a//b", "a//b", id="double-slash"),
        pytest.param(b"public/../private", "public/../private", id="dot-segments"),
        pytest.param(b"a/.%2Fb", "a/./b", id="python-and-java-dot-slash"),
        pytest.param(b"what%3Fx=1", "what?x=1", id="encoded-question-mark"),
        pytest.param(b"a%23b", "a#b", id="encoded-hash"),
        pytest.param(b"a;b=c&d@e:f", "a;b=c&d@e:f", id="sub-delimiters"),
        pytest.param(b"%EF%BC%8E%EF%BC%8E/x", "．．/x", id="no-unicode-folding"),
        pytest.param(b"evil.com/k", "evil.com/k", id="host-like-key"),
    ],
)
@pytest.mark.parametrize(("raw_version", "version"), [(b"", None), (b"?versionId=MTg0", "MTg0")])
def test_key_is_split_off_then_decoded_once(
    raw_key: bytes, key: str, raw_version: bytes, version: VersionId | None
) -> None:
    expected = CopySource(BUCKET, ObjectKey(key), SHANGHAI, version)
    assert parse_cos(HOST + b"/" + raw_key + raw_version) == expected
    expected = CopySource(BUCKET, ObjectKey(key), None, version)
    assert parse_s3(b"/sourcebucket-1250000000/" + raw_key + raw_version) == expected
    assert parse_s3(b"sourcebucket-1250000000/" + raw_key + raw_version) == expected


@pytest.mark.parametrize(
    ("host", "region"),
    [
        pytest.param(b"sourcebucket-1250000000.cos.ap-shanghai.tencentcos.cn", SHANGHAI, id="tencentcos"),
        pytest.param(b"sourcebucket-1250000000.cos-internal.ap-shanghai.tencentcos.cn", SHANGHAI, id="internal"),
        pytest.param(b"SourceBucket-1250000000.COS.ap-shanghai.myqcloud.com", SHANGHAI, id="upper-case"),
        pytest.param(b"sourcebucket-1250000000.gw.example.com", None, id="gateway"),
        pytest.param(b"sourcebucket-1250000000.gw.example.com:8080", None, id="gateway-port"),
        pytest.param(b"sourcebucket-1250000000.127.0.0.1:8080", None, id="gateway-ip"),
        pytest.param(b"sourcebucket-1250000000.cos.ap-shanghai.gw.example.com", SHANGHAI, id="gateway-region"),
    ],
)
def test_every_spelling_of_the_source_host_gives_the_same_bucket(host: bytes, region: Region | None) -> None:
    assert parse_cos(host + b"/k") == CopySource(BUCKET, ObjectKey("k"), region)


@pytest.mark.parametrize("name", [b"versionId", b"versionid", b"VERSIONID", b"VersionId"])
def test_version_parameter_is_matched_in_any_case(name: bytes) -> None:
    assert parse_cos(HOST + b"/k?" + name + b"=null").version_id == "null"


@pytest.mark.parametrize(
    ("raw", "version"), [(b"a+b", "a+b"), (b"MTg%3D", "MTg="), (b"MTg=", "MTg="), (b"a%26acl", "a&acl")]
)
def test_version_is_decoded_once_and_plus_is_literal(raw: bytes, version: str) -> None:
    assert parse_cos(HOST + b"/k?versionId=" + raw).version_id == version


REFUSED_AFTER_THE_HOST = [
    pytest.param(b"", id="no-slash"),
    pytest.param(b"/", id="no-key"),
    pytest.param(b"/?versionId=a", id="version-without-key"),
    pytest.param(b"/k?", id="empty-query"),
    pytest.param(b"/k?versionId", id="version-without-value"),
    pytest.param(b"/k?versionId=", id="empty-version"),
    pytest.param(b"/k?acl", id="other-parameter"),
    pytest.param(b"/k?versionId=a&acl", id="extra-parameter"),
    pytest.param(b"/k?acl&versionId=a", id="extra-parameter-first"),
    pytest.param(b"/k?versionId=a&", id="trailing-ampersand"),
    pytest.param(b"/k?versionId=a&versionId=b", id="two-versions"),
    pytest.param(b"/k?versionId=a?versionId=b", id="two-question-marks"),
    pytest.param(b"/k?version%49d=a", id="encoded-name"),
    pytest.param(b"/k?versionId=a%20b", id="space-in-version"),
    pytest.param(b"/k?versionId=%E7%9B%AE", id="version-not-ascii"),
    pytest.param(b"/k?versionId=%zz", id="bad-escape-in-version"),
    pytest.param(b"/k?versionId=" + b"v" * 1025, id="version-too-long"),
    pytest.param(b"/k%3FversionId=old", id="encoded-version-trick"),
    pytest.param(b"/k%3fVERSIONID=old", id="encoded-version-trick-any-case"),
    pytest.param(b"/k%3F%76ersionId%3Dold", id="wholly-encoded-version-trick"),
    pytest.param(b"/k%3FversionId=a?versionId=b", id="encoded-and-raw-version"),
    pytest.param(b"/k#fragment", id="raw-hash"),
    pytest.param(b"/k?versionId=a#b", id="raw-hash-in-version"),
    pytest.param(b"/%zz", id="bad-escape"),
    pytest.param(b"/k%", id="lone-percent"),
    pytest.param(b"/k%4", id="half-escape"),
    pytest.param(b"/k%0d%0ax-cos-acl:%20public-read", id="encoded-crlf"),
    pytest.param(b"/k%00", id="encoded-nul"),
    pytest.param(b"/k\x00", id="raw-nul"),
    pytest.param(b"/k\tx", id="raw-tab"),
    pytest.param(b"/k\x7f", id="raw-delete"),
    pytest.param(b"/k ", id="trailing-space"),
    pytest.param(b"/%ED%A0%80", id="surrogate"),
    pytest.param(b"/%C0%AE", id="overlong"),
    pytest.param(b"/\xff", id="raw-not-utf-8"),
    pytest.param(b"/" + b"k" * 1025, id="key-too-long"),
    pytest.param(b"/" + b"k" * 9000, id="header-too-long"),
]


@pytest.mark.parametrize("rest", REFUSED_AFTER_THE_HOST)
def test_what_follows_the_source_host_must_have_one_meaning(rest: bytes) -> None:
    with pytest.raises(COSError) as caught:
        parse_cos(HOST + rest)
    assert (caught.value.code, caught.value.status) == ("InvalidCopySource", 400)


@pytest.mark.parametrize("rest", REFUSED_AFTER_THE_HOST)
def test_what_follows_the_source_bucket_must_have_one_meaning(rest: bytes) -> None:
    with pytest.raises(COSError) as caught:
        parse_s3(b"sourcebucket-1250000000" + rest)
    assert caught.value.code == "InvalidCopySource"


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"/", id="slash"),
        pytest.param(b"?versionId=a", id="only-version"),
        pytest.param(b"/sourcebucket-1250000000/k", id="s3-form"),
        pytest.param(b"sourcebucket-1250000000/k", id="s3-form-without-slash"),
        pytest.param(b"http://" + HOST + b"/k", id="http"),
        pytest.param(b"https://" + HOST + b"/k", id="https"),
        pytest.param(b"//" + HOST + b"/k", id="network-path"),
        pytest.param(b"\\\\" + HOST + b"/k", id="backslashes"),
        pytest.param(b" " + HOST + b"/k", id="leading-space"),
        pytest.param(HOST + b"./k", id="trailing-dot"),
        pytest.param(HOST + b":443/k", id="port-on-the-cos-host"),
        pytest.param(HOST + b"%2Fk", id="encoded-first-slash"),
        pytest.param(HOST + b"\t/k", id="tab-in-host"),
        pytest.param(HOST + b".evil.com/k", id="look-alike"),
        pytest.param(b"user@" + HOST + b"/k", id="user"),
        pytest.param(b"evil.com/" + HOST + b"/k", id="evil-first"),
        pytest.param(b"secret-1250000000.cos.ap-guangzhou/../../x.myqcloud.com/k", id="region-traversal"),
        pytest.param(b"sourcebucket-1250000000.cos.accelerate.myqcloud.com/k", id="accelerate"),
        pytest.param(b"sourcebucket-1250000000.cn-east.myqcloud.com/k", id="old-region"),
        pytest.param(b"sourcebucket-1250000000.cos-website.ap-shanghai.myqcloud.com/k", id="website"),
        pytest.param(b"sourcebucket.cos.ap-shanghai.myqcloud.com/k", id="no-appid"),
        pytest.param(b"%73ourcebucket-1250000000.cos.ap-shanghai.myqcloud.com/k", id="percent-in-host"),
        pytest.param("ｓ-1250000000.cos.ap-shanghai.myqcloud.com/k".encode(), id="full-width-host"),
        pytest.param(b"service.cos.myqcloud.com/k", id="service-host"),
        pytest.param(b"cos.ap-shanghai.myqcloud.com/k", id="regional-service-host"),
        pytest.param(b"gw.example.com:8080/k", id="endpoint-without-bucket"),
        pytest.param(b"gw.example.com:8080/sourcebucket-1250000000/k", id="path-style"),
        pytest.param(b"gw.example.com:0/k", id="port-zero"),
        pytest.param(b"sourcebucket-1250000000.gw.example.com:/k", id="empty-port"),
        pytest.param(b"127.0.0.1/k", id="listed-ip-without-bucket"),
        pytest.param(b"169.254.169.254/latest/meta-data", id="metadata-address"),
        pytest.param(b"[::1]/k", id="ipv6"),
        pytest.param(b"localhost/k", id="localhost"),
    ],
)
def test_cos_sources_that_name_no_bucket_of_ours_are_refused(raw: bytes) -> None:
    with pytest.raises(COSError) as caught:
        parse_cos(raw)
    assert caught.value.code == "InvalidCopySource"


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"/", id="slash"),
        pytest.param(b"//sourcebucket-1250000000/k", id="two-slashes"),
        pytest.param(b"sourcebucket-1250000000", id="bucket-only"),
        pytest.param(b"sourcebucket-1250000000%2Fk", id="encoded-separator"),
        pytest.param(b"sourcebucket/k", id="no-appid"),
        pytest.param(b"SOURCEBUCKET-1250000000/k", id="upper-case"),
        pytest.param(HOST + b"/k", id="cos-form"),
        pytest.param(b"../sourcebucket-1250000000/k", id="dot-segment"),
        pytest.param(b"arn:aws:s3:ap-shanghai:1:accesspoint/a/object/k", id="arn"),
        pytest.param(b"http://sourcebucket-1250000000/k", id="scheme"),
        pytest.param("源-1250000000/k".encode(), id="not-ascii"),
    ],
)
def test_s3_sources_that_name_no_bucket_are_refused(raw: bytes) -> None:
    with pytest.raises(COSError) as caught:
        parse_s3(raw)
    assert caught.value.code == "InvalidCopySource"


@pytest.mark.parametrize(
    ("source", "dialect", "rendered"),
    [
        pytest.param(
            CopySource(BUCKET, ObjectKey("目录/a b+c")),
            Dialect.COS,
            HOST + b"/%E7%9B%AE%E5%BD%95/a%20b%2Bc",
            id="cos",
        ),
        pytest.param(
            CopySource(BUCKET, ObjectKey("k"), None, VersionId("MTg=")),
            Dialect.COS,
            HOST + b"/k?versionId=MTg%3D",
            id="version",
        ),
        pytest.param(CopySource(BUCKET, ObjectKey("/a/./b?c")), Dialect.COS, HOST + b"//a/.%2Fb%3Fc", id="odd-key"),
        pytest.param(
            CopySource(BUCKET, ObjectKey("a/b"), None, VersionId("v")),
            Dialect.S3,
            b"/sourcebucket-1250000000/a/b?versionId=v",
            id="s3",
        ),
    ],
)
def test_rendered_source_names_the_real_host(source: CopySource, dialect: Dialect, rendered: bytes) -> None:
    assert render_copy_source(source, dialect=dialect, region=SHANGHAI) == rendered


def test_the_region_rendered_is_the_registrys_not_the_callers() -> None:
    source = parse_cos(HOST + b"/k")
    rendered = render_copy_source(source, dialect=Dialect.COS, region=Region("ap-guangzhou"))
    assert rendered == b"sourcebucket-1250000000.cos.ap-guangzhou.myqcloud.com/k"
