"""Lists as boto3 asks for them, page by page: what suites for S3 services look at first.

Source: AWS, S3 API, "ListObjects", "ListObjectsV2", "ListObjectVersions".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.support.names import CALLER_KEY, OVERSEAS, VERSIONED
from tests.support.site import Site

BUCKET = OVERSEAS.name
TREE = ("asdf", "boo/bar", "boo/baz/xyzzy", "cquux/bla", "cquux/thud")


@pytest.fixture(scope="module")
def s3(gateway_site: Site) -> Iterator[Any]:
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{gateway_site.port}",
        region_name=OVERSEAS.region,
        aws_access_key_id=CALLER_KEY.secret_id,
        aws_secret_access_key=CALLER_KEY.secret_key,
        config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}),
    )
    yield client
    client.close()


@pytest.fixture
def bucket(s3: Any) -> str:
    """A bucket with nothing in it."""
    found = s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
    if found:
        s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": entry["Key"]} for entry in found]})
    return BUCKET


def put(s3: Any, *keys: str, bucket: str = BUCKET) -> None:
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")


def keys(page: dict[str, Any]) -> list[str]:
    return [entry["Key"] for entry in page.get("Contents", [])]


def prefixes(page: dict[str, Any]) -> list[str]:
    return [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]


def test_an_empty_bucket_lists_nothing(s3: Any, bucket: str) -> None:
    assert "Contents" not in s3.list_objects(Bucket=bucket)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@pytest.mark.parametrize(
    ("prefix", "size", "pages"),
    [
        ("", 1, [(["asdf"], []), ([], ["boo/"]), ([], ["cquux/"])]),
        ("", 2, [(["asdf"], ["boo/"]), ([], ["cquux/"])]),
        ("boo/", 1, [(["boo/bar"], []), ([], ["boo/baz/"])]),
        ("boo/", 2, [(["boo/bar"], ["boo/baz/"])]),
        ("y", 2, [([], [])]),
    ],
)
@pytest.mark.parametrize("version", [1, 2])
def test_a_tree_is_walked_page_by_page(
    s3: Any, bucket: str, version: int, prefix: str, size: int, pages: list[tuple[list[str], list[str]]]
) -> None:
    put(s3, *TREE)
    found: list[tuple[list[str], list[str]]] = []
    further: dict[str, str] = {}
    while True:
        ask = s3.list_objects if version == 1 else s3.list_objects_v2
        page = ask(Bucket=bucket, Delimiter="/", Prefix=prefix, MaxKeys=size, **further)
        found.append((keys(page), prefixes(page)))
        if version == 2:
            assert page["KeyCount"] == len(keys(page)) + len(prefixes(page))
        if not page["IsTruncated"]:
            break
        further = (
            {"Marker": page["NextMarker"]} if version == 1 else {"ContinuationToken": page["NextContinuationToken"]}
        )
    assert found == pages


@pytest.mark.parametrize(
    ("stored", "delimiter", "listed", "common"),
    [
        (("bar", "baz", "cab", "foo"), "a", ["foo"], ["ba", "ca"]),
        (("b%ar", "b%az", "c%ab", "foo"), "%", ["foo"], ["b%", "c%"]),
        (("b ar", "b az", "c ab", "foo"), " ", ["foo"], ["b ", "c "]),
        (("b.ar", "b.az", "c.ab", "foo"), ".", ["foo"], ["b.", "c."]),
        (("bar", "foo"), "\n", ["bar", "foo"], []),
        (("asdf/",), "/", [], ["asdf/"]),
        (("0/", "0/1", "1999", "1999#", "1999+", "2000"), "/", ["1999", "1999#", "1999+", "2000"], ["0/"]),
        (("目录/a", "目录/b", "文件"), "/", ["文件"], ["目录/"]),
    ],
    ids=["letter", "percent", "space", "dot", "unreadable", "only a folder", "neighbours", "cjk"],
)
@pytest.mark.parametrize("version", [1, 2])
def test_any_character_divides(
    s3: Any, bucket: str, version: int, stored: tuple[str, ...], delimiter: str, listed: list[str], common: list[str]
) -> None:
    put(s3, *stored)
    page = (s3.list_objects if version == 1 else s3.list_objects_v2)(Bucket=bucket, Delimiter=delimiter)
    assert (keys(page), prefixes(page), page["Delimiter"]) == (listed, common, delimiter)


def test_a_client_that_asks_for_escapes_gets_them(s3: Any, bucket: str) -> None:
    put(s3, "foo+1/bar", "quux ab/thud", "asdf+b")
    page = s3.list_objects(Bucket=bucket, Delimiter="/", EncodingType="url")
    assert (keys(page), prefixes(page)) == (["asdf%2Bb"], ["foo%2B1/", "quux%20ab/"])


@pytest.mark.parametrize(
    ("marker", "listed"),
    [("", ["bar", "baz", "foo"]), ("baz", ["foo"]), ("bazz", ["foo"]), ("zzz", []), ("\n", ["bar", "baz", "foo"])],
    ids=["none", "a key", "no key", "behind all", "unreadable"],
)
def test_a_list_begins_behind_its_marker(s3: Any, bucket: str, marker: str, listed: list[str]) -> None:
    put(s3, "bar", "baz", "foo")
    assert keys(s3.list_objects(Bucket=bucket, Marker=marker)) == listed
    assert keys(s3.list_objects_v2(Bucket=bucket, StartAfter=marker)) == listed


def test_a_token_outranks_where_to_start(s3: Any, bucket: str) -> None:
    put(s3, "bar", "baz", "foo", "quxx")
    first = s3.list_objects_v2(Bucket=bucket, StartAfter="bar", MaxKeys=1)
    second = s3.list_objects_v2(Bucket=bucket, StartAfter="bar", ContinuationToken=first["NextContinuationToken"])
    assert (keys(first), keys(second), second["IsTruncated"]) == (["baz"], ["foo", "quxx"], False)


@pytest.mark.parametrize("version", [1, 2])
def test_no_keys_at_most_is_an_empty_page(s3: Any, bucket: str, version: int) -> None:
    put(s3, "a")
    page = (s3.list_objects if version == 1 else s3.list_objects_v2)(Bucket=bucket, MaxKeys=0)
    assert (keys(page), page["IsTruncated"], page["MaxKeys"]) == ([], False, 0)


def test_what_a_list_says_of_an_object_is_what_head_says(s3: Any, bucket: str) -> None:
    put(s3, "a")
    (listed,) = s3.list_objects(Bucket=bucket)["Contents"]
    head = s3.head_object(Bucket=bucket, Key="a")
    assert (listed["ETag"], listed["Size"]) == (head["ETag"], head["ContentLength"])
    assert abs((listed["LastModified"] - head["LastModified"]).total_seconds()) < 1
    assert listed["Owner"]["ID"]
    assert "Owner" not in s3.list_objects_v2(Bucket=bucket)["Contents"][0]
    assert s3.list_objects_v2(Bucket=bucket, FetchOwner=True)["Contents"][0]["Owner"]["ID"]


def test_versions_are_listed_newest_first_and_in_pages(s3: Any) -> None:
    name, prefix = VERSIONED.name, "s3-lists/"
    made = [s3.put_object(Bucket=name, Key=f"{prefix}{key}", Body=b"x")["VersionId"] for key in "aabab"]
    marker = s3.delete_object(Bucket=name, Key=f"{prefix}b")["VersionId"]
    pages = s3.get_paginator("list_object_versions").paginate(
        Bucket=name, Prefix=prefix, PaginationConfig={"PageSize": 2}
    )
    versions, markers = [], []
    for page in pages:
        versions += [(entry["Key"], entry["VersionId"], entry["IsLatest"]) for entry in page.get("Versions", [])]
        markers += [(entry["VersionId"], entry["IsLatest"]) for entry in page.get("DeleteMarkers", [])]
    assert markers == [(marker, True)]
    a, b = f"{prefix}a", f"{prefix}b"
    assert versions == [
        (a, made[3], True), (a, made[1], False), (a, made[0], False), (b, made[4], False), (b, made[2], False),
    ]  # fmt: skip
    for key, version, _ in [*versions, (b, marker, True)]:
        s3.delete_object(Bucket=name, Key=key, VersionId=version)
    assert "Versions" not in s3.list_object_versions(Bucket=name, Prefix=prefix)


def test_a_bucket_that_is_not_ours_is_refused(s3: Any) -> None:
    for name, status in (("nosuch-1250000000", 403), ("no-appid", 400)):
        with pytest.raises(ClientError) as caught:
            s3.list_objects(Bucket=name)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
