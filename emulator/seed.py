"""Buckets and objects that exist from the start."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from emulator.digests import digest_of
from emulator.settings import BucketSpec, EmulatorSettings, SeedObject
from emulator.store.model import (
    NULL_VERSION,
    BlobRecord,
    BucketRecord,
    Metadata,
    ObjectVersion,
    Versioning,
)
from emulator.store.pattern import pattern_record
from emulator.store.ports import Store
from emulator.store.tables import Tables


async def seed(store: Store, settings: EmulatorSettings, *, now: float, new_version_id: Callable[[], str]) -> None:
    """Create what the settings name and the store does not hold; what exists stays as it is."""
    for spec in settings.buckets:
        await store.transact(partial(_seed_bucket, spec, now))
        for item in spec.objects:
            version_id = new_version_id() if spec.versioning is Versioning.ENABLED else NULL_VERSION
            await _seed_object(store, spec, item, version_id, now)


def _seed_bucket(spec: BucketSpec, now: float, tables: Tables) -> None:
    if tables.bucket(spec.name) is None:
        tables.put_bucket(BucketRecord(spec.name, spec.region, spec.appid, now, spec.versioning, spec.shared_with))


async def _seed_object(store: Store, spec: BucketSpec, item: SeedObject, version_id: str, now: float) -> None:
    if await store.transact(lambda tables: tables.objects.current(spec.name, item.key)) is not None:
        return
    record = await store.call(lambda: _make_blob(store, item))

    def work(tables: Tables) -> None:
        tables.blobs.add(record)
        metadata = Metadata(headers=(("content-type", item.content_type),))
        tables.objects.put(ObjectVersion(spec.name, item.key, version_id, now, record.content, metadata))

    await store.transact(work)


def _make_blob(store: Store, item: SeedObject) -> BlobRecord:
    if item.pattern_bytes is not None:
        return pattern_record(item.seed, item.pattern_bytes)
    writer = store.blobs.create()
    writer.write(item.data)
    digest = digest_of([item.data])
    return BlobRecord(writer.seal(), digest.size_bytes, digest.md5, digest.crc64)
