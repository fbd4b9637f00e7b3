"""Documents are validated, then swapped in whole; what is broken leaves the active set as it was."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from gateway.policy_files import MAX_SHOWN_ERRORS, PolicyFiles
from gateway.policy_watch import watch_policies
from policies.loading import PolicySet
from policies.problems import PolicyErrors
from policies.regions import Territories
from tests.policies.building import RAW, copy, document, end, on, pair, plain

DEADLINE_SECONDS = 30.0
READ = plain("cos:GetObject", end(RAW, "a"))
WRITE = plain("cos:PutObject", end(RAW, "a"))
READING = document(on("read"))
WRITING = document(on("write", actions="['cos:PutObject']"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.yaml").write_text(READING, "utf-8")
    return tmp_path


def loaded(*paths: Path) -> PolicyFiles:
    policies = PolicyFiles(paths, territories=Territories())
    policies.load()
    return policies


def values(policies: PolicyFiles) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for metric in policies.collect()
        for sample in metric.samples
        if not sample.name.endswith("_created")
    }


async def test_a_reload_swaps_the_whole_set(folder: Path) -> None:
    policies = loaded(folder)
    before = policies.active
    (folder / "a.yaml").write_text(WRITING, "utf-8")
    (folder / "b.yaml").write_text(document(pair()), "utf-8")
    assert await policies.try_reload("admin")
    assert not policies.decide(READ).allowed
    assert policies.decide(WRITE).allowed
    assert policies.decide(copy()).allowed
    assert before.decide(READ).allowed, "a request that holds the old set is judged by the old set"


@pytest.mark.parametrize(
    "broken",
    [
        "version: [",
        READING.replace("allow", "alow"),
        READING + "tests:\n  - {name: no, request: {principal: a, action: 'cos:GetService'}, expect: allow}\n",
        "",
        "\ud800",
    ],
    ids=["yaml", "word", "failing test", "empty", "not UTF-8"],
)
async def test_a_broken_document_leaves_the_old_set_and_says_so(folder: Path, broken: str) -> None:
    policies = loaded(folder)
    version = policies.active.version
    (folder / "b.yaml").write_bytes(broken.encode("utf-8", "surrogatepass"))
    assert not await policies.try_reload("signal")
    assert policies.decide(READ).allowed
    assert policies.healthy
    assert policies.state.startswith(f"version {version} stays active; the files on disk are refused: ")
    assert "b.yaml" in policies.state
    counted = values(policies)
    assert counted["cosgw_policy_reloads_total", "signal", "refused"] == 1
    assert counted["cosgw_policy_files_refused",] == 1
    (folder / "b.yaml").unlink()
    assert await policies.try_reload("signal")
    assert policies.state == f"version {version}"
    assert values(policies)["cosgw_policy_files_refused",] == 0


async def test_a_file_that_vanished_refuses_the_reload(folder: Path) -> None:
    policies = loaded(folder / "a.yaml")
    (folder / "a.yaml").unlink()
    with pytest.raises(PolicyErrors):
        await policies.reload("admin")
    assert policies.decide(READ).allowed


async def test_the_state_names_few_errors_and_counts_the_others(folder: Path) -> None:
    policies = loaded(folder)
    (folder / "a.yaml").write_text(READING + "a: 1\nb: 1\nc: 1\nd: 1\ne: 1\n", "utf-8")
    assert not await policies.try_reload("file")
    assert policies.state.count("a.yaml:") == MAX_SHOWN_ERRORS
    assert policies.state.endswith(f"; and {5 - MAX_SHOWN_ERRORS} more")


async def test_what_must_come_before_activation_can_keep_the_old_set(folder: Path) -> None:
    policies = loaded(folder)

    async def refuse(_: PolicySet) -> None:
        raise OSError("no audit")

    (folder / "a.yaml").write_text(WRITING, "utf-8")
    with pytest.raises(OSError, match="no audit"):
        await policies.reload("admin", before=refuse)
    assert policies.decide(READ).allowed


async def test_a_check_changes_nothing(folder: Path) -> None:
    policies = loaded(folder)
    (folder / "a.yaml").write_text(WRITING, "utf-8")
    fresh = await policies.check()
    assert fresh.decide(WRITE).allowed
    assert policies.decide(READ).allowed


async def test_requests_are_judged_while_files_are_read(folder: Path) -> None:
    policies = loaded(folder)
    statements = [on(f"s{number}", principals=f'["team:{number}"]') for number in range(4000)]
    (folder / "a.yaml").write_text(document(*statements), "utf-8")
    reloading = asyncio.create_task(policies.try_reload("file"))
    judged = 0
    while not reloading.done():
        assert policies.decide(READ).allowed or len(policies.active.statements) == 4000
        judged += 1
        await asyncio.sleep(0)
    assert await reloading
    assert judged > 1


async def test_reloads_at_once_all_end_with_what_is_on_disk(folder: Path) -> None:
    policies = loaded(folder)
    (folder / "a.yaml").write_text(WRITING, "utf-8")
    policies.reload_soon("signal")
    assert all(await asyncio.gather(*(policies.try_reload("file") for _ in range(5))))
    counted = values(policies)
    active = [count for name, count in counted.items() if name[0] == "cosgw_policy_reloads_total" and "active" in name]
    assert sum(active) == 1
    assert policies.decide(WRITE).allowed


@asynccontextmanager
async def watching(policies: PolicyFiles) -> AsyncIterator[None]:
    task = asyncio.create_task(watch_policies(policies))
    await asyncio.sleep(0.3)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_a_changed_file_is_read_by_itself(folder: Path) -> None:
    policies = loaded(folder)
    async with watching(policies):
        (folder / "a.yaml").write_text(WRITING, "utf-8")
        await eventually(lambda: policies.decide(WRITE).allowed)
        assert values(policies)["cosgw_policy_reloads_total", "file", "active"] == 1


async def test_a_file_that_is_replaced_by_renaming_is_read_by_itself(folder: Path) -> None:
    policies = loaded(folder / "a.yaml")
    async with watching(policies):
        (folder / "a.yaml.new").write_text(WRITING, "utf-8")
        (folder / "a.yaml.new").rename(folder / "a.yaml")
        await eventually(lambda: policies.decide(WRITE).allowed)


async def test_links_that_are_swapped_are_read_by_themselves(tmp_path: Path) -> None:
    for name, text in (("..1", READING), ("..2", WRITING)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.yaml").write_text(text, "utf-8")
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    policies = loaded(tmp_path)
    async with watching(policies):
        (tmp_path / "..data_tmp").symlink_to("..2")
        (tmp_path / "..data_tmp").rename(tmp_path / "..data")
        await eventually(lambda: policies.decide(WRITE).allowed)


async def test_other_files_in_the_folder_cause_nothing(folder: Path) -> None:
    policies = loaded(folder)
    async with watching(policies):
        (folder / "audit.jsonl").write_text("{}\n", "utf-8")
        await asyncio.sleep(0.6)
        assert not [name for name in values(policies) if name[0] == "cosgw_policy_reloads_total"]
