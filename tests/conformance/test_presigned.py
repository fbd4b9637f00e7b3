"""Presigned URLs: the signature in the query, in both schemes.

Sources: COS API, "Request Signature" (436/7778); reference page §1.4.
"""

from __future__ import annotations

import time

import pytest

from cos import signing
from cos.rewrite import UpstreamRequest
from cos.signing import Scheme
from cos.target import parse_target
from tests.support.client import target
from tests.support.expect import assert_error
from tests.support.http1 import Response, exchange, render_request
from tests.support.names import EXAMPLE, SOURCE, Bucket
from tests.support.site import Site, fresh_key, pattern, quoted_md5

CONTENT = pattern(500, seed=51)


@pytest.fixture(params=[Scheme.Q_SIGN, Scheme.SIGV4])
def scheme(request: pytest.FixtureRequest) -> Scheme:
    return Scheme(request.param)


def presigned_target(
    cos: Site,
    scheme: Scheme,
    method: str,
    bucket: Bucket,
    raw_target: str,
    headers: tuple[tuple[bytes, bytes], ...] = (),
    now: int | None = None,
) -> str:
    """The target of a presigned URL, valid for a minute."""
    assert cos.client.key is not None
    parsed = parse_target(raw_target.encode())
    request = UpstreamRequest.of(method, bucket.host, parsed.path, parsed.query, raw_target.encode(), headers)
    signed = signing.presign(
        request,
        scheme=scheme,
        secret_id=cos.client.key.secret_id,
        secret_key=cos.client.key.secret_key,
        token=None,
        now=int(time.time()) if now is None else now,
        lifetime_seconds=60,
        region=bucket.region,
    )
    return signed.target.decode()


async def use(
    cos: Site,
    method: str,
    bucket: Bucket,
    url_target: str,
    headers: tuple[tuple[bytes, bytes], ...] = (),
    body: bytes = b"",
) -> Response:
    """What a program does that knows nothing but the URL."""
    framing = [(b"content-length", str(len(body)).encode())] if method == "PUT" else []
    fields = [(b"host", bucket.host.encode()), *headers, *framing, (b"connection", b"close")]
    return await exchange(cos.port, render_request(method, url_target, fields, body), head=method == "HEAD")


async def test_a_presigned_get_downloads(cos: Site, scheme: Scheme) -> None:
    key = await cos.seed(EXAMPLE, CONTENT, stem="目录/a b+c~d")
    url = presigned_target(cos, scheme, "GET", EXAMPLE, target(key))
    answer = await use(cos, "GET", EXAMPLE, url)
    assert (answer.status, answer.body) == (200, CONTENT)


async def test_a_presigned_put_uploads(cos: Site, scheme: Scheme) -> None:
    key = fresh_key()
    url = presigned_target(cos, scheme, "PUT", EXAMPLE, target(key))
    assert (await use(cos, "PUT", EXAMPLE, url, body=CONTENT)).status == 200
    assert (await cos.get(EXAMPLE, key)).body == CONTENT


async def test_a_presigned_part_copy_copies(cos: Site, scheme: Scheme) -> None:
    source = await cos.seed(SOURCE, CONTENT)
    upload = await cos.initiate()
    raw_target = target(upload.key, {"partNumber": "1", "uploadId": upload.id})
    name, value = {
        Scheme.Q_SIGN: (b"x-cos-copy-source", SOURCE.source(source)),
        Scheme.SIGV4: (b"x-amz-copy-source", f"{SOURCE.name}/{source}"),
    }[scheme]
    headers = ((name, value.encode()),)
    url = presigned_target(cos, scheme, "PUT", EXAMPLE, raw_target, headers)
    answer = await use(cos, "PUT", EXAMPLE, url, headers)
    assert answer.status == 200, answer
    assert answer.text("ETag") == quoted_md5(CONTENT)


@pytest.mark.parametrize("change", ["method", "key", "host"])
async def test_a_presigned_url_is_good_for_nothing_else(cos: Site, scheme: Scheme, change: str) -> None:
    key = await cos.seed(EXAMPLE, CONTENT)
    other = await cos.seed(EXAMPLE, b"other")
    url = presigned_target(cos, scheme, "GET", EXAMPLE, target(key))
    method, bucket = "GET", EXAMPLE
    if change == "method":
        method = "DELETE"
    elif change == "key":
        url = url.replace(target(key), target(other), 1)
    else:
        bucket = SOURCE
    answer = await use(cos, method, bucket, url)
    assert_error(answer, 403, "SignatureDoesNotMatch", "AccessDenied")
    assert (await cos.get(EXAMPLE, key)).body == CONTENT


async def test_a_presigned_url_expires(cos: Site, scheme: Scheme) -> None:
    key = await cos.seed(EXAMPLE, CONTENT)
    url = presigned_target(cos, scheme, "GET", EXAMPLE, target(key), now=int(time.time()) - 3600)
    answer = await use(cos, "GET", EXAMPLE, url)
    assert_error(answer, 403, "AccessDenied")
    assert answer.text("Message") == "Request has expired"


# COS lets the signer choose what it signs; the gateway does not (DESIGN §4, "Coverage").


async def test_nothing_can_be_added_to_a_presigned_url(gateway_site: Site, scheme: Scheme) -> None:
    key = await gateway_site.seed(EXAMPLE, CONTENT)
    url = presigned_target(gateway_site, scheme, "GET", EXAMPLE, target(key))
    answer = await use(gateway_site, "GET", EXAMPLE, url + "&response-content-type=text%2Fhtml")
    assert_error(answer, 403, "SignatureDoesNotMatch", "AccessDenied")


async def test_an_upload_url_cannot_be_turned_into_a_copy(gateway_site: Site, scheme: Scheme) -> None:
    source = await gateway_site.seed(SOURCE, b"not for the holder of the URL")
    key = fresh_key()
    url = presigned_target(gateway_site, scheme, "PUT", EXAMPLE, target(key))
    name, value = {
        Scheme.Q_SIGN: (b"x-cos-copy-source", SOURCE.source(source)),
        Scheme.SIGV4: (b"x-amz-copy-source", f"{SOURCE.name}/{source}"),
    }[scheme]
    answer = await use(gateway_site, "PUT", EXAMPLE, url, ((name, value.encode()),))
    assert_error(answer, 403, "AccessDenied")
    assert (await gateway_site.head(EXAMPLE, key)).status == 404


async def test_header_and_query_signatures_together_are_refused(cos: Site, scheme: Scheme) -> None:
    key = await cos.seed(EXAMPLE, CONTENT)
    url = presigned_target(cos, scheme, "GET", EXAMPLE, target(key))
    header = dict(
        line.split(b": ", 1)
        for line in cos.client.render("GET", EXAMPLE.host, target(key)).split(b"\r\n")
        if b": " in line
    )[b"authorization"]
    answer = await use(cos, "GET", EXAMPLE, url, ((b"authorization", header),))
    assert 400 <= answer.status <= 403, answer
    assert CONTENT not in answer.body
