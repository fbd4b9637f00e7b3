"""Too much at once is told at once, cheaply, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from pathlib import Path

from gateway.app import running as running_gateway
from tests.security.faulty_upstream import MODES, faulty_upstream
from tests.security.fixture_gateway import FIXTURE, fixture_settings
from tests.support.client import Client
from tests.support.names import Key
from tests.support.waiting import PATIENCE_SECONDS

HOST = "dst-1250000000.cos.ap-guangzhou.myqcloud.com"
BOB_HOST = "bob-1250000000.cos.ap-guangzhou.myqcloud.com"


def client(port: int, name: str) -> Client:
    key = FIXTURE["keys"][name]
    return Client(port, Key(key["ak"], key["sk"]))


async def test_no_place_left_is_503_at_once_and_the_places_come_back(tmp_path: Path) -> None:
    async with faulty_upstream() as upstream:
        limits = {"port": 0, "max_in_flight": 4, "max_in_flight_per_principal": 3}
        settings = fixture_settings(
            upstream.endpoint, tmp_path, data=limits, upstream={"response_timeout_seconds": 2 * PATIENCE_SECONDS}
        )
        async with running_gateway(settings) as gateway:
            alice, bob = client(gateway.data_port, "alice"), client(gateway.data_port, "bob")
            upstream.mode = MODES["stall-before-head"]
            held = [asyncio.create_task(alice.send("GET", HOST, "/up/held")) for _ in range(3)]
            while upstream.attempts < 3:
                await asyncio.sleep(0.01)
            # Whoever waited for a place would wait for the upstream, which is given longer than this.
            async with asyncio.timeout(PATIENCE_SECONDS):
                refused = [await alice.send("GET", HOST, "/up/one-more") for _ in range(20)]
            assert not any(task.done() for task in held)
            assert {(answer.status, answer.text("Code")) for answer in refused} == {(503, "SlowDown")}
            assert {answer.header("retry-after") for answer in refused} == {"1"}
            # Another principal still has its place, until all are taken.
            held.append(asyncio.create_task(bob.send("GET", BOB_HOST, "/held")))
            while upstream.attempts < 4:
                await asyncio.sleep(0.01)
            assert (await bob.send("GET", BOB_HOST, "/one-more")).status == 503
            assert upstream.attempts == 4
            for task in held:
                task.cancel()
            await asyncio.gather(*held, return_exceptions=True)
            upstream.mode = None
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (await alice.send("GET", HOST, "/up/again")).status != 200:
                    await asyncio.sleep(0.05)


async def test_connections_beyond_the_limit_are_told_so_by_the_running_gateway(tmp_path: Path) -> None:
    async with faulty_upstream() as upstream:
        limits = {"port": 0, "max_connections": 3, "max_connections_per_address": 2}
        async with running_gateway(fixture_settings(upstream.endpoint, tmp_path, data=limits)) as gateway:
            idle = [await asyncio.open_connection("127.0.0.1", gateway.data_port) for _ in range(2)]
            # Connections are accepted in the order in which they came.
            answer = await client(gateway.data_port, "alice").send("GET", HOST, "/up/x")
            assert (answer.status, answer.text("Code")) == (503, "SlowDown")
            assert answer.header("x-cos-request-id")
            for _, writer in idle:
                writer.close()
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (await client(gateway.data_port, "alice").send("GET", HOST, "/up/x")).status != 200:
                    await asyncio.sleep(0.05)


async def test_an_upload_nobody_proved_is_refused_before_it_is_read(tmp_path: Path) -> None:
    async with (
        faulty_upstream() as upstream,
        running_gateway(fixture_settings(upstream.endpoint, tmp_path)) as gateway,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.data_port)
        writer.write(b"PUT /up/x HTTP/1.1\r\nHost: %s\r\nContent-Length: 5000000000\r\n\r\n" % HOST.encode())
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_SECONDS)
        writer.close()
        assert answer.startswith(b"HTTP/1.1 403")
        assert upstream.attempts == 0


async def test_a_client_that_waits_for_leave_to_send_is_not_given_it_in_vain(tmp_path: Path) -> None:
    async with (
        faulty_upstream() as upstream,
        running_gateway(fixture_settings(upstream.endpoint, tmp_path)) as gateway,
    ):
        asking = client(gateway.data_port, "alice")
        for target, begins in (("/admin/x", b"HTTP/1.1 403"), ("/up/x", b"HTTP/1.1 100")):
            raw = asking.render("PUT", HOST, target, headers=[("expect", "100-continue"), ("content-length", "5")])
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.data_port)
            writer.write(raw)
            assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_SECONDS)).startswith(begins)
            writer.close()
