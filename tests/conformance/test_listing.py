"""GET Service, GET Bucket, versions: what listings show and how they are paged.

Sources: COS API, "GET Service", "GET Bucket (List Objects)", "GET Bucket Object Versions"; reference page §4.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest

from tests.support.expect import assert_error, assert_success
from tests.support.names import ABSENT, EXAMPLE, FARAWAY, FOREIGN, SOURCE, VERSIONED
from tests.support.site import Site, fresh_key, quoted_md5


async def seed_tree(cos: Site) -> str:
    """Five objects under a fresh prefix; returns the prefix."""
    prefix = fresh_key("tree") + "/"
    for name in ("a", "b/1", "b/2", "c", "d+e 目"):
        await cos.seed(EXAMPLE, name.encode(), key=prefix + name)
    return prefix


async def test_a_listing_shows_every_object_with_its_properties(cos: Site) -> None:
    prefix = await seed_tree(cos)
    answer = await cos.call("GET", EXAMPLE, "", {"prefix": prefix})
    assert_success(answer)
    root = answer.xml()
    assert root.tag == "ListBucketResult"
    assert (answer.text("Name"), answer.text("Prefix")) == (EXAMPLE.name, prefix)
    assert answer.text("IsTruncated") == "false"
    assert [c.findtext("Key") for c in root.iter("Contents")] == [
        prefix + name for name in ("a", "b/1", "b/2", "c", "d+e 目")
    ]
    assert answer.text("Contents/ETag") == quoted_md5(b"a")
    assert answer.text("Contents/Size") == "1"
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.000Z", answer.text("Contents/LastModified"))


async def test_a_delimiter_rolls_keys_up(cos: Site) -> None:
    prefix = await seed_tree(cos)
    root = (await cos.call("GET", EXAMPLE, "", {"prefix": prefix, "delimiter": "/"})).xml()
    assert [c.findtext("Key") for c in root.iter("Contents")] == [prefix + name for name in ("a", "c", "d+e 目")]
    assert [p.findtext("Prefix") for p in root.iter("CommonPrefixes")] == [prefix + "b/"]


async def test_pages_join_without_gap_or_repeat(cos: Site) -> None:
    prefix = await seed_tree(cos)
    keys, marker = [], ""
    for _ in range(10):
        query = {"prefix": prefix, "max-keys": "2", "marker": marker}
        answer = await cos.call("GET", EXAMPLE, "", query)
        page = [c.findtext("Key") or "" for c in answer.xml().iter("Contents")]
        assert 1 <= len(page) <= 2
        keys += page
        if answer.text("IsTruncated") == "false":
            break
        marker = answer.text("NextMarker")
    assert keys == [prefix + name for name in ("a", "b/1", "b/2", "c", "d+e 目")]


async def test_encoding_type_url_encodes_keys(cos: Site) -> None:
    prefix = await seed_tree(cos)
    answer = await cos.call("GET", EXAMPLE, "", {"prefix": prefix + "d", "encoding-type": "url"})
    assert answer.text("EncodingType") == "url"
    encoded = answer.text("Contents/Key")
    assert encoded.isascii()
    assert "+" not in encoded
    assert unquote(encoded) == prefix + "d+e 目"


@pytest.mark.parametrize("max_keys", ["-1", "x", "1.5"])
async def test_a_max_keys_that_is_no_count_is_refused(cos: Site, max_keys: str) -> None:
    assert_error(await cos.call("GET", EXAMPLE, "", {"max-keys": max_keys}), 400, "InvalidArgument")


async def test_a_bucket_that_is_not_there_is_not_listed(cos: Site) -> None:
    answer = await cos.call("GET", ABSENT, "")
    assert_error(answer, *((403, "AccessDenied") if cos.kind == "gateway" else (404, "NoSuchBucket")))


async def test_versions_and_delete_markers_are_listed_newest_first(cos: Site) -> None:
    key = fresh_key("versioned")
    first = await cos.seed_version(VERSIONED, key, b"first")
    second = await cos.seed_version(VERSIONED, key, b"second")
    marker = await cos.seed_delete_marker(VERSIONED, key)
    answer = await cos.call("GET", VERSIONED, "", {"versions": "", "prefix": key})
    assert_success(answer)
    root = answer.xml()
    assert root.tag == "ListVersionsResult"
    listed = [
        (entry.tag, entry.findtext("VersionId"), entry.findtext("IsLatest"))
        for entry in root
        if entry.tag in ("Version", "DeleteMarker")
    ]
    assert sorted(listed) == sorted(
        [("DeleteMarker", marker, "true"), ("Version", second, "false"), ("Version", first, "false")]
    )
    assert [entry[1] for entry in listed if entry[0] == "Version"] == [second, first]
    # The plain listing shows no deleted object.
    assert b"<Contents>" not in (await cos.call("GET", VERSIONED, "", {"prefix": key})).body


async def test_versions_are_read_and_deleted_by_id(cos: Site) -> None:
    key = fresh_key("versioned")
    first = await cos.seed_version(VERSIONED, key, b"first")
    second = await cos.seed_version(VERSIONED, key, b"second")
    assert (await cos.get(VERSIONED, key, {"versionId": first})).body == b"first"
    answer = await cos.delete(VERSIONED, key, {"versionId": second})
    assert answer.status == 204
    assert answer.header("x-cos-version-id") == second
    assert (await cos.get(VERSIONED, key)).body == b"first"
    assert_error(await cos.get(VERSIONED, key, {"versionId": second}), 404, "NoSuchVersion")


async def test_the_service_lists_the_accounts_buckets_and_no_others(cos: Site) -> None:
    answer = await cos.client.send("GET", "service.cos.myqcloud.com", "/")
    assert_success(answer)
    assert answer.xml().tag == "ListAllMyBucketsResult"
    listed = {b.findtext("Name"): b.findtext("Location") for b in answer.xml().iter("Bucket")}
    assert listed[EXAMPLE.name] == EXAMPLE.region
    assert listed[FARAWAY.name] == FARAWAY.region
    assert FOREIGN.name not in listed


async def test_a_regional_service_host_lists_its_region(cos: Site) -> None:
    answer = await cos.client.send("GET", f"cos.{FARAWAY.region}.myqcloud.com", "/")
    assert_success(answer)
    listed = {b.findtext("Name") for b in answer.xml().iter("Bucket")}
    assert FARAWAY.name in listed
    assert SOURCE.name not in listed


async def test_a_bucket_tells_where_it_is(cos: Site) -> None:
    head = await cos.head(FARAWAY, "")
    assert (head.status, head.header("x-cos-bucket-region")) == (200, FARAWAY.region)
    location = await cos.call("GET", FARAWAY, "", {"location": ""})
    assert location.xml().tag == "LocationConstraint"
    assert location.xml().text == FARAWAY.region


async def test_a_bucket_tells_whether_it_keeps_versions(cos: Site) -> None:
    answer = await cos.call("GET", VERSIONED, "", {"versioning": ""})
    assert answer.xml().tag == "VersioningConfiguration"
    assert answer.text("Status") == "Enabled"
    never = await cos.call("GET", EXAMPLE, "", {"versioning": ""})
    assert never.xml().find("Status") is None


@pytest.mark.parametrize("character", ["\n", "\r", "\t", "\x7f"])
async def test_characters_that_are_in_no_key_may_be_asked_for(cos: Site, character: str) -> None:
    prefix = fresh_key("tree") + "/"
    for name in ("a", "b"):
        await cos.seed(EXAMPLE, b"x", key=prefix + name)
    divided = await cos.call("GET", EXAMPLE, "", {"prefix": prefix, "delimiter": character})
    assert [entry.findtext("Key") for entry in divided.xml().iter("Contents")] == [prefix + "a", prefix + "b"]
    assert list(divided.xml().iter("CommonPrefixes")) == []
    nothing = await cos.call("GET", EXAMPLE, "", {"prefix": prefix + character})
    assert list(nothing.xml().iter("Contents")) == []
    after = await cos.call("GET", EXAMPLE, "", {"prefix": prefix, "marker": prefix + "a" + character})
    assert [entry.findtext("Key") for entry in after.xml().iter("Contents")] == [prefix + "b"]
