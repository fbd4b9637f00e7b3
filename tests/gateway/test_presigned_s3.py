"""Presigned S3 URLs that carry headers in their query, as AWS's JavaScript SDK makes them."""

from __future__ import annotations

import time

import pytest

from cos.rewrite import UpstreamRequest
from cos.signing import Scheme, presign
from cos.target import Parameter, render_path, render_query
from tests.support.expect import assert_error, assert_success
from tests.support.http1 import Response, exchange, render_request
from tests.support.names import ABSENT, CALLER_KEY, EXAMPLE, SOURCE, Bucket
from tests.support.site import Site, fresh_key
from tests.support.watch import Watch


async def put(site: Site, key: str, query: list[tuple[str, str]], *, added: str = "", body: bytes = b"") -> Response:
    """PUT with a presigned URL; `added` is put behind the signed query."""
    path = b"/" + key.encode()
    parameters = tuple(Parameter(name, value) for name, value in query)
    request = UpstreamRequest.of(
        method="PUT",
        host=EXAMPLE.host,
        path=path,
        query=parameters,
        target=render_path(path) + b"?" + render_query(parameters),
        headers=(),
    )
    signed = presign(
        request,
        scheme=Scheme.SIGV4,
        secret_id=CALLER_KEY.secret_id,
        secret_key=CALLER_KEY.secret_key,
        token=None,
        now=int(time.time()),
        lifetime_seconds=60,
        region=EXAMPLE.region,
    )
    fields = [("host", EXAMPLE.host), ("content-length", str(len(body))), ("connection", "close")]
    return await exchange(site.port, render_request("PUT", signed.target.decode() + added, fields, body))


async def test_metadata_in_the_query_is_metadata(gateway_site: Site) -> None:
    key = fresh_key()
    assert_success(await put(gateway_site, key, [("x-amz-meta-a", "1"), ("x-id", "PutObject")], body=b"x"))
    assert (await gateway_site.head(EXAMPLE, key)).header("x-cos-meta-a") == "1"


async def test_a_copy_source_in_the_query_is_a_copy(gateway_site: Site) -> None:
    source, key = await gateway_site.seed(SOURCE, b"content"), fresh_key()
    upstream = Watch(gateway_site)
    assert_success(await put(gateway_site, key, [("x-amz-copy-source", f"/{SOURCE.name}/{source}")]))
    assert [entry.operation for entry in upstream.new()] == ["PutObjectCopy"]
    assert (await gateway_site.get(EXAMPLE, key)).body == b"content"


@pytest.mark.parametrize("bucket", [ABSENT], ids=["absent"])
async def test_a_copy_source_in_the_query_is_judged_like_any_other(gateway_site: Site, bucket: Bucket) -> None:
    upstream = Watch(gateway_site)
    answer = await put(gateway_site, fresh_key(), [("x-amz-copy-source", f"/{bucket.name}/k")])
    assert_error(answer, 403, "AccessDenied")
    assert upstream.new() == []


async def test_a_header_added_to_the_query_breaks_the_signature(gateway_site: Site) -> None:
    upstream = Watch(gateway_site)
    answer = await put(gateway_site, fresh_key(), [], added="&x-amz-acl=public-read", body=b"x")
    assert_error(answer, 403, "SignatureDoesNotMatch")
    assert upstream.new() == []


async def test_a_checksum_in_the_query_is_held_to(gateway_site: Site) -> None:
    key = fresh_key()
    answer = await put(gateway_site, key, [("x-amz-checksum-crc32", "AAAAAA==")], body=b"x")
    assert_error(answer, 400, "BadDigest")
    assert (await gateway_site.head(EXAMPLE, key)).status == 404
