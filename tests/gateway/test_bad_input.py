"""Input that lies, in both dialects: refused with an error of its own, nothing sent or nothing stored.

What a body promises (chunk signatures, trailers, hashes, lengths) is in `test_payload_integrity`, forms in
`test_form_upload`; here is what is left, and that a refusal looks alike to clients of either dialect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest

from cos.documents import MAX_DOCUMENT_BYTES
from cos.signing import Scheme
from tests.support.client import HeaderField, target
from tests.support.expect import assert_error, assert_success
from tests.support.http1 import Response, exchange
from tests.support.names import EXAMPLE, SERVER_KEY, SOURCE
from tests.support.site import Site, fresh_key
from tests.support.waiting import PATIENCE_SECONDS
from tests.support.watch import Watch

SCHEMES = {Scheme.SIGV4: "x-amz-", Scheme.Q_SIGN: "x-cos-"}
FOREIGN = {Scheme.SIGV4: "x-cos-", Scheme.Q_SIGN: "x-amz-"}


@pytest.fixture(params=SCHEMES, ids=["s3", "cos"])
def site(gateway_site: Site, request: pytest.FixtureRequest) -> Site:
    return replace(gateway_site, client=replace(gateway_site.client, scheme=request.param))


DOCUMENTS: Mapping[str, tuple[str, str, Mapping[str, str], bytes]] = {
    "delete": ("POST", "", {"delete": ""}, b"<Delete><Object><Key>k</Key></Object></Delete>"),
    "complete": (
        "POST",
        "k",
        {"uploadId": "u"},
        b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>e</ETag></Part></CompleteMultipartUpload>",
    ),
    "cors": ("PUT", "", {"cors": ""}, b"<CORSConfiguration/>"),
    "tagging": ("PUT", "k", {"tagging": ""}, b"<Tagging><TagSet/></Tagging>"),
    "bucket": ("PUT", "", {}, b"<CreateBucketConfiguration/>"),
}


@pytest.mark.parametrize("framing", ["declared", "chunked"])
@pytest.mark.parametrize(("method", "key", "query", "document"), DOCUMENTS.values(), ids=DOCUMENTS)
async def test_a_document_that_is_too_large_is_refused_unsent(
    site: Site, method: str, key: str, query: Mapping[str, str], document: bytes, framing: str
) -> None:
    body = document + b" " * (MAX_DOCUMENT_BYTES + 1 - len(document))
    headers: list[HeaderField] = []
    if framing == "chunked":
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        headers.append(("transfer-encoding", "chunked"))
    upstream = Watch(site)
    answer = await site.call(method, EXAMPLE, key, query, headers, body)
    assert_error(answer, 400, "XMLSizeLimit")
    assert answer.header("x-amz-request-id") == answer.text("RequestId")
    assert upstream.new() == []


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"no document",
        b"<Delete><Object><Key>k</Key></Object>",
        b"<!DOCTYPE d [<!ENTITY e 'k'>]><Delete><Object><Key>&e;</Key></Object></Delete>",
        b"<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>",
        b"<Delete/>",
        b"<Other><Object><Key>k</Key></Object></Other>",
        "<Delete><Object><Key>k</Key></Object></Delete>".encode("utf-16"),
    ],
    ids=["nothing", "text", "cut", "entity", "two keys", "no object", "another root", "utf-16"],
)
async def test_a_batch_that_is_none_is_refused_unsent(site: Site, document: bytes) -> None:
    upstream = Watch(site)
    assert_error(await site.call("POST", EXAMPLE, "", {"delete": ""}, body=document), 400, "MalformedXML")
    assert upstream.new() == []


@pytest.mark.parametrize("control", ["meta-a", "acl", "storage-class", "copy-source", "security-token", "tagging"])
async def test_control_headers_of_the_other_dialect_are_refused(site: Site, control: str) -> None:
    upstream = Watch(site)
    fields: list[HeaderField] = [(f"{FOREIGN[site.client.scheme]}{control}", "private")]
    assert_error(await site.put(EXAMPLE, fresh_key(), b"x", fields), 400, "InvalidRequest")
    assert upstream.new() == []


async def test_an_empty_content_md5_is_a_digest_to_s3_alone(site: Site) -> None:
    upstream = Watch(site)
    answer = await site.put(EXAMPLE, fresh_key(), b"x", [("content-md5", "")])
    if site.client.scheme is Scheme.SIGV4:
        assert_error(answer, 400, "InvalidDigest")
        assert upstream.new() == []
    else:
        assert_success(answer)


@pytest.mark.parametrize(
    "name", ["cache-control", "content-type", "content-disposition", "expires", "content-encoding"]
)
async def test_an_empty_header_says_nothing(site: Site, name: str) -> None:
    key = fresh_key()
    assert_success(await site.put(EXAMPLE, key, b"x", [(name, "")]))
    head = await site.head(EXAMPLE, key)
    assert head.status == 200
    assert head.header(name) in (None, "application/octet-stream")


@pytest.mark.parametrize(
    ("key", "headers", "status"),
    [
        ("absent", [], 404),
        (None, [("if-match", '"other"')], 412),
        (None, [("if-none-match", "*")], 304),
        (None, [("range", "bytes=9-")], 416),
        ("k" * 1025, [], 400),
    ],
    ids=["404", "412", "304", "416", "400"],
)
async def test_an_answer_to_head_has_no_body(
    site: Site, key: str | None, headers: list[HeaderField], status: int
) -> None:
    key = key or await site.seed(EXAMPLE, b"123456789")
    raw = site.client.render("HEAD", EXAMPLE.host, target(key), headers=headers)
    # Read as if it were no HEAD: whatever follows the head would be seen.
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    try:
        writer.write(raw)
        head, _, body = (await asyncio.wait_for(reader.read(), PATIENCE_SECONDS)).partition(b"\r\n\r\n")
    finally:
        writer.close()
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert body == b""
    assert b"x-cos-request-id: " in head


@pytest.mark.parametrize("declared", ["x", "-1", "+1", "1,1", "1 1", "99999999999999999999"])
async def test_a_length_that_is_no_length_is_refused(site: Site, declared: str) -> None:
    key, upstream = fresh_key(), Watch(site)
    raw = site.client.render("PUT", EXAMPLE.host, target(key), body=b"x", framed=False)
    raw = raw.replace(b"\r\n\r\n", f"\r\ncontent-length: {declared}\r\n\r\n".encode(), 1)
    answer = await exchange(site.port, raw)
    assert answer.status == 400, answer
    assert upstream.new() == []


async def test_a_body_shorter_than_declared_stores_nothing(site: Site) -> None:
    key = fresh_key()
    raw = site.client.render("PUT", EXAMPLE.host, target(key), headers=[("content-length", "1000")], body=b"")
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(raw + b"only this")
    await writer.drain()
    writer.write_eof()
    await asyncio.wait_for(reader.read(), PATIENCE_SECONDS)
    writer.close()
    assert (await site.head(EXAMPLE, key)).status == 404


@pytest.mark.parametrize(
    "source",
    ["", "/", "nothing", "../etc/passwd", "http://example.com/k", "127.0.0.1:80/k", f"{SOURCE.name}/%zz"],
)
async def test_a_copy_source_that_names_nothing_is_refused_unsent(site: Site, source: str) -> None:
    upstream = Watch(site)
    field: HeaderField = (f"{SCHEMES[site.client.scheme]}copy-source", source)
    answer: Response = await site.put(EXAMPLE, fresh_key(), b"", [field])
    assert answer.status in (400, 403), answer
    assert_error(answer, answer.status, "InvalidCopySource", "AccessDenied", "InvalidURI")
    assert upstream.new() == []


async def test_the_key_upstream_was_never_the_callers(site: Site) -> None:
    upstream = Watch(site)
    assert_success(await site.put(EXAMPLE, fresh_key(), b"x"))
    assert {entry.access_key_id for entry in upstream.new()} == {SERVER_KEY.secret_id}
