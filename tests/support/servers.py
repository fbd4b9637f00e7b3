"""Running servers for tests: the embedded COS, and the gateway in front of it. Real sockets, loopback only.

Each server lives in a thread with an event loop of its own, so that a session can share it between tests
and so that blocking clients (SDKs) may be called from a test.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

from emulator.server import RunningEmulator
from emulator.server import running as running_emulator

from emulator.settings import Account, BucketSpec, Credential, EmulatorSettings
from emulator.store.model import Versioning
from gateway.app import running as running_gateway
from gateway.settings import Settings
from tests.support.client import Client
from tests.support.names import (
    ACCOUNT,
    BUCKETS,
    CALLER_KEY,
    FOREIGN,
    GATEWAY_DOMAIN,
    OTHER_ACCOUNT,
    OTHER_SERVER_KEY,
    SERVER_KEY,
    VERSIONED,
    Key,
)
from tests.support.site import Kind, Site

START_SECONDS = 20.0
STOP_SECONDS = 20.0
PRINCIPAL = "team:conformance"
ALLOW_EVERYTHING = f"""\
version: 1
statements:
  - id: objects
    effect: allow
    principals: ["{PRINCIPAL}"]
    actions: ["cos:*"]
    resource: {{bucket: "*", key: "*"}}
  - id: copies
    effect: allow
    principals: ["{PRINCIPAL}"]
    actions: ["cos:UploadPartCopy", "cos:PutObjectCopy"]
    source: {{bucket: "*", key: "*"}}
    destination: {{bucket: "*", key: "*"}}
"""
"""COS's own rules stay: they are built in."""

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
            )
            for bucket in BUCKETS
        ),
    )


def gateway_settings(endpoint: str, folder: Path) -> Settings:
    """A gateway in front of `endpoint` that knows every bucket of ours and lets CALLER_KEY do anything."""
    policy = folder / "policy.yaml"
    policy.write_text(ALLOW_EVERYTHING, encoding="utf-8")
    return Settings.model_validate(
        {
            "data": {"port": 0, "domains": [GATEWAY_DOMAIN, "127.0.0.1", "localhost"]},
            "admin": {"port": 0},
            "upstream": {"endpoint": endpoint},
            "store": {"path": folder / "gateway.db"},
            "audit": {"path": folder / "audit.jsonl", "durability": "process"},
            "policies": {"paths": [policy]},
            "buckets": [{"name": bucket.name, "region": bucket.region} for bucket in BUCKETS if bucket != FOREIGN],
            "credentials": [
                {
                    "name": "server",
                    "account": ACCOUNT,
                    "secret_id": SERVER_KEY.secret_id,
                    "secret_key": SERVER_KEY.secret_key,
                }
            ],
            "keys": [{"id": CALLER_KEY.secret_id, "secret": CALLER_KEY.secret_key, "principal": PRINCIPAL}],
        }
    )


@contextmanager
def emulator_site() -> Iterator[Site]:
    """The embedded COS by itself."""
    with in_background(running_emulator(emulator_settings())) as emulator:
        yield site_of(Kind.EMULATOR, emulator.port, SERVER_KEY, emulator)


@contextmanager
def gateway_site(emulator: RunningEmulator, folder: Path) -> Iterator[Site]:
    """The gateway in front of a running embedded COS; its files go into `folder`."""
    settings = gateway_settings(f"http://127.0.0.1:{emulator.port}", folder)
    with in_background(running_gateway(settings)) as gateway:
        yield site_of(Kind.GATEWAY, gateway.data_port, CALLER_KEY, emulator)


def site_of(kind: Kind, port: int, key: Key, emulator: RunningEmulator) -> Site:
    return Site(kind, Client(port, key), emulator)
