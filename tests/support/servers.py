"""The embedded COS, running for tests on a loopback port.

Each server lives in a thread with an event loop of its own, so that a session can share it between tests
and so that blocking clients (SDKs) may be called from a test.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TypeVar

from emulator.server import running as running_emulator
from emulator.settings import Account, BucketSpec, Credential, EmulatorSettings, SeedObject
from emulator.store.model import Versioning
from tests.support.client import Client
from tests.support.names import (
    ACCOUNT,
    BUCKETS,
    HUGE_BYTES,
    HUGE_KEY,
    OTHER_ACCOUNT,
    OTHER_SERVER_KEY,
    SERVER_KEY,
    SOURCE,
    VERSIONED,
)
from tests.support.site import Kind, Site

START_SECONDS = 60.0
STOP_SECONDS = 60.0
T = TypeVar("T")


@contextmanager
def in_background(manager: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """Enter an asynchronous context in a thread of its own and leave it at the end.

    What goes wrong on entering or leaving is raised here. Raises TimeoutError when either takes too long.
    """
    started: list[T] = []
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def live() -> None:
        async with manager as value:
            started.append(value)
            ready.set()
            await stop.wait()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(live())

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="server-under-test") as pool:
        life = pool.submit(run)
        life.add_done_callback(lambda _: ready.set())
        if not ready.wait(START_SECONDS):
            raise TimeoutError("the server did not start")
        try:
            if started:
                yield started[0]
        finally:
            if not life.done():
                loop.call_soon_threadsafe(stop.set)
            life.result(STOP_SECONDS)


def emulator_settings() -> EmulatorSettings:
    """The embedded COS with the buckets of `tests.support.site`."""
    return EmulatorSettings(
        accounts=(
            Account(ACCOUNT, "100000000001", (Credential(SERVER_KEY.secret_id, SERVER_KEY.secret_key),)),
            Account(
                OTHER_ACCOUNT, "100000000002", (Credential(OTHER_SERVER_KEY.secret_id, OTHER_SERVER_KEY.secret_key),)
            ),
        ),
        buckets=tuple(
            BucketSpec(
                bucket.name,
                bucket.region,
                versioning=Versioning.ENABLED if bucket == VERSIONED else Versioning.OFF,
                objects=(SeedObject(HUGE_KEY, pattern_bytes=HUGE_BYTES),) if bucket == SOURCE else (),
            )
            for bucket in BUCKETS
        ),
    )


@contextmanager
def emulator_site() -> Iterator[Site]:
    """The embedded COS by itself."""
    with in_background(running_emulator(emulator_settings())) as emulator:
        yield Site(Kind.EMULATOR, Client(emulator.port, SERVER_KEY), emulator)
