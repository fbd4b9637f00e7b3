"""One question, one answer, between processes that may be gone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from gateway.workers.questions import Answering, Channel, ask, open_channel


@pytest.fixture
def channel() -> Iterator[Channel]:
    made = open_channel()
    with made.asker, made.answerer:
        yield made


async def echo(question: str) -> bytes:
    return question.encode() * 100_000


async def test_an_answer_of_any_size_arrives_whole(channel: Channel) -> None:
    answering = Answering(channel, echo)
    answers = await asyncio.gather(*(ask(channel, f"question-{n}", timeout_seconds=30) for n in range(8)))
    assert answers == [f"question-{n}".encode() * 100_000 for n in range(8)]
    answering.close()


async def test_nobody_answers_and_the_asker_goes_on(channel: Channel) -> None:
    assert await ask(channel, "state", timeout_seconds=0.05) is None


async def test_questions_that_nobody_takes_do_not_pile_up(channel: Channel) -> None:
    answers = [await ask(channel, "state", timeout_seconds=0.001) for _ in range(2000)]
    assert set(answers) == {None}


async def test_who_comes_later_answers_what_is_asked_then(channel: Channel) -> None:
    assert await ask(channel, "state", timeout_seconds=0.01) is None
    answering = Answering(channel, echo)
    assert await ask(channel, "x", timeout_seconds=30) == b"x" * 100_000
    answering.close()


async def test_an_answer_that_fails_is_no_answer(channel: Channel) -> None:
    async def fail(_: str) -> bytes:
        await asyncio.sleep(0)
        raise asyncio.CancelledError

    answering = Answering(channel, fail)
    assert await ask(channel, "state", timeout_seconds=30) is None
    answering.close()


@pytest.mark.parametrize("length", [1, 63, 64])
async def test_questions_of_up_to_the_limit_arrive(channel: Channel, length: int) -> None:
    answering = Answering(channel, echo)
    assert await ask(channel, "q" * length, timeout_seconds=30) == b"q" * length * 100_000
    answering.close()
