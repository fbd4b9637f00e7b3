"""Complete Multipart Upload asked for twice: a client whose first answer was lost is told that it succeeded.

COS itself knows the upload no longer; the gateway tells by the object that is there. Source: reference page §8.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from cos.signing import Scheme
from tests.support.expect import assert_error, assert_success
from tests.support.names import EXAMPLE, VERSIONED, Bucket
from tests.support.site import MIB, Site, Upload, fresh_key, pattern
from tests.support.watch import Watch

PARTS = (pattern(MIB, seed=90), b"the last part")


@pytest.fixture(params=[Scheme.SIGV4, Scheme.Q_SIGN], ids=["s3", "cos"])
def site(gateway_site: Site, request: pytest.FixtureRequest) -> Site:
    return replace(gateway_site, client=replace(gateway_site.client, scheme=request.param))


async def uploaded(site: Site, bucket: Bucket = EXAMPLE) -> tuple[Upload, list[tuple[int, str]]]:
    upload = await site.initiate(bucket, fresh_key("repeated"))
    etags = [(await site.upload_part(upload, number, part)).header("etag") for number, part in enumerate(PARTS, 1)]
    return upload, [(number, etag or "") for number, etag in enumerate(etags, 1)]


@pytest.mark.parametrize("bucket", [EXAMPLE, VERSIONED], ids=["plain", "versioned"])
async def test_a_completion_may_be_repeated(site: Site, bucket: Bucket) -> None:
    upload, parts = await uploaded(site, bucket)
    first = await site.complete(upload, parts)
    assert_success(first)
    for _ in range(2):
        again = await site.complete(upload, parts)
        assert_success(again)
        assert again.xml().tag == "CompleteMultipartUploadResult"
        for path in ("ETag", "Bucket", "Key"):
            assert again.text(path) == first.text(path)
        for name in ("x-cos-version-id", "x-amz-version-id", "x-cos-hash-crc64ecma"):
            assert again.header(name) == first.header(name)
    assert (await site.get(bucket, upload.key)).body == b"".join(PARTS)


async def test_looking_costs_nothing_that_was_not_done(site: Site) -> None:
    upload, parts = await uploaded(site)
    assert_success(await site.complete(upload, parts))
    upstream = Watch(site)
    assert_success(await site.complete(upload, parts))
    assert [entry.operation for entry in upstream.new()] == ["CompleteMultipartUpload", "HeadObject"]


@pytest.mark.parametrize("kind", ["fewer", "another"])
async def test_other_parts_than_those_of_the_object_are_refused(site: Site, kind: str) -> None:
    upload, parts = await uploaded(site)
    assert_success(await site.complete(upload, parts))
    others = parts[:1] if kind == "fewer" else [parts[0], (2, f'"{0:032}"')]
    assert_error(await site.complete(upload, others), 404, "NoSuchUpload")


async def test_an_object_that_is_another_by_now_is_not_taken_for_it(site: Site) -> None:
    upload, parts = await uploaded(site)
    assert_success(await site.complete(upload, parts))
    await site.seed(EXAMPLE, b"".join(PARTS), key=upload.key)
    assert_error(await site.complete(upload, parts), 404, "NoSuchUpload")
    assert (await site.delete(EXAMPLE, upload.key)).status == 204
    assert_error(await site.complete(upload, parts), 404, "NoSuchUpload")


async def test_an_upload_given_up_is_not_completed(site: Site) -> None:
    upload, parts = await uploaded(site)
    assert (await site.abort(upload)).status == 204
    assert_error(await site.complete(upload, parts), 404, "NoSuchUpload")
    assert (await site.head(EXAMPLE, upload.key)).status == 404


async def test_a_document_that_is_none_keeps_its_own_error(site: Site) -> None:
    upload, parts = await uploaded(site)
    assert_success(await site.complete(upload, parts))
    answer = await site.call("POST", EXAMPLE, upload.key, {"uploadId": upload.id}, body=b"<not closed>")
    assert_error(answer, 400, "MalformedXML")
