"""Calls that are made together in the loop's next turn."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from gateway.upstreams.departures import Departures
from tests.support.waiting import turns


async def test_calls_are_made_in_the_next_turn_in_their_order() -> None:
    loop, departures, made = asyncio.get_running_loop(), Departures(), list[int]()
    for number in range(3):
        departures.add(loop, partial(made.append, number))
    assert made == []
    await turns(2)
    assert made == [0, 1, 2]
    departures.add(loop, lambda: made.append(3))
    await turns(2)
    assert made == [0, 1, 2, 3]


async def test_a_call_that_fails_keeps_no_other_from_being_made() -> None:
    loop, departures = asyncio.get_running_loop(), Departures()
    made, told = list[str](), list[dict[str, Any]]()

    def fail() -> None:
        raise RuntimeError("not this one")

    loop.set_exception_handler(lambda _, context: told.append(context))
    departures.add(loop, lambda: made.append("before"))
    departures.add(loop, fail)
    departures.add(loop, lambda: made.append("after"))
    await turns(3)
    assert made == ["before", "after"]
    assert [str(context["exception"]) for context in told] == ["not this one"]
    departures.add(loop, lambda: made.append("later"))
    await turns(2)
    assert made == ["before", "after", "later"]
