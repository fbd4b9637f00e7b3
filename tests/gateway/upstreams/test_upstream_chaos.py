"""Many requests against an unreliable upstream and impatient clients: every answer reaches its own request, and
no place in the pool is lost."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest

from gateway.ports import UpstreamError
from gateway.upstreams import PoolLimits, UpstreamSettings
from gateway.upstreams.http import HttpUpstream
from gateway.upstreams.transport import NativeTransport
from tests.gateway.upstreams.scripted_server import PATIENT, Peer, build_answer, build_request, fetch, pieces, serve
from tests.support.waiting import PATIENCE_SECONDS, until

REQUESTS = 400
PLACES = 5
SILENCE_SECONDS = 0.25
TIMEOUTS = replace(PATIENT, response_seconds=SILENCE_SECONDS, read_seconds=SILENCE_SECONDS)
LIMITS = PoolLimits(max_connections_per_origin=PLACES, max_waiters_per_origin=20)


async def misbehave(peer: Peer, chance: random.Random) -> None:
    """Answer each request with its own target, most of the time."""
    while True:
        head = await peer.read_head()
        if b"content-length: 8" in head:
            await peer.read_exactly(8)
        answer = build_answer(head.split(b" ")[1])
        match chance.randrange(12):
            case 0:
                return
            case 1:
                peer.reset()
                return
            case 2:
                await peer.send(answer + build_answer(b"poison"))
            case 3:
                await peer.send(answer)
                return
            case 4:
                await peer.send(answer[:-3])
                return
            case 5:
                await asyncio.sleep(4 * SILENCE_SECONDS)
            case 6:
                await peer.send(answer[:30])
                await asyncio.sleep(0.002)
                await peer.send(answer[30:])
            case 7:
                await peer.send(b"garbage\r\n\r\n")
            case 8:
                await peer.send(build_answer(head.split(b" ")[1], extra=b"Connection: close\r\n"))
            case _:
                await peer.send(answer)


@pytest.mark.parametrize("seed", range(4))
async def test_every_answer_reaches_its_own_request_and_no_place_is_lost(seed: int) -> None:
    chance = random.Random(seed)
    served = failed = given_up = 0

    async def ask(upstream: HttpUpstream, index: int) -> None:
        nonlocal served, failed, given_up
        target = b"/%d" % index
        method, body = chance.choice([("GET", b""), ("PUT", b"x" * 8), ("PUT", None), ("POST", b"")])
        headers = () if body == b"" else ((b"content-length", b"8"),)
        patience = chance.choice([PATIENCE_SECONDS, PATIENCE_SECONDS, PATIENCE_SECONDS, 0.01])
        try:
            async with asyncio.timeout(patience):
                sent = pieces(b"x" * 3, b"x" * 5) if body is None else body
                status, answer = await fetch(upstream, build_request(method, target=target, headers=headers), sent)
        except UpstreamError:
            failed += 1
        except TimeoutError:
            given_up += 1
        else:
            assert (status, answer) == (200, target)
            served += 1

    async with serve(lambda peer: misbehave(peer, chance)) as server:
        settings = UpstreamSettings(endpoint=server.url, timeouts=TIMEOUTS, limits=LIMITS)
        transport = NativeTransport(settings)
        upstream = HttpUpstream(settings, transport)
        waiting = asyncio.Semaphore(12)

        async def ask_in_turn(index: int) -> None:
            async with waiting:
                await ask(upstream, index)

        async with asyncio.TaskGroup() as group:
            for index in range(REQUESTS):
                group.create_task(ask_in_turn(index))
        for places in transport._pool._origins.values():
            await until(lambda: places.taken == len(places.idle) <= PLACES)  # noqa: B023  # called in this round only
            assert not places.waiters
        await upstream.aclose()
        assert transport._pool._origins == {}
        assert not transport._pool._open
    assert served + failed + given_up == REQUESTS
    assert served > REQUESTS / 3
    assert failed > 0
    assert given_up > 0
