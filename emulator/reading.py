"""Which version of an object a request names, and its bytes as a stream or a digest."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Generator, Sequence

from cos.errors import COSError
from emulator.digests import Digest, digest_of
from emulator.store.model import Extent, ObjectVersion
from emulator.store.ports import BlobReader, Blobs, Store
from emulator.store.tables import Tables

CHUNK_BYTES = 256 * 1024
"""How much of an object is read at a time; bounds the memory of one download or copy."""
MAX_KNOWN_DIGESTS = 1024


def find_version(tables: Tables, bucket: str, key: str, version_id: str | None) -> ObjectVersion:
    """The named version, or the current one; may be a delete marker. Raises COSError(NoSuchKey, NoSuchVersion)."""
    if version_id is None:
        current = tables.objects.current(bucket, key)
        if current is None:
            raise COSError("NoSuchKey")
        return current
    version = tables.objects.version(bucket, key, version_id)
    if version is None:
        raise COSError("NoSuchVersion")
    return version


async def stream(store: Store, extents: Sequence[Extent]) -> AsyncGenerator[bytes, None]:
    """The bytes of extents in chunks; the caller holds a lease on them."""
    chunks = _chunks(store.blobs, extents)
    try:
        while (chunk := await store.call(lambda: next(chunks, None))) is not None:
            yield chunk
    finally:
        await store.call(chunks.close)


class Digests:
    """Digests of extents, computed on a thread with bounded memory and remembered: blobs never change."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: OrderedDict[tuple[Extent, ...], Digest] = OrderedDict()

    async def of(self, extents: tuple[Extent, ...]) -> Digest:
        """The digest of extents; the caller holds a lease on them."""
        known = self._known.get(extents)
        if known is None:
            known = await asyncio.to_thread(lambda: digest_of(_chunks(self._store.blobs, extents)))
            self._known[extents] = known
            if len(self._known) > MAX_KNOWN_DIGESTS:
                self._known.popitem(last=False)
        return known


def _chunks(blobs: Blobs, extents: Sequence[Extent]) -> Generator[bytes, None, None]:
    for extent in extents:
        reader: BlobReader = blobs.open(extent.blob)
        try:
            offset, end = extent.offset, extent.offset + extent.length
            while offset < end:
                data = reader.read(offset, min(CHUNK_BYTES, end - offset))
                if not data:
                    raise EOFError(f"expected blob {extent.blob} to hold {end} bytes, it ends at {offset}")
                yield data
                offset += len(data)
        finally:
            reader.close()
