"""Emulators of a test's own, asked with the signing client of the black-box tests."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from cos.signing import Scheme
from emulator.faults import FaultRule, Faults
from emulator.server import running
from emulator.store import Store
from tests.support.client import Client
from tests.support.names import SERVER_KEY
from tests.support.servers import emulator_settings
from tests.support.site import Kind, Site


@contextlib.asynccontextmanager
async def own_site(
    *,
    faults: Faults | None = None,
    settings_faults: tuple[FaultRule, ...] = (),
    store: Store | None = None,
    control: bool = False,
    **changes: Any,
) -> AsyncIterator[Site]:
    """A fresh emulator in this loop, its buckets empty; `changes` replace settings."""
    settings = emulator_settings()
    settings = replace(settings, buckets=tuple(replace(bucket, objects=()) for bucket in settings.buckets))
    settings = replace(settings, faults=settings_faults, **changes)
    control_port = 0 if control else None
    async with running(settings, faults=faults, store=store, control_port=control_port) as emulator:
        yield Site(Kind.EMULATOR, Client(emulator.port, SERVER_KEY), emulator)


def in_scheme(site: Site, scheme: Scheme) -> Site:
    """The same site, asked with signatures of another scheme."""
    return replace(site, client=replace(site.client, scheme=scheme))
