"""A gateway together with its embedded COS, if it has one: what `serve` and `demo` both run."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cos.values import Bucket
from gateway.app import Gateway, running
from gateway.settings import IN_MEMORY, Settings

if TYPE_CHECKING:
    # Imported when there is an embedded COS: a gateway without one has no memory for it to spare.
    from emulator.server import RunningEmulator
    from emulator.settings import Account, SeedObject

EMBEDDED_UIN = "100000000001"
"""The owner that listings of the embedded COS show; made up, like everything in it."""


@asynccontextmanager
async def hosted(
    settings: Settings,
    *,
    accounts: Sequence[Account] = (),
    objects: Mapping[Bucket, tuple[SeedObject, ...]] | None = None,
) -> AsyncIterator[tuple[Gateway, RunningEmulator | None]]:
    """A running gateway and the embedded COS behind it, or None when the upstream is elsewhere.

    `accounts` are those the embedded COS knows; none: those of the configured credentials. `objects` are put
    into its buckets at the start, by bucket name. Raises what `gateway.app.running` raises.
    """
    if not settings.embedded.enabled:
        async with running(settings) as gateway:
            yield gateway, None
        return
    from emulator.server import running as emulator_running
    from emulator.settings import BucketSpec, EmulatorSettings
    from emulator.store import DiskStore, MemoryStore

    embedded = EmulatorSettings(
        accounts=tuple(accounts) or configured_accounts(settings),
        buckets=tuple(
            BucketSpec(name=bucket.name, region=bucket.region, objects=(objects or {}).get(Bucket(bucket.name), ()))
            for bucket in settings.buckets
        ),
    )
    store = MemoryStore() if settings.embedded.store == IN_MEMORY else DiskStore(Path(settings.embedded.store))
    async with emulator_running(embedded, store=store, port=settings.embedded.port) as cos:
        upstream = settings.upstream.model_copy(update={"endpoint": cos.url})
        async with running(settings.model_copy(update={"upstream": upstream})) as gateway:
            yield gateway, cos


def configured_accounts(settings: Settings) -> tuple[Account, ...]:
    """One account per APPID of the registry, with the credentials that the configuration declares for it."""
    from emulator.settings import Account, Credential

    return tuple(
        Account(
            appid=appid,
            uin=EMBEDDED_UIN,
            credentials=tuple(
                Credential(
                    secret_id=credential.secret_id,
                    secret_key=credential.secret_key.reveal(),
                    token=credential.token.reveal() if credential.token is not None else None,
                )
                for credential in settings.credentials
                if credential.account == appid
                and credential.secret_id is not None
                and credential.secret_key is not None
            ),
        )
        for appid in sorted({bucket.account for bucket in settings.buckets})
    )


async def until_stopped(gateway: Gateway) -> None:
    """Wait for TERM or INT; on HUP read policy documents and certificates anew."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, gateway.services.reload_soon, "signal")
    await stop.wait()
