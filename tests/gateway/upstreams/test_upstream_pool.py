"""How many connections there are, who waits for one, and how they end."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gateway.ports import UpstreamBroken, UpstreamUnreachable
from gateway.upstreams import PoolLimits, TransportKind, UpstreamSettings
from gateway.upstreams.pool import NoFreeConnection, Origin
from gateway.upstreams.transport import NativeTransport
from tests.gateway.upstreams.scripted_server import (
    PATIENT,
    Peer,
    build_answer,
    build_request,
    fetch,
    open_upstream,
    serve,
)
from tests.support.waiting import PATIENCE_SECONDS, turns, until

NATIVE = TransportKind.NATIVE


async def test_connections_are_bounded_and_requests_wait_for_one(kind: TransportKind) -> None:
    most = 0

    async def script(peer: Peer) -> None:
        nonlocal most
        while True:
            await peer.read_head()
            most = max(most, server.open_connections)
            await asyncio.sleep(0.002)
            await peer.send(build_answer())

    limits = PoolLimits(max_connections_per_origin=3)
    async with serve(script) as server, open_upstream(kind, server.url, limits=limits) as upstream:
        answers = await asyncio.gather(*(fetch(upstream) for _ in range(30)))
    assert answers == [(200, b"fine")] * 30
    assert most <= (3 if kind is NATIVE else 4)
    assert len(server.heads) == 30


async def never(peer: Peer) -> None:
    """Accept and say nothing."""
    await peer.read_head()
    await peer.wait_closed_by_client()


async def test_wait_for_a_free_connection_ends_at_its_deadline(kind: TransportKind) -> None:
    limits, timeouts = PoolLimits(max_connections_per_origin=1), replace(PATIENT, pool_seconds=0.05)
    async with serve(never) as server, open_upstream(kind, server.url, limits=limits, timeouts=timeouts) as upstream:
        holding = asyncio.create_task(fetch(upstream))
        await until(lambda: server.heads)
        with pytest.raises(UpstreamUnreachable) as caught:
            await fetch(upstream)
        assert not caught.value.sent
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)
    assert len(server.heads) == 1


async def test_an_origin_that_says_nothing_takes_no_place_of_another() -> None:
    async def prompt(peer: Peer) -> None:
        while True:
            await peer.read_head()
            await peer.send(build_answer())

    limits = PoolLimits(max_connections_per_origin=2, max_waiters_per_origin=4)
    async with serve(never) as silent, serve(prompt) as other:
        # The endpoint only says that private addresses are meant; each request says where it goes.
        transport = NativeTransport(UpstreamSettings(endpoint=silent.url, transport=NATIVE, limits=limits))

        async def ask(port: int) -> int:
            origin = Origin("127.0.0.1", port, None)
            names, values = (b"host", b"content-length"), (b"bucket", b"0")
            return (await transport.send(origin, b"GET", b"/key", names, values, b"", PATIENT)).status

        stuck = [asyncio.create_task(ask(silent.port)) for _ in range(6)]
        await until(lambda: len(silent.heads) == 2)
        assert [await ask(other.port) for _ in range(20)] == [200] * 20
        assert not any(task.done() for task in stuck), "two in exchanges, four waiting for a place"
        assert (silent.connections, other.connections) == (2, 1)
        for task in stuck:
            task.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)
        await transport.aclose()


async def test_request_beyond_the_waiting_room_is_refused_at_once() -> None:
    limits = PoolLimits(max_connections_per_origin=1, max_waiters_per_origin=2)
    async with serve(never) as server, open_upstream(NATIVE, server.url, limits=limits) as upstream:
        waiting = [asyncio.create_task(fetch(upstream)) for _ in range(3)]
        await until(lambda: server.heads)
        # The others may wait for a place longer than this does.
        async with asyncio.timeout(PATIENCE_SECONDS):
            with pytest.raises(NoFreeConnection):
                await fetch(upstream)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_waiter_that_gave_up_does_not_keep_its_place() -> None:
    gate = asyncio.Event()

    async def script(peer: Peer) -> None:
        while True:
            await peer.read_head()
            await gate.wait()
            await peer.send(build_answer())

    limits = PoolLimits(max_connections_per_origin=1)
    async with serve(script) as server, open_upstream(NATIVE, server.url, limits=limits) as upstream:
        first = asyncio.create_task(fetch(upstream))
        await until(lambda: server.heads)
        quitter = asyncio.create_task(fetch(upstream))
        patient = asyncio.create_task(fetch(upstream))
        await turns()
        quitter.cancel()
        gate.set()
        assert await first == await patient == (200, b"fine")
        assert await fetch(upstream) == (200, b"fine")
    assert (server.connections, len(server.heads)) == (1, 3)


async def test_waiter_that_gives_up_as_its_turn_comes_passes_it_on() -> None:
    limits = PoolLimits(max_connections_per_origin=1)
    gate = asyncio.Event()

    async def script(peer: Peer) -> None:
        while True:
            await peer.read_head()
            await gate.wait()
            await peer.send(build_answer())

    async with serve(script) as server, open_upstream(NATIVE, server.url, limits=limits) as upstream:

        async def ask_and_cancel() -> None:
            response = await upstream.send(build_request(), b"")
            # The whole answer was here, so the connection already went to the waiter, which has not run yet.
            quitter.cancel()
            await response.aclose()

        asking = asyncio.create_task(ask_and_cancel())
        await until(lambda: server.heads)
        quitter = asyncio.create_task(fetch(upstream))
        await turns()
        gate.set()
        await asking
        with pytest.raises(asyncio.CancelledError):
            await quitter
        assert await fetch(upstream) == (200, b"fine")
    assert (server.connections, len(server.heads)) == (1, 2)


async def test_place_of_a_failed_connection_goes_to_the_next_request() -> None:
    async def script(peer: Peer) -> None:
        await peer.read_head()
        if len(server.heads) > 1:
            await peer.send(build_answer())

    limits = PoolLimits(max_connections_per_origin=1)
    async with serve(script) as server, open_upstream(NATIVE, server.url, limits=limits) as upstream:
        results = await asyncio.gather(*(fetch(upstream) for _ in range(4)), return_exceptions=True)
    assert isinstance(results[0], UpstreamBroken)
    assert results[1:] == [(200, b"fine")] * 3


async def test_refused_connections_leave_no_place_taken(kind: TransportKind) -> None:
    async with serve(never) as server:
        url = server.url
    limits = PoolLimits(max_connections_per_origin=1)
    async with open_upstream(kind, url, limits=limits) as upstream:
        for _ in range(3):
            with pytest.raises(UpstreamUnreachable) as caught:
                await fetch(upstream)
            assert not isinstance(caught.value, NoFreeConnection)


# --- closing ------------------------------------------------------------------------------------------------


async def test_close_drops_resting_and_busy_connections_and_refuses_new_requests() -> None:
    async def script(peer: Peer) -> None:
        head = await peer.read_head()
        if b"/busy" not in head:
            await peer.send(build_answer())
        await peer.wait_closed_by_client()

    async with serve(script) as server:
        async with open_upstream(NATIVE, server.url) as upstream:
            busy = asyncio.create_task(fetch(upstream, build_request(target=b"/busy")))
            await fetch(upstream)
            await until(lambda: len(server.heads) == 2)
            assert server.open_connections == 2
            await upstream.aclose()
            with pytest.raises(UpstreamBroken):
                await busy
            with pytest.raises(UpstreamUnreachable):
                await fetch(upstream)
        await until(lambda: server.open_connections == 0)
