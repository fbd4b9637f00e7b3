"""Host and path ⇄ service, bucket, object."""

from __future__ import annotations

import pytest

from cos.address import Address, AddressStyle, Domains, Level, cos_host, parse_address, parse_host, service_host
from cos.errors import COSError
from cos.values import Bucket, ObjectKey, Region

BUCKET = Bucket("examplebucket-1250000000")
SHANGHAI = Region("ap-shanghai")
DOMAINS = Domains(("gw.example.com", "cos.internal.example.com", "127.0.0.1", "localhost", "[::1]"))


@pytest.mark.parametrize(
    ("host", "region", "style"),
    [
        pytest.param("{b}.cos.ap-shanghai.myqcloud.com", SHANGHAI, AddressStyle.COS, id="cos"),
        pytest.param("{b}.cos.ap-shanghai.myqcloud.com:443", SHANGHAI, AddressStyle.COS, id="cos-port"),
        pytest.param("{b}.cos.ap-shanghai.tencentcos.cn", SHANGHAI, AddressStyle.COS, id="tencentcos"),
        pytest.param(
            "{b}.cos-internal.ap-shanghai.tencentcos.cn", SHANGHAI, AddressStyle.COS, id="internal-tencentcos"
        ),
        pytest.param("{b}.cos-internal.ap-shanghai.myqcloud.com", SHANGHAI, AddressStyle.COS, id="internal-myqcloud"),
        pytest.param("{b}.COS.AP-Shanghai.MyQCloud.com", SHANGHAI, AddressStyle.COS, id="upper-case"),
        pytest.param("{b}.gw.example.com", None, AddressStyle.GATEWAY, id="gateway"),
        pytest.param("{b}.gw.example.com:8080", None, AddressStyle.GATEWAY, id="gateway-port"),
        pytest.param("{b}.gw.example.com:1", None, AddressStyle.GATEWAY, id="lowest-port"),
        pytest.param("{b}.gw.example.com:65535", None, AddressStyle.GATEWAY, id="highest-port"),
        pytest.param("{b}.cos.ap-shanghai.gw.example.com", SHANGHAI, AddressStyle.GATEWAY, id="gateway-region"),
        pytest.param("{b}.cos.internal.example.com", None, AddressStyle.GATEWAY, id="domain-that-begins-with-cos"),
        pytest.param("{b}.127.0.0.1:8080", None, AddressStyle.GATEWAY, id="under-a-listed-ip"),
    ],
)
def test_every_spelling_of_a_bucket_host_gives_the_same_bucket(
    host: str, region: Region | None, style: AddressStyle
) -> None:
    address = parse_address(host.format(b=BUCKET), b"/a/b", DOMAINS)
    assert address == Address(Level.OBJECT, BUCKET, ObjectKey("a/b"), region, style)


@pytest.mark.parametrize(
    ("host", "region", "style"),
    [
        pytest.param("service.cos.myqcloud.com", None, AddressStyle.COS, id="service"),
        pytest.param("service.cos.tencentcos.cn", None, AddressStyle.COS, id="service-tencentcos"),
        pytest.param("cos.ap-shanghai.myqcloud.com", SHANGHAI, AddressStyle.COS, id="region"),
        pytest.param("service.cos.gw.example.com:80", None, AddressStyle.GATEWAY, id="service-gateway"),
        pytest.param("cos.ap-shanghai.gw.example.com", SHANGHAI, AddressStyle.GATEWAY, id="region-gateway"),
        pytest.param("gw.example.com", None, AddressStyle.PATH, id="bare-domain"),
        pytest.param("[::1]:8080", None, AddressStyle.PATH, id="bare-ipv6"),
    ],
)
def test_service_hosts_address_the_service(host: str, region: Region | None, style: AddressStyle) -> None:
    assert parse_address(host, b"/", DOMAINS) == Address(Level.SERVICE, None, None, region, style)


@pytest.mark.parametrize(
    ("path", "level", "key"),
    [
        pytest.param(b"/examplebucket-1250000000", Level.BUCKET, None, id="bucket"),
        pytest.param(b"/examplebucket-1250000000/", Level.BUCKET, None, id="bucket-slash"),
        pytest.param(b"/examplebucket-1250000000/k", Level.OBJECT, "k", id="object"),
        pytest.param(b"/examplebucket-1250000000//k", Level.OBJECT, "/k", id="key-with-leading-slash"),
        pytest.param(b"/examplebucket-1250000000/../x", Level.OBJECT, "../x", id="dot-segments-are-key-bytes"),
    ],
)
@pytest.mark.parametrize("host", ["gw.example.com", "127.0.0.1:8080", "localhost:1", "[::1]"])
def test_bare_domain_names_the_bucket_in_the_path(host: str, path: bytes, level: Level, key: str | None) -> None:
    address = parse_address(host, path, DOMAINS)
    assert (address.level, address.bucket, address.key, address.style) == (level, BUCKET, key, AddressStyle.PATH)


@pytest.mark.parametrize(
    ("path", "key"),
    [
        pytest.param(b"//a", "/a", id="leading-slash"),
        pytest.param(b"/a//b", "a//b", id="double-slash"),
        pytest.param(b"/./a/../b/.", "./a/../b/.", id="dot-segments"),
        pytest.param("/目录/对象".encode(), "目录/对象", id="utf-8"),
        pytest.param(b"/%41", "%41", id="not-decoded-twice"),
        pytest.param(b"/" + b"k" * 1024, "k" * 1024, id="longest"),
    ],
)
def test_key_is_the_path_without_its_first_slash(path: bytes, key: str) -> None:
    assert parse_address(f"{BUCKET}.gw.example.com", path, DOMAINS).key == key


def test_bucket_host_with_root_path_is_the_bucket() -> None:
    address = parse_address(cos_host(BUCKET, SHANGHAI), b"/", Domains())
    assert address == Address(Level.BUCKET, BUCKET, None, SHANGHAI, AddressStyle.COS)


def test_longest_gateway_domain_wins() -> None:
    domains = Domains(("example.com", "cos.ap-shanghai.example.com"))
    host = parse_host(f"{BUCKET}.cos.ap-shanghai.example.com", domains)
    assert (host.bucket, host.region) == (BUCKET, None)


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("", id="empty"),
        pytest.param("evil.com", id="foreign"),
        pytest.param("{b}.evil.com", id="foreign-with-bucket"),
        pytest.param("{b}.cos.ap-shanghai.myqcloud.com.evil.com", id="look-alike-suffix"),
        pytest.param("{b}.cos.ap-shanghai.evilmyqcloud.com", id="look-alike-domain"),
        pytest.param("{b}.evilgw.example.com", id="look-alike-gateway"),
        pytest.param("{b}.cos.ap-shanghai.myqcloud.com.", id="trailing-dot"),
        pytest.param(".cos.ap-shanghai.myqcloud.com", id="empty-first-label"),
        pytest.param("{b}..cos.ap-shanghai.myqcloud.com", id="empty-label"),
        pytest.param("user@{b}.cos.ap-shanghai.myqcloud.com", id="user"),
        pytest.param("evil.com@{b}.cos.ap-shanghai.myqcloud.com", id="user-look-alike"),
        pytest.param("{b}.cos.ap-shanghai.myqcloud.com/../x", id="path"),
        pytest.param("{b}%2ecos.ap-shanghai.myqcloud.com", id="percent"),
        pytest.param("{b}.cos.ap-shanghai.myqcloud.com\t", id="tab"),
        pytest.param("{b}.cos.ap-shanghai.myqcloud.com\n", id="line-feed"),
        pytest.param(" {b}.cos.ap-shanghai.myqcloud.com", id="space"),
        pytest.param("{b}.cos.ap-shanghai.myqcloud.com\\evil.com", id="backslash"),
        pytest.param("{b}.cos.ap-shanghai.myqcloud.com:", id="empty-port"),
        pytest.param("{b}.cos.ap-shanghai.myqcloud.com:0", id="port-zero"),
        pytest.param("{b}.cos.ap-shanghai.myqcloud.com:65536", id="port-too-high"),
        pytest.param("{b}.cos.ap-shanghai.myqcloud.com:8o", id="port-letters"),
        pytest.param("{b}.cos.ap-shanghai.myqcloud.com:80:80", id="two-ports"),
        pytest.param("{b}.cos.ap-shanghai.myqcloud.com:８０", id="full-width-port"),
        pytest.param("{b}.cos.ap-shanghai.myq\u212aloud.com", id="kelvin-sign"),
        pytest.param("{b}.cos.accelerate.myqcloud.com", id="accelerate"),
        pytest.param("{b}.cos-internal.accelerate.tencentcos.cn", id="internal-accelerate"),
        pytest.param("cos.accelerate.myqcloud.com", id="accelerate-service"),
        pytest.param("{b}.cos-website.ap-shanghai.myqcloud.com", id="website"),
        pytest.param("{b}.ci.ap-shanghai.myqcloud.com", id="ci"),
        pytest.param("{b}.file.myqcloud.com", id="cdn"),
        pytest.param("{b}.cn-south.myqcloud.com", id="old-region"),
        pytest.param("{b}.cosv6.ap-shanghai.myqcloud.com", id="cosv6"),
        pytest.param("{b}.cos.ap_shanghai.myqcloud.com", id="underscore"),
        pytest.param("{b}.cos.9.myqcloud.com", id="region-digit"),
        pytest.param("a.{b}.cos.ap-shanghai.myqcloud.com", id="label-too-many"),
        pytest.param("cos-internal.ap-shanghai.myqcloud.com", id="internal-service"),
        pytest.param("service.cos-internal.myqcloud.com", id="internal-service-host"),
        pytest.param("myqcloud.com", id="bare-cos-domain"),
        pytest.param("10.0.0.1", id="ip-not-listed"),
        pytest.param("[::2]", id="ipv6-not-listed"),
        pytest.param("::1", id="ipv6-without-brackets"),
        pytest.param("{b}.[::1]", id="bucket-under-ipv6"),
        pytest.param("169.254.169.254:80", id="metadata-address"),
        pytest.param("{b}.cos-internal.ap-shanghai.gw.example.com", id="internal-under-gateway"),
        pytest.param("a.b.c.d.gw.example.com", id="too-deep-under-gateway"),
        pytest.param("a" * 64 + ".gw.example.com", id="label-of-64"),
        pytest.param("a." * 130 + "gw.example.com", id="name-of-274"),
    ],
)
def test_other_hosts_are_refused(host: str) -> None:
    with pytest.raises(COSError) as caught:
        parse_address(host.format(b=BUCKET), b"/k", DOMAINS)
    assert (caught.value.code, caught.value.status) == ("InvalidURI", 400)


@pytest.mark.parametrize(
    ("host", "path", "code"),
    [
        pytest.param("examplebucket.cos.ap-shanghai.myqcloud.com", b"/k", "InvalidBucketName", id="no-appid"),
        pytest.param("-1250000000.gw.example.com", b"/k", "InvalidBucketName", id="no-name"),
        pytest.param("gw.example.com", b"/noappid/k", "InvalidBucketName", id="path-no-appid"),
        pytest.param("gw.example.com", b"/EXAMPLE-1250000000/k", "InvalidBucketName", id="path-upper-case"),
        pytest.param("gw.example.com", b"//examplebucket-1250000000/k", "InvalidBucketName", id="path-empty-bucket"),
        pytest.param("gw.example.com", b"/\xff-1250000000/k", "InvalidBucketName", id="path-not-ascii"),
        pytest.param("service.cos.myqcloud.com", b"/k", "InvalidURI", id="path-on-the-service"),
        pytest.param("examplebucket-1250000000.gw.example.com", b"", "InvalidURI", id="no-path"),
        pytest.param("examplebucket-1250000000.gw.example.com", b"k", "InvalidURI", id="path-without-slash"),
        pytest.param("examplebucket-1250000000.gw.example.com", b"/a\x00b", "InvalidURI", id="nul"),
        pytest.param("examplebucket-1250000000.gw.example.com", b"/a\nb", "InvalidURI", id="line-feed"),
        pytest.param("examplebucket-1250000000.gw.example.com", b"/\xed\xa0\x80", "InvalidURI", id="surrogate"),
        pytest.param("examplebucket-1250000000.gw.example.com", b"/" + b"k" * 1025, "KeyTooLong", id="key-too-long"),
    ],
)
def test_bad_buckets_paths_and_keys_are_refused(host: str, path: bytes, code: str) -> None:
    with pytest.raises(COSError) as caught:
        parse_address(host, path, DOMAINS)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "domain", ["", "Example.com", "example.com:80", "example.com.", ".example.com", "a b", "http://a", "::1", "a/b"]
)
def test_a_mistyped_gateway_domain_is_refused(domain: str) -> None:
    with pytest.raises(ValueError, match="gateway domain"):
        Domains((domain,))


def test_no_gateway_domain_is_served_unless_listed() -> None:
    with pytest.raises(COSError):
        parse_address("127.0.0.1", b"/", Domains())


def test_rendered_hosts() -> None:
    assert cos_host(BUCKET, SHANGHAI) == "examplebucket-1250000000.cos.ap-shanghai.myqcloud.com"
    assert service_host(SHANGHAI) == "cos.ap-shanghai.myqcloud.com"
    assert service_host(None) == "service.cos.myqcloud.com"
