"""Connections are shared one at a time, and one whose state is unknown is never given to anybody."""

from __future__ import annotations

import asyncio

import pytest

from gateway.stores.pool import Pool
from gateway.stores.postgresql import numbered


class Connections:
    """Numbers for connections, and what was done to them."""

    def __init__(self) -> None:
        self.made = 0
        self.dropped: list[int] = []
        self.closed: list[int] = []
        self.usable = self.ends = True
        self.stuck = asyncio.Event()

    async def make(self) -> int:
        self.made += 1
        return self.made

    async def is_usable(self, _number: int) -> bool:
        return self.usable

    async def end(self, _number: int) -> bool:
        if not self.ends:
            await self.stuck.wait()
        return self.ends

    async def close(self, number: int) -> None:
        self.closed.append(number)

    async def drop(self, number: int) -> None:
        self.dropped.append(number)

    def pool(self, size: int = 2, wait_seconds: float = 5.0) -> Pool[int]:
        return Pool(
            size, wait_seconds, make=self.make, usable=self.is_usable, end=self.end, close=self.close, drop=self.drop
        )


async def test_a_connection_is_used_again_and_never_by_two() -> None:
    pool = Connections().pool()
    async with pool.taken() as first, pool.taken() as second:
        assert (first, second) == (1, 2)
    async with pool.taken() as again:
        assert again in (1, 2)


async def test_who_waits_too_long_is_told() -> None:
    pool = Connections().pool(size=1, wait_seconds=0.01)
    async with pool.taken():
        with pytest.raises(TimeoutError):
            async with pool.taken():
                pass
    async with pool.taken() as number:
        assert number == 1


async def test_a_connection_that_went_away_meanwhile_is_made_anew() -> None:
    connections = Connections()
    pool = connections.pool()
    async with pool.taken():
        pass
    connections.usable = False
    async with pool.taken() as number:
        assert number == 2
    assert connections.dropped == [1]


async def test_a_failed_block_gives_its_connection_back_after_it_was_undone() -> None:
    connections = Connections()
    pool = connections.pool()
    with pytest.raises(KeyError):
        async with pool.taken():
            raise KeyError
    async with pool.taken() as number:
        assert number == 1


@pytest.mark.parametrize("cancelled", [False, True], ids=["refused", "cancelled"])
async def test_a_connection_that_cannot_be_undone_is_dropped(cancelled: bool) -> None:
    connections = Connections()
    connections.ends = False
    pool = connections.pool(size=1)

    async def fail() -> None:
        async with pool.taken():
            raise KeyError

    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    if cancelled:
        task.cancel()
    else:
        connections.stuck.set()
    with pytest.raises(asyncio.CancelledError if cancelled else KeyError):
        await task
    assert connections.dropped == [1]
    async with pool.taken() as number:
        assert number == 2


async def test_a_connection_taken_while_the_pool_closes_is_closed_at_its_end() -> None:
    connections = Connections()
    pool = connections.pool()
    async with pool.taken():
        async with pool.taken():
            pass
        await pool.aclose()
        assert connections.closed == [2]
    assert connections.closed == [2, 1]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        pytest.param("SELECT 1", ("SELECT 1", ()), id="nothing named"),
        pytest.param("a = :b AND c = :d", ("a = $1 AND c = $2", ("b", "d")), id="two names"),
        pytest.param("a = :b AND c < :b", ("a = $1 AND c < $1", ("b",)), id="one name twice"),
        pytest.param("(:key, :key_hash)", ("($1, $2)", ("key", "key_hash")), id="one name begins another"),
    ],
)
def test_names_become_numbers(statement: str, expected: tuple[str, tuple[str, ...]]) -> None:
    assert numbered(statement) == expected
