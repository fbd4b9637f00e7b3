"""Of the requests that arrive together a few begin in each turn of the loop, in their order, and none is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import pytest

from gateway.exchange import Exchange
from gateway.server.starts import MAX_STARTS, Starts
from tests.gateway.server.test_consecutive_requests import NEXT
from tests.gateway.server.test_server import PATIENT, ok, serving
from tests.support.waiting import PATIENCE_SECONDS


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


def begin(starts: Starts[int], numbers: range) -> list[asyncio.Future[int]]:
    loop = asyncio.get_running_loop()
    futures = [loop.create_future() for _ in numbers]
    for number, future in zip(numbers, futures, strict=True):
        starts.begin(loop, future, number)
    return futures


def begun(futures: list[asyncio.Future[int]]) -> list[int]:
    return [future.result() for future in futures if future.done() and not future.cancelled()]


async def test_as_many_as_may_begin_at_once_and_so_many_more_in_each_turn() -> None:
    futures = begin(Starts(), range(2 * MAX_STARTS + 3))
    assert begun(futures) == list(range(MAX_STARTS))
    await asyncio.sleep(0)
    assert begun(futures) == list(range(2 * MAX_STARTS))
    await asyncio.sleep(0)
    assert begun(futures) == list(range(2 * MAX_STARTS + 3))


async def test_those_that_wait_come_before_those_that_arrive() -> None:
    starts: Starts[int] = Starts()
    first = begin(starts, range(2 * MAX_STARTS - 1))
    await asyncio.sleep(0)
    assert len(begun(first)) == 2 * MAX_STARTS - 1
    later = begin(starts, range(2))
    assert begun(later) == [0]
    await asyncio.sleep(0)
    assert begun(later) == [0, 1]


async def test_each_turn_begins_anew() -> None:
    starts: Starts[int] = Starts()
    for _ in range(3):
        assert len(begun(begin(starts, range(MAX_STARTS)))) == MAX_STARTS
        await asyncio.sleep(0)


async def test_what_was_given_up_takes_no_place() -> None:
    futures = begin(Starts(), range(3 * MAX_STARTS))
    for future in futures[MAX_STARTS : 2 * MAX_STARTS]:
        future.cancel()
    await asyncio.sleep(0)
    assert begun(futures) == [*range(MAX_STARTS), *range(2 * MAX_STARTS, 3 * MAX_STARTS)]


async def test_nothing_is_asked_of_a_loop_when_nothing_waits() -> None:
    asked: list[object] = []

    class Listened:
        def call_soon(self, callback: Callable[..., object], *arguments: object) -> None:
            asked.append(callback)
            loop.call_soon(callback, *arguments)

    loop, starts = asyncio.get_running_loop(), Starts[int]()
    for number in range(MAX_STARTS + 1):
        starts.begin(cast("asyncio.AbstractEventLoop", Listened()), loop.create_future(), number)
    for _ in range(5):
        await asyncio.sleep(0)
    # One for the turn of the one that waited, and one that finds nothing.
    assert len(asked) == 2


async def test_a_crowd_on_open_connections_is_answered_whoever_leaves_meanwhile() -> None:
    handled: list[bytes] = []

    async def handler(exchange: Exchange) -> None:
        handled.append(exchange.raw_target)
        await asyncio.sleep(0)
        await ok(exchange)

    async with serving(handler, PATIENT) as port:
        streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5 * MAX_STARTS)]
        for number in (0, 1, 2):
            for _, writer in streams:
                writer.write(NEXT % number)
            if number == 2:
                # Every third is gone before its request can begin, or just after.
                for _, writer in streams[::3]:
                    writer.transport.abort()
                del streams[::3]
            for reader, _ in streams:
                await asyncio.wait_for(reader.readuntil(b"ok"), PATIENCE_SECONDS)
        for _, writer in streams:
            writer.close()
    assert handled.count(b"/1") == 5 * MAX_STARTS
    assert handled.count(b"/2") >= len(streams)
