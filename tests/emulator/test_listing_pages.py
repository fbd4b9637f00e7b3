"""Listings of versions and uploads, page by page, with several rows under one key."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.emulator.emulators import own_site
from tests.support.expect import assert_error
from tests.support.names import EXAMPLE, VERSIONED
from tests.support.site import Site


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with own_site() as opened:
        yield opened


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000], ids=str)
async def test_pages_of_versions_join_without_gap_or_repeat(site: Site, size: int) -> None:
    expected = []
    for key in ("a", "b", "c"):
        made = [await site.seed_version(VERSIONED, key, b"1"), await site.seed_version(VERSIONED, key, b"2")]
        made.append(await site.seed_delete_marker(VERSIONED, key))
        expected += [(key, version_id) for version_id in reversed(made)]
    found: list[tuple[str, str]] = []
    markers = {}
    for _ in range(20):
        answer = await site.call("GET", VERSIONED, query={"versions": "", "max-keys": str(size), **markers})
        rows = [row for row in answer.xml() if row.tag in ("Version", "DeleteMarker")]
        assert len(rows) <= size
        found += [(row.findtext("Key") or "", row.findtext("VersionId") or "") for row in rows]
        if answer.text("IsTruncated") == "false":
            break
        markers = {
            "key-marker": answer.text("NextKeyMarker"),
            "version-id-marker": answer.text("NextVersionIdMarker"),
        }
    assert found == expected


async def test_a_key_marker_alone_skips_the_whole_key(site: Site) -> None:
    for key in ("a", "a", "b"):
        await site.seed_version(VERSIONED, key, b"x")
    answer = await site.call("GET", VERSIONED, query={"versions": "", "key-marker": "a"})
    assert [row.text for row in answer.xml().findall("Version/Key")] == ["b"]


async def test_a_version_marker_of_another_key_is_refused(site: Site) -> None:
    version_id = await site.seed_version(VERSIONED, "a", b"x")
    query = {"versions": "", "key-marker": "b", "version-id-marker": version_id}
    assert_error(await site.call("GET", VERSIONED, query=query), 400, "InvalidArgument")


async def test_only_the_newest_version_is_the_latest(site: Site) -> None:
    for _ in range(3):
        await site.seed_version(VERSIONED, "k", b"x")
    rows = (await site.call("GET", VERSIONED, query={"versions": ""})).xml().findall("Version/IsLatest")
    assert [row.text for row in rows] == ["true", "false", "false"]


@pytest.mark.parametrize("size", [1, 2, 4, 1000], ids=str)
async def test_pages_of_uploads_join_without_gap_or_repeat(site: Site, size: int) -> None:
    made = [(key, (await site.initiate(EXAMPLE, key)).id) for key in ("a", "b", "b", "b", "c")]
    found: list[tuple[str, str]] = []
    markers = {}
    for _ in range(20):
        answer = await site.call("GET", EXAMPLE, query={"uploads": "", "max-uploads": str(size), **markers})
        rows = answer.xml().findall("Upload")
        assert len(rows) <= size
        found += [(row.findtext("Key") or "", row.findtext("UploadId") or "") for row in rows]
        if answer.text("IsTruncated") == "false":
            break
        markers = {"key-marker": answer.text("NextKeyMarker"), "upload-id-marker": answer.text("NextUploadIdMarker")}
    assert found == sorted(made)


async def test_folded_uploads_are_spelled_as_cos_spells_them(site: Site) -> None:
    for key in ("dir/a", "dir/b", "top"):
        await site.initiate(EXAMPLE, key)
    answer = await site.call("GET", EXAMPLE, query={"uploads": "", "delimiter": "/"})
    assert [row.text for row in answer.xml().findall("CommonPrefixs/Prefix")] == ["dir/"]
    assert [row.text for row in answer.xml().findall("Upload/Key")] == ["top"]


async def test_parts_are_listed_page_by_page(site: Site) -> None:
    upload = await site.initiate()
    for number in (3, 1, 10_000):
        await site.upload_part(upload, number, b"x")
    first = await site.list_parts(upload, {"max-parts": "2"})
    assert [row.text for row in first.xml().findall("Part/PartNumber")] == ["1", "3"]
    assert (first.text("IsTruncated"), first.text("NextPartNumberMarker")) == ("true", "3")
    second = await site.list_parts(upload, {"max-parts": "2", "part-number-marker": "3"})
    assert [row.text for row in second.xml().findall("Part/PartNumber")] == ["10000"]
    assert second.text("IsTruncated") == "false"
