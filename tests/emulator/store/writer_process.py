"""A process that writes to a disk store through the emulator as fast as it can, until it is killed.

It prints one line for each write that was acknowledged: `put <key>`, `copy <key>` or `join <key>`. The content
of a key follows from its name, so whoever opens the store afterwards knows what must be there.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from pathlib import Path

from emulator.store import DiskStore
from tests.emulator.emulators import own_site
from tests.support.names import EXAMPLE, SOURCE
from tests.support.site import Site, part_etag, pattern

WORKERS = 4


def content_of(name: str) -> bytes:
    """The bytes of the object that `put <name>` acknowledges: up to 60 KB."""
    number = int(name.rpartition("-")[2])
    return pattern(1 + number * 7919 % 60_000, seed=number)


async def work(site: Site, start: int) -> None:
    for number in itertools.count(start, WORKERS):
        name = f"object-{number}"
        await expect_200(site.put(SOURCE, name, content_of(name)))
        print("put", name, flush=True)
        header = ("x-cos-copy-source", SOURCE.source(name))
        await expect_200(site.call("PUT", EXAMPLE, f"copy-{number}", headers=[header]))
        print("copy", f"copy-{number}", flush=True)
        upload = await site.initiate(EXAMPLE, f"join-{number}")
        etag = part_etag(await site.copy_part(upload, SOURCE.source(name)))
        await expect_200(site.complete(upload, [(1, etag)]))
        print("join", f"join-{number}", flush=True)
        # Overwriting and deleting free blobs; a kill in between must not free one too many.
        await expect_200(site.put(SOURCE, "overwritten", content_of(name)))
        await site.delete(EXAMPLE, f"copy-{number - 3 * WORKERS}")


async def expect_200(answering: object) -> None:
    answer = await answering  # type: ignore[misc]
    assert answer.status == 200, answer


async def main(directory: Path, start: int) -> None:
    async with own_site(store=DiskStore(directory)) as site, asyncio.TaskGroup() as group:
        for number in range(WORKERS):
            group.create_task(work(site, start + number))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
