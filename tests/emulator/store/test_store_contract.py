"""What every store promises. Each test runs on the memory store and on the disk store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from emulator.digests import digest_of
from emulator.reading import Digests, stream
from emulator.store import DiskStore, MemoryStore, Store
from emulator.store.model import (
    BlobRecord,
    BucketRecord,
    Content,
    Metadata,
    ObjectVersion,
    Part,
    Upload,
    Versioning,
)
from emulator.store.tables import Tables

BUCKET = BucketRecord("bucket-1250000000", "ap-shanghai", "1250000000", 1.5, Versioning.ENABLED, ("1259999999",))


@pytest.fixture(params=["memory", "disk"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    opened: Store = MemoryStore() if request.param == "memory" else DiskStore(tmp_path / "store")
    yield opened
    await opened.close()


def sealed(store: Store, data: bytes) -> BlobRecord:
    writer = store.blobs.create()
    writer.write(data)
    digest = digest_of([data])
    return BlobRecord(writer.seal(), len(data), digest.md5, digest.crc64)


async def put(store: Store, key: str, data: bytes, version_id: str = "null") -> Content:
    record = sealed(store, data)

    def work(tables: Tables) -> None:
        tables.blobs.add(record)
        tables.objects.put(ObjectVersion(BUCKET.name, key, version_id, 2.5, record.content))

    await store.transact(work)
    return record.content


async def read(store: Store, content: Content) -> bytes:
    return b"".join([chunk async for chunk in stream(store, content.extents)])


def exists(store: Store, content: Content) -> bool:
    try:
        store.blobs.open(content.extents[0].blob).close()
    except (KeyError, FileNotFoundError):
        return False
    return True


async def test_a_bucket_is_what_was_put(store: Store) -> None:
    await store.transact(lambda tables: tables.put_bucket(BUCKET))
    assert await store.transact(lambda tables: tables.bucket(BUCKET.name)) == BUCKET
    assert await store.transact(lambda tables: tables.buckets()) == [BUCKET]
    await store.transact(lambda tables: tables.delete_bucket(BUCKET.name))
    assert await store.transact(lambda tables: tables.bucket(BUCKET.name)) is None


async def test_an_object_is_what_was_put(store: Store) -> None:
    content = Content((), 0, "0" * 32, 2**64 - 1)
    metadata = Metadata((("content-type", "text/plain"), ("meta-x", "\u00e4")), "ARCHIVE", "AES256")
    version = ObjectVersion(BUCKET.name, "目录/键", "v1", 3.25, content, metadata)
    await store.transact(lambda tables: tables.objects.put(version))
    held = await store.transact(lambda tables: tables.objects.current(BUCKET.name, "目录/键"))
    assert held is not None
    assert (held.content, held.metadata, held.modified, held.version_id) == (content, metadata, 3.25, "v1")


async def test_bytes_come_back_whole(store: Store) -> None:
    data = bytes(range(256)) * 5000
    assert await read(store, await put(store, "key", data)) == data


async def test_the_newest_version_is_the_current_one(store: Store) -> None:
    await put(store, "key", b"one", "v1")
    await put(store, "key", b"two", "v2")
    current = await store.transact(lambda tables: tables.objects.current(BUCKET.name, "key"))
    assert current is not None
    assert current.version_id == "v2"
    removed = await store.transact(lambda tables: tables.objects.remove(BUCKET.name, "key", "v2"))
    assert removed is not None
    current = await store.transact(lambda tables: tables.objects.current(BUCKET.name, "key"))
    assert current is not None
    assert (current.version_id, current.current) == ("v1", True)


async def test_a_version_with_the_same_id_is_replaced_and_its_blob_deleted(store: Store) -> None:
    first = await put(store, "key", b"one")
    second = await put(store, "key", b"two")
    assert not exists(store, first)
    assert await read(store, second) == b"two"
    page = await store.transact(lambda t: t.objects.version_page(BUCKET.name, prefix="", after="", limit=9))
    assert [version.version_id for version in page] == ["null"]


async def test_a_transaction_that_raises_changes_nothing(store: Store) -> None:
    first = await put(store, "key", b"one")

    def work(tables: Tables) -> None:
        tables.put_bucket(BUCKET)
        tables.objects.remove(BUCKET.name, "key", "null")
        raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        await store.transact(work)
    assert await store.transact(lambda tables: tables.buckets()) == []
    assert await store.transact(lambda tables: tables.objects.current(BUCKET.name, "key")) is not None
    assert await read(store, first) == b"one"


async def test_a_blob_lives_as_long_as_anything_uses_it(store: Store) -> None:
    content = await put(store, "source", b"shared")
    copy = ObjectVersion(BUCKET.name, "copy", "null", 3.0, content)
    await store.transact(lambda tables: tables.objects.put(copy))
    await store.transact(lambda tables: tables.objects.remove(BUCKET.name, "source", "null"))
    assert await read(store, content) == b"shared"
    await store.transact(lambda tables: tables.objects.remove(BUCKET.name, "copy", "null"))
    assert not exists(store, content)


async def test_a_leased_blob_outlives_its_last_use_until_it_is_released(store: Store) -> None:
    content = await put(store, "key", b"being read")
    store.lease(content.extents)
    await store.transact(lambda tables: tables.objects.remove(BUCKET.name, "key", "null"))
    assert await read(store, content) == b"being read"
    store.release(content.extents)
    await store.transact(lambda tables: None)
    assert not exists(store, content)


async def test_a_leased_blob_may_be_used_again_after_its_last_use(store: Store) -> None:
    content = await put(store, "key", b"copied while deleted")
    store.lease(content.extents)
    await store.transact(lambda tables: tables.objects.remove(BUCKET.name, "key", "null"))
    await store.transact(lambda t: t.objects.put(ObjectVersion(BUCKET.name, "copy", "null", 3.0, content)))
    store.release(content.extents)
    await store.transact(lambda tables: None)
    assert await read(store, content) == b"copied while deleted"


async def test_parts_belong_to_their_upload_and_keep_their_blobs(store: Store) -> None:
    upload = Upload("id-1", BUCKET.name, "key", 1.0, Metadata())
    records = [sealed(store, b"first"), sealed(store, b"again"), sealed(store, b"second")]

    def work(tables: Tables) -> None:
        tables.uploads.add(upload)
        for record, number in zip(records, (1, 1, 2), strict=True):
            tables.blobs.add(record)
            tables.uploads.put_part(Part(upload.upload_id, number, 2.0, record.content))

    await store.transact(work)
    parts = await store.transact(lambda tables: tables.uploads.parts(upload.upload_id))
    assert [(part.number, await read(store, part.content)) for part in parts] == [(1, b"again"), (2, b"second")]
    assert not exists(store, records[0].content), "a replaced part's blob stays"
    await store.transact(lambda tables: tables.uploads.remove(upload.upload_id))
    assert await store.transact(lambda tables: tables.uploads.get(upload.upload_id)) is None
    assert not any(exists(store, record.content) for record in records)


async def test_a_discarded_blob_is_gone(store: Store) -> None:
    writer = store.blobs.create()
    writer.write(b"x")
    blob = writer.seal()
    writer.discard()
    with pytest.raises((KeyError, FileNotFoundError)):
        store.blobs.open(blob)


async def test_keys_are_listed_in_utf_8_order(store: Store) -> None:
    keys = ["b", "a/2", "a", "é", "\U0001f600", "～", "a/1"]
    for key in keys:
        await put(store, key, b"x")
    page = await store.transact(lambda t: t.objects.page(BUCKET.name, prefix="", after="", limit=100))
    assert [version.key for version in page] == sorted(keys, key=lambda key: key.encode())
    page = await store.transact(lambda t: t.objects.page(BUCKET.name, prefix="a", after="a", limit=1))
    assert [version.key for version in page] == ["a/1"]


async def test_documents_go_with_their_version(store: Store) -> None:
    await put(store, "key", b"x", "v1")
    await store.transact(lambda t: t.documents.put(BUCKET.name, "key", "v1", "tagging", b"<Tagging/>"))
    assert await store.transact(lambda t: t.documents.get(BUCKET.name, "key", "v1", "tagging")) == b"<Tagging/>"
    await store.transact(lambda t: t.objects.remove(BUCKET.name, "key", "v1"))
    assert await store.transact(lambda t: t.documents.get(BUCKET.name, "key", "v1", "tagging")) is None


async def test_a_digest_of_a_range_is_that_of_its_bytes(store: Store) -> None:
    content = await put(store, "key", b"0123456789" * 1000)
    digest = await Digests(store).of(content.extents)
    assert digest == digest_of([b"0123456789" * 1000])
