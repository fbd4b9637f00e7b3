"""Buckets come and go; sub-resources are documents that come back as they were put."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator

import pytest

from tests.emulator.emulators import own_site
from tests.support.expect import assert_error, assert_success
from tests.support.http1 import Response
from tests.support.names import ACCOUNT, EXAMPLE, OTHER_ACCOUNT, SOURCE, Bucket
from tests.support.site import Site

NEW = Bucket(f"newbucket-{ACCOUNT}", "ap-nanjing")


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with own_site() as opened:
        yield opened


async def test_a_bucket_is_created_where_its_host_says(site: Site) -> None:
    assert_success(await site.call("PUT", NEW))
    answer = await site.call("HEAD", NEW)
    assert (answer.status, answer.header("x-cos-bucket-region")) == (200, "ap-nanjing")
    elsewhere = Bucket(NEW.name, "ap-beijing")
    assert (await site.call("HEAD", elsewhere)).status == 404


async def test_a_bucket_cannot_be_created_twice_or_for_another_account(site: Site) -> None:
    assert_error(await site.call("PUT", EXAMPLE), 409, "BucketAlreadyOwnedByYou")
    assert_error(await site.call("PUT", Bucket(f"new-{OTHER_ACCOUNT}", "ap-nanjing")), 403, "AccessDenied")


async def test_only_an_empty_bucket_is_deleted(site: Site) -> None:
    await site.call("PUT", NEW)
    key = await site.seed(NEW, b"x")
    assert_error(await site.call("DELETE", NEW), 409, "BucketNotEmpty")
    await site.delete(NEW, key)
    upload = await site.initiate(NEW)
    assert_error(await site.call("DELETE", NEW), 409, "BucketNotEmpty")
    await site.abort(upload)
    assert (await site.call("DELETE", NEW)).status == 204
    assert (await site.call("HEAD", NEW)).status == 404


async def set_versioning(site: Site, status: str) -> Response:
    body = f"<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>".encode()
    return await site.call("PUT", SOURCE, query={"versioning": ""}, body=body)


async def test_versioning_goes_on_and_is_suspended_but_never_off(site: Site) -> None:
    assert (await site.call("GET", SOURCE, query={"versioning": ""})).xml().find("Status") is None
    for status in ("Enabled", "Suspended"):
        assert_success(await set_versioning(site, status))
        assert (await site.call("GET", SOURCE, query={"versioning": ""})).text("Status") == status
    assert_error(await set_versioning(site, "Off"), 400, "MalformedXML")


async def test_a_suspended_bucket_overwrites_only_its_null_version(site: Site) -> None:
    await site.put(SOURCE, "k", b"before versioning")
    await set_versioning(site, "Enabled")
    first = await site.seed_version(SOURCE, "k", b"first")
    assert (await site.get(SOURCE, "k", {"versionId": "null"})).body == b"before versioning"
    await set_versioning(site, "Suspended")
    answer = await site.put(SOURCE, "k", b"suspended")
    assert answer.header("x-cos-version-id") == "null"
    assert (await site.get(SOURCE, "k", {"versionId": "null"})).body == b"suspended"
    assert (await site.get(SOURCE, "k", {"versionId": first})).body == b"first"
    deleted = await site.delete(SOURCE, "k")
    assert (deleted.header("x-cos-version-id"), deleted.header("x-cos-delete-marker")) == ("null", "true")
    assert_error(await site.get(SOURCE, "k"), 404, "NoSuchKey")
    assert (await site.get(SOURCE, "k", {"versionId": first})).body == b"first"


async def test_removing_a_delete_marker_brings_the_object_back(site: Site) -> None:
    await set_versioning(site, "Enabled")
    await site.seed_version(SOURCE, "k", b"kept")
    marker = await site.seed_delete_marker(SOURCE, "k")
    hidden, named = await site.get(SOURCE, "k"), await site.get(SOURCE, "k", {"versionId": marker})
    assert_error(hidden, 404, "NoSuchKey")
    assert_error(named, 405, "MethodNotAllowed")
    for answer in (hidden, named):
        assert answer.header("x-cos-delete-marker") == "true"
        assert answer.header("x-cos-version-id") == marker
    removed = await site.delete(SOURCE, "k", {"versionId": marker})
    assert removed.header("x-cos-delete-marker") == "true"
    assert (await site.get(SOURCE, "k")).body == b"kept"


DOCUMENTS = {
    "cors": b"<CORSConfiguration><CORSRule/></CORSConfiguration>",
    "lifecycle": b"<LifecycleConfiguration/>",
    "tagging": b"<Tagging><TagSet/></Tagging>",
    "policy": b'{"version": "2.0", "Statement": []}',
    "website": b"<WebsiteConfiguration/>",
    "replication": b"<ReplicationConfiguration/>",
    "encryption": b"<ServerSideEncryptionConfiguration/>",
    "origin": b"<OriginConfiguration/>",
}


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("cors", "NoSuchCORSConfiguration"),
        ("lifecycle", "NoSuchLifecycleConfiguration"),
        ("tagging", "NoSuchTagSet"),
        ("policy", "NoSuchBucketPolicy"),
        ("website", "NoSuchWebsiteConfiguration"),
        ("replication", "ReplicationConfigurationNotFoundError"),
        ("encryption", "NoSuchEncryptionConfiguration"),
        ("origin", "OriginConfigurationNotFoundError"),
    ],
)
async def test_a_document_is_missing_kept_and_deleted(site: Site, word: str, code: str) -> None:
    assert_error(await site.call("GET", SOURCE, query={word: ""}), 404, code)
    put = await site.call("PUT", SOURCE, query={word: ""}, body=DOCUMENTS[word])
    assert put.status in (200, 204)
    assert (await site.call("GET", SOURCE, query={word: ""})).body == DOCUMENTS[word]
    assert_error(await site.call("GET", EXAMPLE, query={word: ""}), 404, code)
    assert (await site.call("DELETE", SOURCE, query={word: ""})).status == 204
    assert_error(await site.call("GET", SOURCE, query={word: ""}), 404, code)


@pytest.mark.parametrize(
    ("word", "root"),
    [
        ("acl", "AccessControlPolicy"),
        ("logging", "BucketLoggingStatus"),
        ("referer", "RefererConfiguration"),
        ("accelerate", "AccelerateConfiguration"),
        ("domain", "DomainConfiguration"),
        ("intelligenttiering", "IntelligentTieringConfiguration"),
    ],
)
async def test_other_documents_have_a_default(site: Site, word: str, root: str) -> None:
    default = await site.call("GET", SOURCE, query={word: ""})
    assert (default.status, default.xml().tag) == (200, root)
    body = b"<Configuration><Status>Enabled</Status></Configuration>"
    assert (await site.call("PUT", SOURCE, query={word: ""}, body=body)).status == 200
    assert (await site.call("GET", SOURCE, query={word: ""})).body == body


async def test_an_empty_document_is_refused(site: Site) -> None:
    assert_error(await site.call("PUT", SOURCE, query={"cors": ""}), 400, "MissingRequestBodyError")


async def test_a_damaged_document_is_refused(site: Site) -> None:
    md5 = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    answer = await site.call("PUT", SOURCE, query={"cors": ""}, headers=[("content-md5", md5)], body=b"<x/>")
    assert_error(answer, 400, "BadDigest")


async def test_an_object_has_tags_of_its_own(site: Site) -> None:
    await site.put(SOURCE, "k", b"x", [("x-cos-tagging", "colour=blue&size=a%26b")])
    tags = (await site.call("GET", SOURCE, "k", {"tagging": ""})).xml().findall("TagSet/Tag")
    assert [(tag.findtext("Key"), tag.findtext("Value")) for tag in tags] == [("colour", "blue"), ("size", "a&b")]
    assert (await site.call("DELETE", SOURCE, "k", {"tagging": ""})).status == 204
    assert (await site.call("GET", SOURCE, "k", {"tagging": ""})).xml().findall("TagSet/Tag") == []
    assert_error(await site.call("GET", SOURCE, "absent", {"tagging": ""}), 404, "NoSuchKey")


@pytest.mark.parametrize(("count", "status"), [(10, 200), (11, 400)], ids=["most", "most+1"])
async def test_an_object_has_at_most_ten_tags(site: Site, count: int, status: int) -> None:
    text = "&".join(f"k{number}=v" for number in range(count))
    assert (await site.put(SOURCE, "k", b"x", [("x-cos-tagging", text)])).status == status


CORS = b"""<CORSConfiguration><CORSRule><AllowedOrigin>https://*.example.com</AllowedOrigin>
<AllowedMethod>PUT</AllowedMethod><AllowedHeader>x-cos-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader>
<MaxAgeSeconds>60</MaxAgeSeconds></CORSRule></CORSConfiguration>"""


async def preflight(site: Site, origin: str, method: str, headers: str) -> Response:
    asked = [
        ("origin", origin),
        ("access-control-request-method", method),
        ("access-control-request-headers", headers),
    ]
    return await site.with_key(None).call("OPTIONS", SOURCE, "k", headers=asked)


async def test_a_preflight_that_fits_a_rule_is_answered_unsigned(site: Site) -> None:
    await site.call("PUT", SOURCE, query={"cors": ""}, body=CORS)
    answer = await preflight(site, "https://app.example.com", "PUT", "X-Cos-Acl, x-cos-meta-a")
    assert answer.status == 200
    assert answer.header("access-control-allow-origin") == "https://app.example.com"
    assert answer.header("access-control-allow-headers") == "x-cos-acl, x-cos-meta-a"
    assert answer.header("access-control-expose-headers") == "ETag"
    assert answer.header("access-control-max-age") == "60"


@pytest.mark.parametrize(
    ("origin", "method", "headers"),
    [
        ("https://example.org", "PUT", ""),
        ("https://app.example.com", "GET", ""),
        ("https://app.example.com", "PUT", "authorization"),
    ],
    ids=["origin", "method", "header"],
)
async def test_a_preflight_that_fits_no_rule_is_refused(site: Site, origin: str, method: str, headers: str) -> None:
    await site.call("PUT", SOURCE, query={"cors": ""}, body=CORS)
    assert_error(await preflight(site, origin, method, headers), 403, "AccessDenied")


async def test_a_preflight_without_any_rule_is_refused(site: Site) -> None:
    assert_error(await preflight(site, "https://app.example.com", "PUT", ""), 403, "AccessDenied")
