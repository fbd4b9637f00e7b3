"""Requests that follow each other on one connection share a task, and nobody notices."""

from __future__ import annotations

import asyncio
import gc
import weakref

from gateway.exchange import Exchange
from tests.gateway.server.test_server import LONG_SECONDS, PATIENT, ok, serving
from tests.support.waiting import PATIENCE_SECONDS, until

NEXT = b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n"


def tasks_of_connections() -> list[asyncio.Task[object]]:
    return [task for task in asyncio.all_tasks() if "DataProtocol" in repr(task.get_coro())]


async def test_whoever_is_busy_after_its_answer_holds_up_nobody() -> None:
    busy, ended = asyncio.Event(), asyncio.Event()
    handling: list[bytes] = []
    cancelled: list[bytes] = []

    async def handler(exchange: Exchange) -> None:
        if exchange.raw_target == b"/9":
            handling.append(exchange.raw_target)
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(exchange.raw_target)
                ended.set()
                raise
        await ok(exchange)
        if exchange.raw_target == b"/1":
            await busy.wait()

    async with serving(handler, PATIENT) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in (0, 1, 2, 3):
            writer.write(NEXT % number)
            await asyncio.wait_for(reader.readuntil(b"ok"), PATIENCE_SECONDS)
        assert len(tasks_of_connections()) == 2
        busy.set()
        writer.write(NEXT % 9)
        # Whoever was busy ends; the task of the present request is the one that is cancelled.
        await until(lambda: handling and len(tasks_of_connections()) == 1)
        writer.close()
        await asyncio.wait_for(ended.wait(), PATIENCE_SECONDS)
    assert cancelled == [b"/9"]


async def test_a_handler_that_fails_after_its_answer_does_not_end_the_connection() -> None:
    loop = asyncio.get_running_loop()
    reported: list[object] = []
    loop.set_exception_handler(lambda _, context: reported.append(context.get("exception")))

    async def handler(exchange: Exchange) -> None:
        await ok(exchange)
        if exchange.raw_target == b"/0":
            raise LookupError("after the answer")

    try:
        async with serving(handler, PATIENT) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for number in (0, 1, 2):
                writer.write(NEXT % number)
                await asyncio.wait_for(reader.readuntil(b"ok"), PATIENCE_SECONDS)
            writer.close()
        gc.collect()
    finally:
        loop.set_exception_handler(None)
    assert [type(error) for error in reported] == [LookupError]


async def test_between_requests_nothing_is_kept_of_the_last_one() -> None:
    kept: list[weakref.ref[object]] = []

    class Payload:
        def feed(self, piece: bytes, /) -> bytes:
            return piece

        def finish(self) -> None:
            pass

    async def handler(exchange: Exchange) -> None:
        exchange.payload = Payload()
        kept.append(weakref.ref(exchange.payload))
        await ok(exchange)

    async with serving(handler, PATIENT) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in (0, 1, 2):
            writer.write(NEXT % number)
            await asyncio.wait_for(reader.readuntil(b"ok"), PATIENCE_SECONDS)
        await until(lambda: [payload() for payload in kept] == [None] * 3)
        writer.close()


async def test_a_client_that_leaves_between_requests_leaves_no_task() -> None:
    async with serving(ok, PATIENT) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(NEXT % 0)
        await asyncio.wait_for(reader.readuntil(b"ok"), PATIENCE_SECONDS)
        assert len(tasks_of_connections()) == 1
        writer.close()
        await until(lambda: not tasks_of_connections())


async def test_a_server_that_ends_does_not_wait_for_idle_connections() -> None:
    # The connection would rest, and requests be given time to end, for longer than the test waits.
    async with asyncio.timeout(PATIENCE_SECONDS), serving(ok, PATIENT, grace_seconds=int(LONG_SECONDS)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(NEXT % 0)
        await reader.readuntil(b"ok")
    assert await asyncio.wait_for(reader.read(), PATIENCE_SECONDS) == b""
    assert tasks_of_connections() == []
    writer.close()
