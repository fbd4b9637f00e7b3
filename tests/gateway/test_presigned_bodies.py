"""What a body may promise when its upload was presigned: plain bytes or their hash, and no chunks.

A presigned URL is made before its body, so a chain of chunk signatures cannot begin with it: AWS signs such URLs with
UNSIGNED-PAYLOAD. Whoever sends chunks all the same is told, in either dialect, and nothing is stored.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Sequence

import pytest

from cos.rewrite import UpstreamRequest
from cos.signing import Scheme, presign
from cos.target import Parameter, render_path, render_query
from tests.support.aws_chunked import encode
from tests.support.expect import assert_error, assert_success
from tests.support.http1 import Response, exchange, render_request
from tests.support.names import CALLER_KEY, EXAMPLE
from tests.support.site import Site, fresh_key
from tests.support.watch import Watch

CONTENT = b"content of an upload"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
CHUNKED = encode(CONTENT)
Fields = Sequence[tuple[str, str]]


async def put(
    site: Site,
    key: str,
    body: bytes,
    *,
    scheme: Scheme = Scheme.SIGV4,
    signed: Fields = (),
    parameters: Fields = (),
    added: Fields = (),
) -> Response:
    """PUT with a presigned URL: `signed` headers and `parameters` are in its signature, `added` headers are not."""
    path = render_path(b"/" + key.encode())
    query = tuple(Parameter(name, value) for name, value in parameters)
    made = presign(
        UpstreamRequest.of(
            method="PUT",
            host=EXAMPLE.host,
            path=b"/" + key.encode(),
            query=query,
            target=path + b"?" + render_query(query) if query else path,
            headers=tuple((name.encode(), value.encode()) for name, value in signed),
        ),
        scheme=scheme,
        secret_id=CALLER_KEY.secret_id,
        secret_key=CALLER_KEY.secret_key,
        token=None,
        now=int(time.time()),
        lifetime_seconds=60,
        region=EXAMPLE.region,
    )
    fields = [("host", EXAMPLE.host), *signed, *added, ("content-length", str(len(body))), ("connection", "close")]
    return await exchange(site.port, render_request("PUT", made.target, fields, body))


@pytest.mark.parametrize("scheme", [Scheme.SIGV4, Scheme.Q_SIGN], ids=["s3", "cos"])
async def test_plain_bytes_are_stored(gateway_site: Site, scheme: Scheme) -> None:
    key = fresh_key("presigned")
    assert_success(await put(gateway_site, key, CONTENT, scheme=scheme))
    assert (await gateway_site.get(EXAMPLE, key)).body == CONTENT


async def test_a_signed_hash_is_kept_to(gateway_site: Site) -> None:
    key = fresh_key("presigned")
    declared = [("x-amz-content-sha256", DIGEST)]
    assert_error(await put(gateway_site, key, CONTENT[::-1], signed=declared), 400, "XAmzContentSHA256Mismatch")
    assert (await gateway_site.head(EXAMPLE, key)).status == 404
    assert_success(await put(gateway_site, key, CONTENT, signed=declared))


PAYLOADS = [
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
]


@pytest.mark.parametrize("where", ["signed", "added", "parameters"])
@pytest.mark.parametrize("payload", PAYLOADS)
async def test_chunks_are_refused_by_name(gateway_site: Site, payload: str, where: str) -> None:
    key = fresh_key("presigned")
    fields = [("x-amz-content-sha256", payload), ("x-amz-decoded-content-length", str(len(CONTENT)))]
    if where == "parameters":
        fields = [("X-Amz-Content-Sha256", payload)]
    upstream = Watch(gateway_site)
    declared = {where: fields}
    answer = await put(
        gateway_site,
        key,
        CHUNKED,
        signed=declared.get("signed", ()),
        added=declared.get("added", ()),
        parameters=declared.get("parameters", ()),
    )
    assert_error(answer, 501, "NotImplemented")
    assert "presigned" in answer.text("Message")
    assert upstream.new() == []


@pytest.mark.parametrize(
    "added",
    [[("x-amz-decoded-content-length", "20")], [("x-amz-trailer", "x-amz-checksum-crc32")]],
    ids=["length", "trailer"],
)
async def test_what_is_said_of_chunks_must_be_signed_too(gateway_site: Site, added: Fields) -> None:
    upstream = Watch(gateway_site)
    assert_error(await put(gateway_site, fresh_key("presigned"), CHUNKED, added=added), 403, "AccessDenied")
    assert upstream.new() == []


@pytest.mark.parametrize("payload", PAYLOADS)
async def test_in_a_cos_url_they_are_the_other_dialect(gateway_site: Site, payload: str) -> None:
    added = [("x-amz-content-sha256", payload), ("x-amz-decoded-content-length", str(len(CONTENT)))]
    upstream = Watch(gateway_site)
    answer = await put(gateway_site, fresh_key("presigned"), CHUNKED, scheme=Scheme.Q_SIGN, added=added)
    assert_error(answer, 400, "InvalidRequest")
    assert upstream.new() == []


def md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content).digest()).decode()


@pytest.mark.parametrize("scheme", [Scheme.SIGV4, Scheme.Q_SIGN], ids=["s3", "cos"])
async def test_a_content_md5_is_kept_to(gateway_site: Site, scheme: Scheme) -> None:
    key = fresh_key("presigned")
    wrong = await put(gateway_site, key, CONTENT, scheme=scheme, added=[("content-md5", md5(b"other"))])
    assert_error(wrong, 400, "BadDigest")
    assert (await gateway_site.head(EXAMPLE, key)).status == 404
    assert_success(await put(gateway_site, key, CONTENT, scheme=scheme, added=[("content-md5", md5(CONTENT))]))
