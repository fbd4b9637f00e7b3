"""What is fuzzed: each target reads bytes, may refuse them in one way, and must keep a promise about the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

from cos.address import Domains, Level, parse_address
from cos.byte_range import parse_byte_range
from cos.copy_source import parse_copy_source, render_copy_source
from cos.documents import read_delete_objects
from cos.errors import COSError
from cos.operations import find_operation
from cos.request import Dialect, read_request
from cos.signing import check_coverage, read_claim, verify
from cos.target import parse_query, parse_target, render_path, render_query, render_query_of
from cos.values import Region
from cos.xml import parse_error, parse_xml
from policies.loading import DocumentSource, load_policies
from policies.problems import PolicyErrors

DOMAINS = Domains(("gateway.test", "127.0.0.1"))
HOST = b"src-1250000000.cos.ap-guangzhou.myqcloud.com"
DOCUMENTS = Path(__file__).resolve().parents[2] / "config" / "policies"


class PromiseBroken(AssertionError):
    """An input was accepted that should not have been, or changed its meaning on the way."""


@dataclass(frozen=True, slots=True)
class Target:
    """`feed` returns whether the input was accepted; anything but `refusals` that it raises is a finding."""

    name: str
    feed: Callable[[bytes], bool]
    samples: Sequence[bytes]
    pieces: Sequence[bytes]


def _feed_copy_source(data: bytes) -> bool:
    accepted = False
    for dialect in Dialect:
        try:
            source = parse_copy_source(data, dialect=dialect, domains=DOMAINS)
        except COSError as error:
            if error.code != "InvalidCopySource":
                raise PromiseBroken(f"refused with {error.code}") from error
            continue
        accepted = True
        # Another reader's key must be the key that was judged: decoded once, after the split at `?`.
        raw_key = data.removeprefix(b"/").partition(b"/")[2].partition(b"?")[0]
        if unquote_to_bytes(raw_key) != source.key.encode():
            raise PromiseBroken(f"judged {source.key!r}, another reader sees {unquote_to_bytes(raw_key)!r}")
        rendered = render_copy_source(source, dialect=dialect, region=source.region or Region("ap-guangzhou"))
        again = parse_copy_source(rendered, dialect=dialect, domains=DOMAINS)
        if (again.bucket, again.key, again.version_id) != (source.bucket, source.key, source.version_id):
            raise PromiseBroken(f"{source} is rendered {rendered!r}, which is {again}")
    return accepted


def _feed_range(data: bytes) -> bool:
    text = data.decode("latin-1")
    try:
        byte_range = parse_byte_range(text)
    except COSError:
        return False
    if byte_range.text != text or not 0 <= byte_range.first <= byte_range.last:
        raise PromiseBroken(f"{text!r} is read as {byte_range}")
    return True


def _feed_authorization(data: bytes) -> bool:
    fields = [(b"Host", HOST), (b"Authorization", data)]
    if data.startswith(b"AWS4"):
        fields += [(b"x-amz-date", b"20260101T000000Z"), (b"x-amz-content-sha256", b"UNSIGNED-PAYLOAD")]
    try:
        request = read_request("GET", b"/key?acl", fields)
        claim = read_claim(request)
        check_coverage(request, claim, level=Level.OBJECT)
        verify(request, claim, "not the secret of any sample")
    except COSError as error:
        if error.status >= 500 and error.code != "NotImplemented":
            raise PromiseBroken(f"refused with {error.code}") from error
        return error.code == "SignatureDoesNotMatch"
    raise PromiseBroken("a signature was accepted that nobody made")


def _feed_query(data: bytes) -> bool:
    try:
        parameters = parse_query(data)
    except COSError:
        return False
    if parse_query(render_query(parameters)) != parameters:
        raise PromiseBroken(f"{parameters} change when rendered")
    return True


def _feed_target(data: bytes) -> bool:
    try:
        request = read_request("PUT", data, [(b"Host", HOST)])
        target = request.target
        if render_query_of(target) != render_query(target.query):
            raise PromiseBroken(f"{target.query!r} is rendered in two ways")
        if parse_target(render_path(target.path)).path != target.path:
            raise PromiseBroken(f"{target.path!r} changes when rendered")
        address = parse_address(request.host, target.path, DOMAINS)
        if address.key is not None and b"/" + address.key.encode() != target.path:
            raise PromiseBroken(f"judged {address.key!r} of {target.path!r}")
        find_operation(request, address.level)
    except COSError as error:
        if error.status >= 500 and error.code != "NotImplemented":
            raise PromiseBroken(f"refused with {error.code}") from error
        return False
    return True


def _feed_xml(data: bytes) -> bool:
    parse_error(data)
    try:
        parse_xml(data, max_bytes=65_536)
        read_delete_objects(data)
    except COSError:
        return False
    return True


def _feed_policy(data: bytes) -> bool:
    try:
        load_policies([DocumentSource("fuzzed.yaml", data.decode("utf-8", "replace"))])
    except PolicyErrors:
        return False
    return True


_Q = b"q-sign-algorithm=sha1&q-ak=AKIDx&q-sign-time=1;9999999999&q-key-time=1;9999999999&q-header-list=host"
_SMALL_POLICY = b"""version: 1
statements:
  - id: a
    effect: allow
    principals: ["team:a"]
    actions: ["cos:UploadPartCopy"]
    source: {bucket: raw-1250000000, key: "in/*", region: ap-guangzhou}
    destination: {bucket: media-1250000000, key: "*"}
    when: {same_region: true, range: {required: true, min: 1MiB, max: 1GiB}}
tests:
  - {name: t, request: {principal: "team:a", action: "cos:UploadPartCopy", source: "raw-1250000000/in/x@ap-guangzhou",
     destination: "media-1250000000/x@ap-guangzhou", range: bytes=0-1048575}, expect: allow}
"""

TARGETS = {
    target.name: target
    for target in (
        Target(
            "copy-source",
            _feed_copy_source,
            [
                HOST + b"/public/film.mov",
                HOST + b"/a%2Fb/../c?versionId=MTg0",
                b"/src-1250000000/a b/c",
                b"src-1250000000/k",
                b"src-1250000000.gateway.test:8080/%E4%B8%AD+x",
                b"src-1250000000.cos-internal.ap-beijing.tencentcos.cn//k",
            ],
            [
                HOST,
                b"/",
                b"?",
                b"?versionId=",
                b"%2F",
                b"%3F",
                b"%",
                b"#",
                b"..",
                b"%2e",
                b"&",
                b":",
                b"@",
                b"\xff",
                b"\r\n",
                b".gateway.test",
                b"%25",
                b"+",
                b"\xe4\xb8\xad",
                b"%00",
                b"accelerate",
            ],
        ),
        Target(
            "range",
            _feed_range,
            [b"bytes=0-1048575", b"bytes=10-100", b"bytes=0-5368709119"],
            [b"bytes", b"=", b"-", b"0", b"9" * 18, b",", b" ", b"_", b"+", b"\xb2", b"e", b"x"],
        ),
        Target(
            "authorization",
            _feed_authorization,
            [
                _Q + b"&q-url-param-list=acl&q-signature=" + b"a" * 40,
                b"AWS4-HMAC-SHA256 Credential=AKx/20260101/ap-guangzhou/s3/aws4_request, "
                b"SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
                b"Signature=" + b"a" * 64,
            ],
            [
                b"&",
                b"=",
                b";",
                b",",
                b"q-ak=",
                b"q-signature=",
                b"host",
                b"%",
                b"sha1",
                b"x-amz-date",
                b"\xff",
                b" ",
                b"/",
                b"Signature=",
                b"AWS4-HMAC-SHA256 ",
                b"99999999999999",
            ],
        ),
        Target(
            "query",
            _feed_query,
            [b"partNumber=1&uploadId=u1", b"acl", b"prefix=%E4%B8%AD+a%2F&delimiter=&encoding-type=url", b"uploads="],
            [
                b"&",
                b"=",
                b"%",
                b"+",
                b"%2B",
                b"%26",
                b"%3D",
                b"%00",
                b"%0a",
                b";",
                b"partNumber",
                b"uploadId",
                b"\xff",
                b"%ff",
            ],
        ),
        Target(
            "target",
            _feed_target,
            [
                b"/key?partNumber=1&uploadId=u1",
                b"/a//b/./c/../d%2Fe",
                b"http://" + HOST + b"/k?acl",
                b"/%E4%B8%AD?uploads",
            ],
            [
                b"/",
                b"?",
                b"%",
                b"%2F",
                b"%2e",
                b"..",
                b"http://",
                HOST,
                b"#",
                b"&",
                b"=",
                b"@",
                b"acl",
                b"versionId=",
                b" ",
                b"PartNumber=1",
                b"\xff",
                b"%00",
            ],
        ),
        Target(
            "xml",
            _feed_xml,
            [
                b"<Delete><Quiet>true</Quiet><Object><Key>up/a</Key><VersionId>1</VersionId></Object></Delete>",
                b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>NoSuchKey</Code><Message>m</Message></Error>',
            ],
            [
                b"<Object>",
                b"</Object>",
                b"<Key>",
                b"</Key>",
                b"&amp;",
                b"&#0;",
                b"&#x41;",
                b"<!DOCTYPE a>",
                b"<![CDATA[",
                b"]]>",
                b"<!--",
                b"-->",
                b"<?x?>",
                b"xmlns='u'",
                b"\xff\xfe",
                b"\x00",
                b"<",
                b">",
                b"'",
                b"<Delete>",
            ],
        ),
        Target(
            "policy",
            _feed_policy,
            [_SMALL_POLICY],
            [
                b"\n",
                b"  ",
                b"- ",
                b": ",
                b"[",
                b"]",
                b"{",
                b"}",
                b"*",
                b"&a ",
                b"*a",
                b"!!python/object:os.system",
                b'"',
                b"'",
                b"deny",
                b"when:",
                b"range: {",
                b"min: ",
                b"9" * 30,
                b"null",
                b"\t",
                b"<<: ",
                b"\xe2\x80\xa8",
                b"|",
                b"#",
                b"1e9",
            ],
        ),
    )
}
