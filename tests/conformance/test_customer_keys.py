"""Encryption with the customer's key: the headers come through, and what one key made no other opens.

Source: COS API, "Server-side Encryption Headers"; AWS, S3 API, "Using SSE-C"; reference page §3.1.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace

import pytest

from cos.signing import Scheme
from tests.support.client import HeaderField
from tests.support.expect import assert_error, assert_success
from tests.support.names import EXAMPLE, SOURCE
from tests.support.site import Site, fresh_key

SCHEMES = {Scheme.SIGV4: "x-amz-", Scheme.Q_SIGN: "x-cos-"}
CONTENT = b"what only its customer can read"
KEY, OTHER = bytes(range(32)), bytes(32)


@pytest.fixture(params=SCHEMES, ids=["s3", "cos"])
def site(cos: Site, request: pytest.FixtureRequest) -> Site:
    return replace(cos, client=replace(cos.client, scheme=request.param))


def prefix(site: Site) -> str:
    return SCHEMES[site.client.scheme]


def customer(site: Site, key: bytes = KEY, *, source: bool = False) -> list[HeaderField]:
    start = f"{prefix(site)}{'copy-source-' if source else ''}server-side-encryption-customer-"
    return [
        (f"{start}algorithm", "AES256"),
        (f"{start}key", base64.b64encode(key).decode()),
        (f"{start}key-MD5", base64.b64encode(hashlib.md5(key).digest()).decode()),
    ]


def source_header(site: Site, key: str) -> HeaderField:
    s3 = site.client.scheme is Scheme.SIGV4
    return (f"{prefix(site)}copy-source", f"{SOURCE.name}/{key}" if s3 else SOURCE.source(key))


async def test_only_the_key_that_wrote_an_object_reads_it(site: Site) -> None:
    key = fresh_key("secret")
    put = await site.put(EXAMPLE, key, CONTENT, customer(site))
    assert_success(put)
    got = await site.get(EXAMPLE, key, headers=customer(site))
    assert got.body == CONTENT
    for answer in (put, got, await site.head(EXAMPLE, key, headers=customer(site))):
        assert answer.header(f"{prefix(site)}server-side-encryption-customer-algorithm") == "AES256"
        assert answer.header(f"{prefix(site)}server-side-encryption-customer-key-md5")
        assert answer.header(f"{prefix(site)}server-side-encryption-customer-key") is None
    for headers in ([], customer(site, OTHER)):
        assert_error(await site.get(EXAMPLE, key, headers=headers), 400, "SsecDecryptHeaderInvalid")
        assert (await site.head(EXAMPLE, key, headers=headers)).status == 400


async def test_an_object_without_such_a_key_wants_none(site: Site) -> None:
    key = await site.seed(EXAMPLE, CONTENT)
    assert_error(await site.get(EXAMPLE, key, headers=customer(site)), 400, "SSEHeaderNotAllowed")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, None), (1, None), (2, None), (0, "AES128"), (1, "c2hvcnQ="), (1, "no base64!"),
        (2, "AAAAAAAAAAAAAAAAAAAAAA=="),
    ],
    ids=["no algorithm", "no key", "no md5", "algorithm", "short key", "no base64", "other md5"],
)  # fmt: skip
async def test_a_key_that_is_not_whole_is_refused(site: Site, place: int, value: str | None) -> None:
    headers, key = customer(site), fresh_key("secret")
    headers[place : place + 1] = [] if value is None else [(headers[place][0], value)]
    assert_error(await site.put(EXAMPLE, key, CONTENT, headers), 400, "InvalidArgument")
    assert (await site.head(EXAMPLE, key)).status == 404


async def test_a_copy_is_read_with_one_key_and_written_with_another(site: Site) -> None:
    source, key = fresh_key("secret"), fresh_key("copied")
    assert_success(await site.put(SOURCE, source, CONTENT, customer(site)))
    asked = [source_header(site, source), *customer(site, OTHER)]
    assert_error(await site.put(EXAMPLE, key, b"", asked), 400, "SsecDecryptHeaderInvalid")
    assert_success(await site.put(EXAMPLE, key, b"", [*asked, *customer(site, source=True)]))
    assert (await site.get(EXAMPLE, key, headers=customer(site, OTHER))).body == CONTENT


async def test_every_part_comes_with_the_key_of_its_upload(site: Site) -> None:
    source = fresh_key("secret")
    assert_success(await site.put(SOURCE, source, CONTENT, customer(site)))
    upload = await site.initiate(headers=customer(site, OTHER))
    query = {"partNumber": "1", "uploadId": upload.id}
    for headers in ([], customer(site, KEY)):
        refused = await site.call("PUT", EXAMPLE, upload.key, query, headers, CONTENT)
        assert_error(refused, 400, "SsecDecryptHeaderInvalid")
    asked = [source_header(site, source), *customer(site, source=True)]
    assert_error(await site.call("PUT", EXAMPLE, upload.key, query, asked), 400, "SsecDecryptHeaderInvalid")
    copied = await site.call("PUT", EXAMPLE, upload.key, query, [*asked, *customer(site, OTHER)])
    assert_success(copied)
    assert_success(await site.complete(upload, [(1, copied.text("ETag"))]))
    assert (await site.get(EXAMPLE, upload.key, headers=customer(site, OTHER))).body == CONTENT
