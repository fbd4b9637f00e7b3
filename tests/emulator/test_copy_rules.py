"""Copies where the documents leave the outcome to the service: what the emulator does, and says in constants."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest

from cos.byte_range import MAX_PART_BYTES
from emulator.copying import CONFLICTING_CONDITIONS, DELETE_MARKER_AS_SOURCE, TOO_LARGE_TO_COPY
from emulator.settings import BucketSpec, SeedObject
from emulator.store.model import Versioning
from emulator.store.pattern import PatternReader
from tests.emulator.emulators import own_site
from tests.emulator.held_store import HeldStore
from tests.support.expect import assert_error, assert_success
from tests.support.names import EXAMPLE, SOURCE, VERSIONED
from tests.support.site import MIB, Site, part_etag, pattern, quoted_md5

HUGE = 6 * 1024**3
BUCKETS = (
    BucketSpec(
        SOURCE.name,
        SOURCE.region,
        objects=(
            SeedObject("huge", pattern_bytes=HUGE),
            SeedObject("five", pattern_bytes=MAX_PART_BYTES),
            SeedObject("large", pattern_bytes=20 * MIB),
        ),
    ),
    BucketSpec(EXAMPLE.name, EXAMPLE.region),
    BucketSpec(VERSIONED.name, VERSIONED.region, Versioning.ENABLED),
)
AES256 = ("x-cos-server-side-encryption", "AES256")


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with own_site(buckets=BUCKETS) as opened:
        yield opened


async def test_conflicting_conditions_are_400(site: Site) -> None:
    key = await site.seed(SOURCE, b"x")
    conditions = {"if-match": quoted_md5(b"x"), "if-none-match": '"0"'}
    answer = await site.copy_part(await site.initiate(), SOURCE.source(key), conditions=conditions)
    assert_error(answer, 400, CONFLICTING_CONDITIONS)


async def test_a_delete_marker_named_by_its_version_is_400(site: Site) -> None:
    await site.seed_version(VERSIONED, "k", b"x")
    marker = await site.seed_delete_marker(VERSIONED, "k")
    upload = await site.initiate()
    assert_error(await site.copy_part(upload, VERSIONED.source("k", marker)), 400, DELETE_MARKER_AS_SOURCE)
    assert_error(await site.copy_part(upload, VERSIONED.source("k")), 404, "NoSuchKey")
    assert_error(await site.copy_part(upload, VERSIONED.source("k", "unknown")), 404, "NoSuchVersion")


async def test_a_plain_copy_above_5_gib_is_refused(site: Site) -> None:
    answer = await site.call("PUT", EXAMPLE, "copy", headers=[("x-cos-copy-source", SOURCE.source("huge"))])
    assert_error(answer, 405, TOO_LARGE_TO_COPY)


async def test_a_whole_source_above_5_gib_is_no_part(site: Site) -> None:
    assert_error(await site.copy_part(await site.initiate(), SOURCE.source("huge")), 400, "EntityTooLarge")


async def test_a_part_copy_has_the_etag_of_its_bytes_even_of_a_whole_large_source(site: Site) -> None:
    upload = await site.initiate()
    etag = part_etag(await site.copy_part(upload, SOURCE.source("large")))
    content = PatternReader(f"pattern-0-{20 * MIB}").read(0, 20 * MIB)
    assert etag == quoted_md5(content)
    assert (await site.complete(upload, [(1, etag)])).status == 200
    assert (await site.get(EXAMPLE, upload.key, headers=[("range", "bytes=-9")])).body == content[-9:]


async def test_a_copy_of_copies_is_the_same_bytes(site: Site) -> None:
    data = bytes(range(256)) * 8192
    key = await site.seed(SOURCE, data)
    upload = await site.initiate()
    parts = []
    for number, (first, last) in enumerate([(1, MIB), (7, MIB + 6), (100, 199)], start=1):
        answer = await site.copy_part(upload, SOURCE.source(key), number=number, byte_range=f"bytes={first}-{last}")
        parts.append((number, part_etag(answer)))
    await site.complete(upload, parts)
    joined = data[1 : MIB + 1] + data[7 : MIB + 7] + data[100:200]
    second = await site.initiate()
    answer = await site.copy_part(second, EXAMPLE.source(upload.key), byte_range=f"bytes={MIB - 5}-{2 * MIB + 49}")
    assert part_etag(answer) == quoted_md5(joined[MIB - 5 : 2 * MIB + 50])
    assert await site.copied(second) == joined[MIB - 5 : 2 * MIB + 50]


async def test_a_copied_multipart_object_has_the_md5_of_its_bytes(site: Site) -> None:
    data = b"x" * MIB + b"tail"
    upload = await site.initiate()
    parts = [
        (number, (await site.upload_part(upload, number, body)).header("etag") or "")
        for number, body in ((1, data[:MIB]), (2, data[MIB:]))
    ]
    await site.complete(upload, parts)
    answer = await site.call("PUT", EXAMPLE, "copy", headers=[("x-cos-copy-source", EXAMPLE.source(upload.key))])
    assert answer.text("ETag") == f'"{hashlib.md5(data).hexdigest()}"'


async def test_encryption_is_echoed_where_it_was_asked_for(site: Site) -> None:
    key = await site.seed(SOURCE, b"x")
    plain, encrypted = await site.initiate(), await site.initiate(headers=[AES256])
    assert (await site.copy_part(plain, SOURCE.source(key))).header(AES256[0]) is None
    copied = await site.copy_part(encrypted, SOURCE.source(key))
    assert copied.header(AES256[0]) == "AES256"
    await site.complete(encrypted, [(1, part_etag(copied))])
    assert (await site.head(EXAMPLE, encrypted.key)).header(AES256[0]) == "AES256"
    put = await site.put(SOURCE, "k", b"x", [AES256])
    assert put.header(AES256[0]) == "AES256"
    assert (await site.head(SOURCE, key)).header(AES256[0]) is None


async def test_encryption_with_other_keys_is_refused(site: Site) -> None:
    assert_error(await site.put(SOURCE, "k", b"x", [(AES256[0], "cos/kms")]), 400, "SSEContentNotSupported")


async def test_a_copy_onto_itself_must_change_something(site: Site) -> None:
    key = await site.seed(SOURCE, b"x")
    source = ("x-cos-copy-source", SOURCE.source(key))
    assert_error(await site.call("PUT", SOURCE, key, headers=[source]), 400, "InvalidRequest")
    replaced = [source, ("x-cos-metadata-directive", "Replaced"), ("x-cos-meta-new", "1")]
    assert_success(await site.call("PUT", SOURCE, key, headers=replaced))
    assert (await site.head(SOURCE, key)).header("x-cos-meta-new") == "1"
    changed = [source, ("x-cos-storage-class", "STANDARD_IA")]
    assert_success(await site.call("PUT", SOURCE, key, headers=changed))


async def test_an_archived_source_must_be_restored_first(site: Site) -> None:
    await site.put(SOURCE, "cold", b"cold", [("x-cos-storage-class", "ARCHIVE")])
    upload = await site.initiate()
    assert_error(await site.get(SOURCE, "cold"), 403, "InvalidObjectState")
    assert_error(await site.copy_part(upload, SOURCE.source("cold")), 403, "InvalidObjectState")
    assert (await site.head(SOURCE, "cold")).header("x-cos-storage-class") == "ARCHIVE"
    body = b"<RestoreRequest><Days>1</Days></RestoreRequest>"
    assert (await site.call("POST", SOURCE, "cold", {"restore": ""}, body=body)).status == 202
    assert (await site.get(SOURCE, "cold")).body == b"cold"
    assert_success(await site.copy_part(upload, SOURCE.source("cold")))
    assert (await site.head(SOURCE, "cold")).header("x-cos-restore") == 'ongoing-request="false"'


async def test_only_an_archived_object_is_restored(site: Site) -> None:
    key = await site.seed(SOURCE, b"x")
    assert_error(await site.call("POST", SOURCE, key, {"restore": ""}, body=b"<x/>"), 405, "MethodNotAllowed")


async def test_tags_go_along_with_a_copy_unless_replaced(site: Site) -> None:
    await site.put(SOURCE, "k", b"x", [("x-cos-tagging", "a=1")])
    source = ("x-cos-copy-source", SOURCE.source("k"))
    await site.call("PUT", EXAMPLE, "same", headers=[source])
    directive = ("x-cos-tagging-directive", "Replaced")
    await site.call("PUT", EXAMPLE, "other", headers=[source, directive, ("x-cos-tagging", "b=2")])
    for key, expected in (("same", "a"), ("other", "b")):
        assert (await site.call("GET", EXAMPLE, key, {"tagging": ""})).text("TagSet/Tag/Key") == expected


async def test_a_source_deleted_while_it_is_copied_is_copied_whole() -> None:
    store = HeldStore()
    async with own_site(store=store, buckets=BUCKETS) as site:
        upload = await site.initiate()
        content = pattern(MIB)
        await site.put(SOURCE, "short-lived", content)
        copying = asyncio.create_task(
            site.copy_part(upload, SOURCE.source("short-lived"), byte_range=f"bytes=0-{MIB - 2}")
        )
        async with store.held():
            assert (await site.delete(SOURCE, "short-lived")).status == 204
            assert (await site.get(SOURCE, "short-lived")).status == 404
            assert not copying.done()
        assert part_etag(await copying) == quoted_md5(content[:-1])
