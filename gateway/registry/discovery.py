"""Keeping the bucket registry up to date: accounts are listed now and then, and a failure changes nothing."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence

import structlog

from gateway.ports import PortError, Upstream, UpstreamCredential
from gateway.registry.buckets import BucketRegistry
from gateway.registry.listing import list_buckets

RETRY_SECONDS = 15.0
"""How soon an account that could not be listed is listed again."""

_log = structlog.get_logger(__name__)


class BucketDiscovery:
    """Lists accounts into a registry. Keep `run` going as a task."""

    def __init__(
        self,
        registry: BucketRegistry,
        upstream: Upstream,
        open_credential: Callable[[str], UpstreamCredential],
        *,
        credentials: Sequence[str],
        interval_seconds: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`credentials` are names that `open_credential` opens; `now` gives Unix seconds."""
        self._registry = registry
        self._upstream = upstream
        self._open_credential = open_credential
        self._credentials = tuple(credentials)
        self._interval_seconds = interval_seconds
        self._now = now
        self._tried = asyncio.Event()

    async def first_attempt(self) -> None:
        """Wait until every account was asked once, whatever came of it."""
        await self._tried.wait()

    async def run(self) -> None:
        """List until cancelled."""
        while True:
            whole = await self.refresh()
            self._tried.set()
            wait_seconds = self._interval_seconds if whole else min(RETRY_SECONDS, self._interval_seconds)
            # Replicas that started together do not come together.
            await asyncio.sleep(wait_seconds * random.uniform(0.8, 1.0))  # noqa: S311

    async def refresh(self) -> bool:
        """List every account once; whether all could be listed."""
        results = await asyncio.gather(*(self._list(name) for name in self._credentials))
        return all(results)

    async def _list(self, name: str) -> bool:
        try:
            credential = self._open_credential(name)
            self._registry.expect(name, credential.account)
            found = await list_buckets(self._upstream, credential, now=int(self._now()))
        except PortError as error:
            _log.warning("buckets_not_listed", credential=name, reason=str(error))
            return False
        self._registry.replace(name, credential.account, found)
        return True
