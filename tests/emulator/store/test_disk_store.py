"""The disk store over the death of its process: nothing half-written, nothing acknowledged lost."""

from __future__ import annotations

import asyncio
import hashlib
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from emulator.store import DiskStore
from emulator.store.model import BucketRecord, ObjectVersion
from emulator.store.schema import content_from_text
from emulator.store.tables import Tables
from tests.emulator.emulators import own_site
from tests.emulator.store.writer_process import content_of
from tests.emulator.test_any_request import answer, signed
from tests.support.names import EXAMPLE, SOURCE
from tests.support.site import Site

ROOT = Path(__file__).parents[3]
KILLS = 8
START_SECONDS = 20.0


def write_until_killed(directory: Path, start: int, seconds: float) -> list[str]:
    """Run the writer and kill it `seconds` after its first write; returns what it acknowledged."""
    command = [sys.executable, "-m", "tests.emulator.store.writer_process", str(directory), str(start)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first, "the writer wrote nothing"
        time.sleep(seconds)
        process.kill()
        rest = process.stdout.read()
    # A line the kill has cut was not acknowledged.
    return [line.strip() for line in (first + rest).splitlines(keepends=True) if line.endswith("\n")]


async def objects_in(store: DiskStore, bucket: str) -> list[ObjectVersion]:
    return await store.transact(lambda t: t.objects.page(bucket, prefix="", after="", limit=100_000))


async def test_a_killed_process_leaves_only_whole_objects(tmp_path: Path) -> None:
    directory = tmp_path / "store"
    chance = random.Random(20260801)
    acknowledged: list[str] = []
    for kill in range(KILLS):
        new = write_until_killed(directory, kill * 1_000_000, chance.uniform(0.0, 0.4))
        acknowledged += new
        async with own_site(store=DiskStore(directory)) as site:
            await check_every_object(site)
            await check_uses(site.emulator.emulator.store, directory)  # type: ignore[arg-type]
            for line in new if kill + 1 < KILLS else acknowledged:
                await check_acknowledged(site, line)
    assert len(acknowledged) > KILLS * 3, "the writer hardly wrote"


async def check_every_object(site: Site) -> None:
    """Whatever is listed can be read, and is what its name and ETag say."""
    for bucket in (SOURCE, EXAMPLE):
        for version in await objects_in(site.emulator.emulator.store, bucket.name):  # type: ignore[arg-type]
            answer = await site.get(bucket, version.key)
            assert answer.status == 200, version
            if version.key != "overwritten":
                assert answer.body == content_of(version.key), version.key
            md5 = hashlib.md5(answer.body)
            expected = f"{hashlib.md5(md5.digest()).hexdigest()}-1" if version.key[:4] == "join" else md5.hexdigest()
            assert answer.header("etag") == f'"{expected}"', version.key


async def check_uses(store: DiskStore, directory: Path) -> None:
    """Reference counts are right, every blob has its file and every file its blob."""

    def work(tables: Tables) -> tuple[Counter[str], dict[str, int]]:
        rows = tables._connection.execute("SELECT content FROM versions UNION ALL SELECT content FROM parts").fetchall()
        used = Counter(extent.blob for row in rows for extent in content_from_text(row["content"]).extents)
        held = tables._connection.execute("SELECT blob, uses FROM blobs").fetchall()
        return used, {row["blob"]: row["uses"] for row in held}

    used, held = await store.transact(work)
    assert held == dict(used)
    assert {path.name for path in (directory / "blobs").glob("*/*")} == set(held)


async def check_acknowledged(site: Site, line: str) -> None:
    word, key = line.split()
    answer = await site.get(SOURCE if word == "put" else EXAMPLE, key)
    if word == "copy" and answer.status == 404:
        return  # the writer deletes old copies
    assert answer.status == 200, line
    assert answer.body == content_of(key), line


async def test_what_was_put_is_there_after_reopening(tmp_path: Path) -> None:
    async with own_site(store=DiskStore(tmp_path)) as site:
        await site.put(SOURCE, "kept", b"kept", [("x-cos-meta-colour", "blue")])
    async with own_site(store=DiskStore(tmp_path)) as site:
        answer = await site.get(SOURCE, "kept")
    assert (answer.status, answer.body, answer.header("x-cos-meta-colour")) == (200, b"kept", "blue")


async def test_files_that_no_row_names_are_deleted_on_opening(tmp_path: Path) -> None:
    first = DiskStore(tmp_path)
    orphan = first.blobs.create()
    orphan.write(b"sealed, then the process died before the row was written")
    blob = orphan.seal()
    (tmp_path / "blobs" / "00" / "0012.writing").write_bytes(b"cut")
    await first.close()
    assert len(list((tmp_path / "blobs").glob("*/*"))) == 2
    second = DiskStore(tmp_path)
    await second.close()
    assert list((tmp_path / "blobs").glob("*/*")) == [], blob


async def test_a_copy_takes_no_room_on_disk(tmp_path: Path) -> None:
    async with own_site(store=DiskStore(tmp_path)) as site:
        key = await site.seed(SOURCE, b"x" * 100_000)
        before = {path: path.stat().st_size for path in (tmp_path / "blobs").glob("*/*")}
        answer = await site.call("PUT", EXAMPLE, "copy", headers=[("x-cos-copy-source", SOURCE.source(key))])
        assert answer.status == 200
        after = {path: path.stat().st_size for path in (tmp_path / "blobs").glob("*/*")}
    assert before == after
    assert sum(before.values()) == 100_000


async def test_a_directory_is_open_once_at_a_time(tmp_path: Path) -> None:
    first = DiskStore(tmp_path)
    with pytest.raises(BlockingIOError):
        DiskStore(tmp_path)
    await first.close()
    await DiskStore(tmp_path).close()


@pytest.mark.parametrize("fails", [False, True], ids=["commits", "fails"])
async def test_a_cancelled_caller_waits_for_its_transaction(tmp_path: Path, fails: bool) -> None:
    store = DiskStore(tmp_path)
    begun, go_on = threading.Event(), threading.Event()

    def work(tables: Tables) -> None:
        begun.set()
        go_on.wait(10)
        tables.put_bucket(BucketRecord(SOURCE.name, SOURCE.region, "1250000000", 0.0))
        if fails:
            raise ValueError("half way")

    transacting = asyncio.create_task(store.transact(work))
    await asyncio.to_thread(begun.wait)
    transacting.cancel()
    await asyncio.sleep(0.05)
    assert not transacting.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await transacting
    held = await store.transact(lambda tables: tables.bucket(SOURCE.name))
    assert (held is None) == fails
    await store.close()


async def test_a_put_that_is_cancelled_while_it_commits_is_whole_or_absent(tmp_path: Path) -> None:
    for pause in range(30):
        async with own_site(store=DiskStore(tmp_path)) as site:
            emulator = site.emulator.emulator
            target, headers = signed("PUT", f"/k{pause}", [], {}, b"content", int(time.time()))
            putting = asyncio.create_task(answer(emulator, "PUT", target, headers, b"content"))
            await asyncio.sleep(pause * 0.0002)
            putting.cancel()
            await asyncio.wait([putting])
            await check_uses(emulator.store, tmp_path)  # type: ignore[arg-type]
            got = await site.get(SOURCE, f"k{pause}")
            assert (got.status, got.body) == (200, b"content") or got.status == 404
