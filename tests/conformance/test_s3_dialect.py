"""The S3 dialect: SigV4, `x-amz-*` headers, and a copy source that names bucket and key but no region.

Sources: reference page §2.4; AWS Signature Version 4 as COS speaks it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest

from cos.signing import Scheme
from tests.support.client import HeaderField, target
from tests.support.expect import assert_common_headers, assert_error
from tests.support.http1 import Response
from tests.support.names import EXAMPLE, FARAWAY, SOURCE, VERSIONED, Bucket
from tests.support.site import Site, fresh_key, pattern, quoted_md5

CONTENT = pattern(4096, seed=50)


@pytest.fixture
def s3(cos: Site) -> Site:
    """The same site, asked in SigV4."""
    return replace(cos, client=replace(cos.client, scheme=Scheme.SIGV4))


async def initiate(s3: Site, key: str) -> str:
    answer = await s3.call("POST", EXAMPLE, key, {"uploads": ""})
    assert answer.status == 200, answer
    return answer.text("UploadId")


async def copy_part(
    s3: Site, key: str, upload_id: str, source: str, headers: Mapping[str, str] | None = None
) -> Response:
    fields: list[HeaderField] = [("x-amz-copy-source", source), *(headers or {}).items()]
    return await s3.call("PUT", EXAMPLE, key, {"partNumber": "1", "uploadId": upload_id}, fields)


@pytest.mark.parametrize("bucket", [SOURCE, FARAWAY], ids=["same region", "another region"])
@pytest.mark.parametrize("form", ["{bucket}/{key}", "/{bucket}/{key}"])
async def test_a_part_is_copied_from_bucket_and_key(s3: Site, bucket: Bucket, form: str) -> None:
    source_key = await s3.seed(bucket, CONTENT, stem="目录 a+b")
    key = fresh_key("target")
    upload_id = await initiate(s3, key)
    source = form.format(bucket=bucket.name, key=target(source_key)[1:])
    answer = await copy_part(s3, key, upload_id, source, {"x-amz-copy-source-range": "bytes=10-100"})
    assert answer.status == 200, answer
    assert answer.xml().tag == "CopyPartResult"
    assert answer.text("ETag") == quoted_md5(CONTENT[10:101])
    assert_common_headers(answer)


async def test_a_version_is_named_in_the_s3_form(s3: Site) -> None:
    source_key = fresh_key("versioned")
    first = (await s3.put(VERSIONED, source_key, b"first")).header("x-amz-version-id")
    assert (await s3.put(VERSIONED, source_key, b"second")).status == 200
    key = fresh_key("target")
    upload_id = await initiate(s3, key)
    answer = await copy_part(s3, key, upload_id, f"{VERSIONED.name}/{source_key}?versionId={first}")
    assert answer.text("ETag") == quoted_md5(b"first")
    assert answer.header("x-amz-copy-source-version-id") == first


@pytest.mark.parametrize(
    ("condition", "etag_of", "status"),
    [
        ("if-match", CONTENT, 200),
        ("if-match", b"other", 412),
        ("if-none-match", b"other", 200),
        ("if-none-match", CONTENT, 412),
    ],
)
async def test_conditions_work_in_the_s3_dialect(s3: Site, condition: str, etag_of: bytes, status: int) -> None:
    source_key = await s3.seed(SOURCE, CONTENT)
    key = fresh_key("target")
    upload_id = await initiate(s3, key)
    answer = await copy_part(
        s3, key, upload_id, f"{SOURCE.name}/{source_key}", {f"x-amz-copy-source-{condition}": quoted_md5(etag_of)}
    )
    assert answer.status == status, answer


@pytest.mark.parametrize("source", ["", "/", SOURCE.name, f"/{SOURCE.name}", f"{SOURCE.name}/", "not a bucket/key"])
async def test_a_source_that_names_no_object_is_refused(s3: Site, source: str) -> None:
    key = fresh_key("target")
    upload_id = await initiate(s3, key)
    answer = await copy_part(s3, key, upload_id, source)
    assert_error(answer, 400, "InvalidCopySource")


@pytest.mark.parametrize(
    "headers",
    [
        [("x-amz-copy-source", "a-1250000000/k"), ("x-cos-copy-source", SOURCE.source("k"))],
        [("x-cos-copy-source", SOURCE.source("k")), ("x-amz-copy-source-range", "bytes=0-9")],
    ],
    ids=["two sources", "range of the other dialect"],
)
async def test_mixed_dialects_are_refused(s3: Site, headers: Iterable[HeaderField]) -> None:
    key = fresh_key("target")
    upload_id = await initiate(s3, key)
    answer = await s3.call("PUT", EXAMPLE, key, {"partNumber": "1", "uploadId": upload_id}, headers)
    assert_error(answer, 400, "InvalidRequest")


async def test_user_metadata_and_version_ids_are_named_x_amz(s3: Site) -> None:
    key = fresh_key("versioned")
    put = await s3.put(VERSIONED, key, CONTENT, [("x-amz-meta-colour", "green")])
    head = await s3.head(VERSIONED, key)
    assert head.header("x-amz-meta-colour") == "green"
    assert head.header("x-amz-version-id") == put.header("x-amz-version-id") is not None
    assert head.header("x-amz-request-id")


async def test_objects_are_listed_in_version_2(s3: Site) -> None:
    prefix = fresh_key("tree") + "/"
    for name in ("a", "b", "c"):
        await s3.seed(EXAMPLE, b"x", key=prefix + name)
    first = await s3.call("GET", EXAMPLE, "", {"list-type": "2", "prefix": prefix, "max-keys": "2"})
    assert [c.findtext("Key") for c in first.xml().iter("Contents")] == [prefix + "a", prefix + "b"]
    assert (first.text("KeyCount"), first.text("IsTruncated")) == ("2", "true")
    token = first.text("NextContinuationToken")
    second = await s3.call(
        "GET", EXAMPLE, "", {"list-type": "2", "prefix": prefix, "max-keys": "2", "continuation-token": token}
    )
    assert [c.findtext("Key") for c in second.xml().iter("Contents")] == [prefix + "c"]
    assert second.text("IsTruncated") == "false"


async def test_a_payload_hash_that_is_declared_is_part_of_the_signature(s3: Site) -> None:
    key = fresh_key()
    digest = hashlib.sha256(CONTENT).hexdigest()
    answer = await s3.put(EXAMPLE, key, CONTENT, [("x-amz-content-sha256", digest)])
    assert answer.status == 200, answer
    assert (await s3.get(EXAMPLE, key)).body == CONTENT
