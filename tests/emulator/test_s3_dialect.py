"""The S3 dialect: the same objects under the names S3 clients know."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator

import pytest

from cos.signing import Scheme
from emulator.exchange import S3_NAMESPACE
from tests.emulator.emulators import in_scheme, own_site
from tests.support.client import target
from tests.support.expect import assert_error, assert_success
from tests.support.http1 import Response
from tests.support.names import EXAMPLE, FARAWAY, SOURCE, VERSIONED, Bucket
from tests.support.site import Site


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with own_site() as opened:
        yield in_scheme(opened, Scheme.SIGV4)


async def test_metadata_is_one_thing_in_both_dialects(site: Site) -> None:
    await site.put(SOURCE, "k", b"x", [("x-amz-meta-colour", "blue"), ("x-amz-storage-class", "STANDARD_IA")])
    cos = await in_scheme(site, Scheme.Q_SIGN).head(SOURCE, "k")
    assert (cos.header("x-cos-meta-colour"), cos.header("x-amz-meta-colour")) == ("blue", None)
    s3 = await site.head(SOURCE, "k")
    assert (s3.header("x-amz-meta-colour"), s3.header("x-amz-storage-class")) == ("blue", "STANDARD_IA")
    assert s3.header("x-cos-meta-colour") is None


async def test_answers_carry_both_request_ids_and_s3_s_version_headers(site: Site) -> None:
    answer = await site.put(VERSIONED, "k", b"x")
    assert answer.header("x-amz-request-id") == answer.header("x-cos-request-id")
    assert answer.header("x-amz-version-id")
    assert answer.header("x-cos-version-id") is None
    deleted = await site.delete(VERSIONED, "k")
    assert deleted.header("x-amz-delete-marker") == "true"


@pytest.mark.parametrize(
    ("query", "tag"),
    [
        ({}, "ListBucketResult"),
        ({"versions": ""}, "ListVersionsResult"),
        ({"uploads": ""}, "ListMultipartUploadsResult"),
        ({"location": ""}, "LocationConstraint"),
    ],
    ids=["objects", "versions", "uploads", "location"],
)
async def test_results_are_in_s3_s_namespace_and_cos_s_are_in_none(site: Site, query: dict[str, str], tag: str) -> None:
    s3 = await site.call("GET", SOURCE, query=query)
    assert f'<{tag} xmlns="{S3_NAMESPACE}">'.encode() in s3.body
    assert s3.xml().tag == tag
    cos = await in_scheme(site, Scheme.Q_SIGN).call("GET", SOURCE, query=query)
    assert f"<{tag}>".encode() in cos.body


async def test_a_copy_source_names_no_region_and_is_found_in_any(site: Site) -> None:
    await site.put(FARAWAY, "k", b"far away")
    for source in (f"{FARAWAY.name}/k", f"/{FARAWAY.name}/k"):
        answer = await site.call("PUT", EXAMPLE, "copy", headers=[("x-amz-copy-source", source)])
        assert_success(answer)
        assert (await site.get(EXAMPLE, "copy")).body == b"far away"


async def path_style(site: Site, method: str, path: str, query: dict[str, str] | None = None) -> Response:
    return await site.client.send(method, f"127.0.0.1:{site.port}", target(path, query or {}))


async def test_path_style_names_the_bucket_in_the_path(site: Site) -> None:
    assert_success(await path_style(site, "PUT", f"{FARAWAY.name}/dir/k"))
    assert (await site.head(FARAWAY, "dir/k")).status == 200
    listed = await path_style(site, "GET", FARAWAY.name)
    assert listed.text("Contents/Key") == "dir/k"
    buckets = (await path_style(site, "GET", "")).xml().findall("Buckets/Bucket/Name")
    assert FARAWAY.name in [name.text for name in buckets]


async def pages(site: Site, **query: str) -> list[list[str]]:
    """Every page of a version 2 listing, each asked with the token of the one before."""
    found: list[list[str]] = []
    token = ""
    for _ in range(20):
        answer = await site.call(
            "GET", SOURCE, query={"list-type": "2", **query, **({"continuation-token": token} if token else {})}
        )
        root = answer.xml()
        rows = [row.text or "" for row in (*root.findall("Contents/Key"), *root.findall("CommonPrefixes/Prefix"))]
        assert answer.text("KeyCount") == str(len(rows))
        found.append(rows)
        if answer.text("IsTruncated") == "false":
            assert root.find("NextContinuationToken") is None
            return found
        token = answer.text("NextContinuationToken")
    raise AssertionError("the listing never ended")


async def test_a_version_2_listing_goes_on_by_token(site: Site) -> None:
    for key in ("a", "b/1", "b/2", "c", "目录/1"):
        await site.put(SOURCE, key, b"x")
    assert await pages(site, **{"max-keys": "2"}) == [["a", "b/1"], ["b/2", "c"], ["目录/1"]]
    assert await pages(site, **{"max-keys": "1", "delimiter": "/"}) == [["a"], ["b/"], ["c"], ["目录/"]]
    assert await pages(site, **{"start-after": "b/1"}) == [["b/2", "c", "目录/1"]]


async def test_a_version_2_listing_names_owners_only_when_asked(site: Site) -> None:
    await site.put(SOURCE, "k", b"x")
    assert (await site.call("GET", SOURCE, query={"list-type": "2"})).xml().find("Contents/Owner") is None
    asked = await site.call("GET", SOURCE, query={"list-type": "2", "fetch-owner": "true"})
    assert asked.text("Contents/Owner/ID").startswith("qcs::cam::uin/")


@pytest.mark.parametrize("token", ["%%%", "not base64!", "gICA"], ids=["percent", "spaces", "not UTF-8"])
async def test_a_token_of_another_listing_is_refused(site: Site, token: str) -> None:
    answer = await site.call("GET", SOURCE, query={"list-type": "2", "continuation-token": token})
    assert_error(answer, 400, "InvalidArgument")


async def test_batch_delete_needs_content_md5_as_cos_does(site: Site) -> None:
    await site.put(SOURCE, "k", b"x")
    body = f'<Delete xmlns="{S3_NAMESPACE}"><Object><Key>k</Key></Object></Delete>'.encode()
    assert_error(await site.call("POST", SOURCE, query={"delete": ""}, body=body), 400, "InvalidRequest")
    md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
    answer = await site.call("POST", SOURCE, query={"delete": ""}, headers=[("content-md5", md5)], body=body)
    assert answer.text("Deleted/Key") == "k"
    assert (await site.head(SOURCE, "k")).status == 404


async def test_a_virtual_host_of_the_wrong_region_is_refused_in_s3_too(site: Site) -> None:
    assert_error(await site.get(Bucket(SOURCE.name, FARAWAY.region), "k"), 404, "NoSuchBucket")
