"""Large objects do not take large memory, nor stop other requests."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

from emulator.settings import BucketSpec, SeedObject
from emulator.store.pattern import PatternReader
from tests.emulator.emulators import own_site
from tests.emulator.held_store import HeldStore
from tests.support.names import EXAMPLE, SOURCE
from tests.support.site import part_etag

GIB = 1024**3
SIZE = 6 * GIB
ALLOWED_GROWTH_BYTES = 64 * 1024 * 1024

BUCKETS = (
    BucketSpec(SOURCE.name, SOURCE.region, objects=(SeedObject("huge", pattern_bytes=SIZE, seed=3),)),
    BucketSpec(EXAMPLE.name, EXAMPLE.region),
)


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def test_copying_gigabytes_takes_no_gigabytes() -> None:
    async with own_site(buckets=BUCKETS) as site:
        upload = await site.initiate(EXAMPLE)
        before = resident_bytes()
        peak = 0

        async def watch() -> None:
            nonlocal peak
            while True:
                peak = max(peak, resident_bytes())
                await asyncio.sleep(0.02)

        watching = asyncio.create_task(watch())
        ranges = [(0, GIB), (GIB, GIB), (5 * GIB, 1024)]
        parts = []
        for number, (first, length) in enumerate(ranges, start=1):
            answer = await site.copy_part(
                upload, SOURCE.source("huge"), number=number, byte_range=f"bytes={first}-{first + length - 1}"
            )
            parts.append((number, part_etag(answer)))
        assert (await site.complete(upload, parts)).status == 200
        tail = await site.get(EXAMPLE, upload.key, headers=[("range", "bytes=-2048")])
        watching.cancel()
    assert peak - before < ALLOWED_GROWTH_BYTES
    reader = PatternReader(f"pattern-3-{SIZE}")
    assert tail.body == reader.read(2 * GIB - 1024, 1024) + reader.read(5 * GIB, 1024)
    assert parts[2][1] == f'"{hashlib.md5(reader.read(5 * GIB, 1024)).hexdigest()}"'


async def test_a_long_copy_does_not_hold_up_other_requests() -> None:
    store = HeldStore()
    async with own_site(store=store, buckets=BUCKETS) as site:
        upload = await site.initiate(EXAMPLE)
        copying = asyncio.create_task(
            site.copy_part(upload, SOURCE.source("huge"), byte_range=f"bytes=0-{GIB // 64 - 1}")
        )
        async with store.held():
            for _ in range(5):
                assert (await site.head(SOURCE, "huge")).status == 200
            assert not copying.done()
        assert (await copying).status == 200


async def test_a_download_that_nobody_reads_stops_being_produced() -> None:
    async with own_site(buckets=BUCKETS) as site:
        raw = site.client.render("GET", SOURCE.host, "/huge")
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port, limit=64 * 1024)
        writer.write(raw)
        head = await reader.readuntil(b"\r\n\r\n")
        assert f"content-length: {SIZE}".encode() in head.lower()
        before = resident_bytes()
        await asyncio.sleep(0.5)
        grown = resident_bytes() - before
        writer.close()
    assert grown < ALLOWED_GROWTH_BYTES
