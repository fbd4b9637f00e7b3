"""A credential with a source: held in memory, renewed before it ends, refused after."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from gateway.credentials.refreshed import RefreshedCredential
from gateway.credentials.sources.source import Obtained, SourceFailed
from gateway.ports import CredentialUnavailable, PortError
from gateway.secret import Secret
from tests.gateway.credentials.conftest import Clock


class ScriptedSource:
    """Gives what it was told, in order; the last one stays."""

    def __init__(self, *script: Obtained | PortError) -> None:
        self.script = list(script)
        self.asked = 0
        self.at_once = 0
        self.most_at_once = 0
        self.wait = asyncio.Event()
        self.wait.set()

    async def obtain(self) -> Obtained:
        self.asked += 1
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        await self.wait.wait()
        self.at_once -= 1
        given = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(given, PortError):
            raise given
        return given


def obtained(number: int = 1, lifetime_seconds: float | None = 3600) -> Obtained:
    return Obtained(f"AKID{number}", Secret(f"canary-{number}"), Secret(f"token-{number}"), lifetime_seconds)


def credential(source: ScriptedSource, clock: Clock, jitter: float = 0.0) -> RefreshedCredential:
    return RefreshedCredential("role", "1250000000", source, clock=clock, jitter=lambda: jitter)


async def test_before_the_first_answer_there_is_none(clock: Clock) -> None:
    with pytest.raises(CredentialUnavailable, match="'role' cannot be used: it was not obtained yet"):
        credential(ScriptedSource(obtained()), clock).current()


async def test_what_was_obtained_is_given_from_memory(clock: Clock) -> None:
    held = credential(source := ScriptedSource(obtained()), clock)
    await held.renew()
    for _ in range(3):
        opened = held.current()
        assert (opened.name, opened.account, opened.secret_id) == ("role", "1250000000", "AKID1")
        assert opened.token is not None
    assert source.asked == 1
    assert "canary" not in f"{held.detail} {opened!r}"


@pytest.mark.parametrize(
    ("lifetime", "jitter", "wait"),
    [
        (7200.0, 0.0, 6600.0),
        (7200.0, 1.0, 6300.0),
        (900.0, 0.0, 600.0),
        (900.0, 1.0, 450.0),
        (1.0, 0.0, 1.0),
        (None, 0.0, None),
    ],
)
async def test_it_is_renewed_before_it_ends(
    clock: Clock, lifetime: float | None, jitter: float, wait: float | None
) -> None:
    assert await credential(ScriptedSource(obtained(1, lifetime)), clock, jitter).renew() == wait


async def test_it_serves_until_shortly_before_its_end_and_not_after(clock: Clock) -> None:
    held = credential(ScriptedSource(obtained(1, 3600), SourceFailed("STS refused: X.")), clock)
    await held.renew()
    await held.renew()
    clock.now += 3594
    assert held.current().secret_id == "AKID1"
    assert "renewal fails: STS refused: X." in held.detail
    clock.now += 2
    with pytest.raises(CredentialUnavailable, match=r"STS refused: X\."):
        held.current()
    assert not held.available


async def test_a_source_that_comes_back_is_used_again(clock: Clock) -> None:
    held = credential(ScriptedSource(SourceFailed("down"), obtained(2)), clock)
    assert await held.renew() is not None
    with pytest.raises(CredentialUnavailable, match="down"):
        held.current()
    await held.renew()
    assert held.current().secret_id == "AKID2"
    assert "fails" not in held.detail


async def test_a_failing_source_is_asked_less_and_less_often(clock: Clock) -> None:
    held = credential(ScriptedSource(SourceFailed("down")), clock, jitter=1.0)
    waits = [await held.renew() for _ in range(8)]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert await credential(ScriptedSource(SourceFailed("down")), clock, jitter=0.0).renew() == 0.5


async def test_a_source_is_never_asked_twice_at_once_and_no_request_waits(clock: Clock) -> None:
    source = ScriptedSource(obtained(1, 1.5), obtained(2, 1.5), obtained(3, None))
    held = RefreshedCredential("role", "1250000000", source, jitter=lambda: 1.0)
    task = asyncio.create_task(held.run())
    await held.first_attempt()
    source.wait.clear()
    while source.asked < 2:
        await asyncio.sleep(0.01)
    # The source hangs in its second answer: what is held is answered at once, or refused at once.
    # Nothing here waits for the loop, in which the source hangs until it is told to go on.
    for _ in range(100):
        with contextlib.suppress(CredentialUnavailable):
            held.current()
    assert source.asked == 2
    source.wait.set()
    await task
    assert source.most_at_once == 1
    assert held.current().secret_id == "AKID3"


async def test_a_failure_of_the_base_credential_is_not_the_end(clock: Clock) -> None:
    held = credential(ScriptedSource(CredentialUnavailable("no credential 'base'"), obtained()), clock)
    await held.renew()
    await held.renew()
    assert held.available
