"""If-Match and If-None-Match on writes: nothing is replaced that the caller did not mean.

Source: AWS, S3 API, "Conditional writes"; RFC 9110 §13.1.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from cos.signing import Scheme
from tests.support.expect import assert_error, assert_success
from tests.support.names import EXAMPLE, SOURCE, VERSIONED
from tests.support.site import Site, Upload, fresh_key, quoted_md5

OLD, NEW = b"what was there", b"what replaces it"
ETAG, OTHER = quoted_md5(OLD), quoted_md5(b"something else")


@pytest.fixture(params=[Scheme.SIGV4, Scheme.Q_SIGN], ids=["s3", "cos"])
def site(cos: Site, request: pytest.FixtureRequest) -> Site:
    return replace(cos, client=replace(cos.client, scheme=request.param))


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("if-match", ETAG, None),
        ("if-match", ETAG.strip('"'), None),
        ("if-match", "*", None),
        ("if-match", OTHER, "PreconditionFailed"),
        ("if-none-match", OTHER, None),
        ("if-none-match", ETAG, "PreconditionFailed"),
        ("if-none-match", "*", "PreconditionFailed"),
    ],
)
async def test_an_object_is_replaced_if_it_is_the_one(site: Site, name: str, value: str, code: str | None) -> None:
    key = await site.seed(EXAMPLE, OLD)
    answer = await site.put(EXAMPLE, key, NEW, [(name, value)])
    if code is None:
        assert_success(answer)
    else:
        assert_error(answer, 412, code)
    assert (await site.get(EXAMPLE, key)).body == (NEW if code is None else OLD)


@pytest.mark.parametrize(
    ("name", "value", "status", "code"),
    [
        ("if-match", ETAG, 404, "NoSuchKey"),
        ("if-match", "*", 412, "PreconditionFailed"),
        ("if-none-match", ETAG, 200, ""),
        ("if-none-match", "*", 200, ""),
    ],
)
@pytest.mark.parametrize("bucket", [EXAMPLE, VERSIONED], ids=["never there", "deleted"])
async def test_an_object_is_created_if_there_is_none(
    site: Site, bucket: object, name: str, value: str, status: int, code: str
) -> None:
    key = fresh_key("conditional")
    if bucket is VERSIONED:
        await site.seed(VERSIONED, OLD, key=key)
        await site.delete(VERSIONED, key)
    place = VERSIONED if bucket is VERSIONED else EXAMPLE
    answer = await site.put(place, key, NEW, [(name, value)])
    if code:
        assert_error(answer, status, code)
        assert (await site.head(place, key)).status == 404
    else:
        assert_success(answer)


async def test_of_many_who_create_an_object_one_succeeds(site: Site) -> None:
    key = fresh_key("raced")
    bodies = [b"writer %d" % number for number in range(8)]
    answers = await asyncio.gather(*(site.put(EXAMPLE, key, body, [("if-none-match", "*")]) for body in bodies))
    assert sorted(answer.status for answer in answers) == [200] + [412] * 7
    (winner,) = [body for body, answer in zip(bodies, answers, strict=True) if answer.status == 200]
    assert (await site.get(EXAMPLE, key)).body == winner


async def complete(site: Site, upload: Upload, condition: tuple[str, str]) -> int:
    etag = (await site.upload_part(upload, 1, NEW)).header("etag")
    body = (
        f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    )
    answer = await site.call("POST", EXAMPLE, upload.key, {"uploadId": upload.id}, [condition], body.encode())
    return answer.status


async def test_an_upload_is_completed_if_nothing_is_there(site: Site) -> None:
    free, taken = await site.initiate(), await site.initiate()
    await site.seed(EXAMPLE, OLD, key=taken.key)
    assert await complete(site, free, ("if-none-match", "*")) == 200
    assert await complete(site, taken, ("if-none-match", "*")) == 412
    assert (await site.get(EXAMPLE, taken.key)).body == OLD
    # The upload is still there, and may be completed after all.
    assert await complete(site, taken, ("if-match", ETAG)) == 200


async def test_a_copy_replaces_only_what_it_means_to(site: Site) -> None:
    source, key = await site.seed(SOURCE, NEW), fresh_key("conditional")
    s3 = site.client.scheme is Scheme.SIGV4
    name, place = (
        ("x-amz-copy-source", f"{SOURCE.name}/{source}") if s3 else ("x-cos-copy-source", SOURCE.source(source))
    )
    assert_success(await site.put(EXAMPLE, key, b"", [(name, place), ("if-none-match", "*")]))
    await site.seed(EXAMPLE, OLD, key=key)
    assert_error(await site.put(EXAMPLE, key, b"", [(name, place), ("if-none-match", "*")]), 412, "PreconditionFailed")
    assert_error(await site.put(EXAMPLE, key, b"", [(name, place), ("if-match", OTHER)]), 412, "PreconditionFailed")
    assert (await site.get(EXAMPLE, key)).body == OLD
    assert_success(await site.put(EXAMPLE, key, b"", [(name, place), ("if-match", ETAG)]))
    assert (await site.get(EXAMPLE, key)).body == NEW
