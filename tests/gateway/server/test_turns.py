"""Whose turn it is to take a connection: nobody's for long, and nobody is left without."""

from __future__ import annotations

import pytest

from gateway.server.connections import Admission
from gateway.server.turns import PublishedConnections, Turn, Turns


@pytest.mark.parametrize(
    ("held", "greeted", "others", "mine"),
    [
        (0, 0, [0], True),
        (1, 0, [0], True),
        (2, 0, [0], False),
        (1, 1, [0], False),
        (5, 0, [9, 4], True),
        (6, 0, [9, 4], False),
        (100, 0, [99], True),
    ],
)
def test_whoever_is_ahead_of_the_least_busy_waits(held: int, greeted: int, others: list[int], mine: bool) -> None:
    turns = Turns(1 + len(others))
    turn = Turn(turns, 1)
    for number, count in enumerate(others, 2):
        Turn(turns, number).hold(count)
    turn.hold(held)
    assert turn.is_mine(greeted) is mine


def test_one_process_alone_never_waits() -> None:
    turn = Turn(Turns(1), 1)
    turn.hold(1_000_000)
    assert turn.is_mine(5)


def test_a_process_that_takes_a_seat_again_holds_nothing() -> None:
    turns = Turns(2)
    other = Turn(turns, 2)
    other.hold(50)
    first = Turn(turns, 1)
    first.hold(10)
    assert first.is_mine(0)
    Turn(turns, 2)
    assert not first.is_mine(0)


def test_nobody_waits_for_a_process_that_has_ended() -> None:
    turns = Turns(2)
    first, second = Turn(turns, 1), Turn(turns, 2)
    first.hold(10)
    second.hold(0)
    assert not first.is_mine(0)
    turns.leave(2)
    assert first.is_mine(0)
    Turn(turns, 2)
    assert not first.is_mine(0)


def test_connections_that_come_and_go_are_published() -> None:
    turns = Turns(2)
    connections = PublishedConnections(max_connections=2, max_per_address=2, turn=Turn(turns, 2))
    first = Turn(turns, 1)
    first.hold(3)
    assert not first.is_mine(0)
    admissions = [connections.enter("a") for _ in range(3)]
    assert admissions == [Admission.WELCOME, Admission.WELCOME, Admission.TURNED_AWAY]
    assert first.is_mine(0)
    for admission in admissions:
        connections.leave("a", admission)
    assert not first.is_mine(0)
