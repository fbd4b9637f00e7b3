"""Starting and stopping an emulator: in this loop, in a thread, as a process."""

from __future__ import annotations

import asyncio
import http.client
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from emulator import server
from emulator.faults import Delay, FaultRule, Faults
from emulator.server import LOOPBACK, running, running_in_thread
from emulator.settings import BucketSpec, EmulatorSettings, SeedObject
from tests.emulator.emulators import own_site
from tests.support.names import SOURCE
from tests.support.waiting import PATIENCE_SECONDS, until

ROOT = Path(__file__).parents[2]
SERVE = """
import sys
from emulator.server import serve
from emulator.settings import EmulatorSettings
from tests.support.waiting import PATIENCE_SECONDS, until
serve(EmulatorSettings(), port=int(sys.argv[1]))
"""


def ask(port: int) -> int:
    """The status of an unsigned request."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=PATIENCE_SECONDS)
    connection.request("GET", "/")
    status = connection.getresponse().status
    connection.close()
    return status


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def test_a_thread_serves_clients_that_block_and_ends_with_the_block() -> None:
    threads = threading.active_count()
    with running_in_thread(EmulatorSettings()) as emulator:
        assert ask(emulator.port) == 403
    with pytest.raises(ConnectionRefusedError):
        ask(emulator.port)
    assert threading.active_count() == threads


async def test_a_port_in_use_is_reported() -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            async with running(EmulatorSettings(), port=taken.getsockname()[1]):
                pass


async def test_a_request_in_flight_is_answered_before_the_end() -> None:
    faults = Faults([FaultRule(Delay(0.3), operation="PutObject")])
    async with own_site(faults=faults) as site:
        put = asyncio.create_task(site.put(SOURCE, "k", b"x"))
        # Once the request is there, which the delay's rule counts, the server ends.
        await until(lambda: any(armed._struck for armed in faults._armed))
    assert (await put).status == 200


async def test_idle_connections_do_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    # Requests in flight would be given this time.
    monkeypatch.setattr(server, "DRAIN_SECONDS", 2 * PATIENCE_SECONDS)
    async with own_site() as site:
        reader, writer = await asyncio.open_connection(LOOPBACK, site.port)
        # It has been accepted: the next one is answered.
        assert (await site.head(SOURCE, "k")).status == 404
        started = time.monotonic()
    assert time.monotonic() - started < PATIENCE_SECONDS
    assert await reader.read() == b""
    writer.close()


async def test_a_client_that_never_reads_does_not_hold_up_the_end_for_long() -> None:
    buckets = (BucketSpec(SOURCE.name, SOURCE.region, objects=(SeedObject("huge", pattern_bytes=2**30),)),)
    async with own_site(buckets=buckets) as site:
        _, writer = await asyncio.open_connection(LOOPBACK, site.port, limit=1024)
        writer.write(site.client.render("GET", SOURCE.host, "/huge"))
        await asyncio.sleep(0.2)
        started = time.monotonic()
    assert time.monotonic() - started < PATIENCE_SECONDS
    writer.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_a_process_serves_until_its_signal(number: signal.Signals) -> None:
    port = free_port()
    with subprocess.Popen([sys.executable, "-c", SERVE, str(port)], cwd=ROOT, stderr=subprocess.PIPE) as process:
        for _ in range(600):
            try:
                assert ask(port) == 403
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        else:
            raise AssertionError("the emulator did not start")
        process.send_signal(number)
        _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, errors) == (0, b"")
