"""A credential that is fetched, held in memory and replaced before it expires.

Requests are answered from memory and never wait for a source. Each credential is renewed by one task of its own, so
that a source is never asked twice at once. While a source fails, the credential that is held serves until it
expires; then it is refused, because COS would refuse it as well.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

import structlog

from gateway.credentials.sources.source import Obtained, Source
from gateway.ports import CredentialUnavailable, PortError, UpstreamCredential

REFRESH_BEFORE_SECONDS = 600.0
"""How long before its end a credential is renewed; of a short-lived one, the last third of its life."""
EXPIRY_MARGIN_SECONDS = 5.0
"""A credential this close to its end is not used: the signed request takes a moment to arrive. Of a short-lived one
it is the last tenth of its life, so that it is renewed before."""
MIN_REFRESH_SECONDS = 1.0
RETRY_BASE_SECONDS = 1.0
RETRY_MAX_SECONDS = 60.0

_log = structlog.get_logger(__name__)


class RefreshedCredential:
    """One configured credential with a source. Keep `run` going as a task; `clock` gives monotonic seconds."""

    def __init__(
        self,
        name: str,
        account: str,
        source: Source,
        *,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self.account = account
        self._source = source
        self._clock = clock
        self._jitter = jitter
        self._held: UpstreamCredential | None = None
        self._ends_at: float | None = None
        self._failures = 0
        self._why = "it was not obtained yet"
        self._tried = asyncio.Event()

    @property
    def detail(self) -> str:
        """How it stands, for health checks."""
        if not self.available:
            return self._why
        ends = "" if self._ends_at is None else f", valid for {self._ends_at - self._clock():.0f} s"
        return f"held{ends}" + (f"; renewal fails: {self._why}" if self._failures else "")

    @property
    def available(self) -> bool:
        """Whether it can be used now."""
        if self._held is None:
            return False
        return self._ends_at is None or self._clock() < self._ends_at

    def current(self) -> UpstreamCredential:
        """The credential, from memory. Raises CredentialUnavailable with the source's last failure."""
        if self._held is None or not self.available:
            raise CredentialUnavailable(f"The credential {self.name!r} cannot be used: {self._why}")
        return self._held

    async def first_attempt(self) -> None:
        """Wait until the source was asked once, whatever came of it."""
        await self._tried.wait()

    async def run(self) -> None:
        """Renew until cancelled; ends when the credential does not expire."""
        wait_seconds = await self.renew()
        while wait_seconds is not None:
            await asyncio.sleep(wait_seconds)
            wait_seconds = await self.renew()

    async def renew(self) -> float | None:
        """Ask the source once. How long to wait before the next time, None when there is none."""
        try:
            obtained = await self._source.obtain()
        except PortError as error:
            return self._failed(error)
        finally:
            self._tried.set()
        return self._hold(obtained)

    def _hold(self, obtained: Obtained) -> float | None:
        self._held = UpstreamCredential(
            self.name, self.account, obtained.secret_id, obtained.secret_key, obtained.token
        )
        self._failures = 0
        lifetime = obtained.lifetime_seconds
        if lifetime is None:
            self._ends_at = None
            return None
        self._ends_at = self._clock() + lifetime - min(EXPIRY_MARGIN_SECONDS, lifetime / 10)
        self._why = "it has expired and was not renewed"
        _log.info("credential_renewed", credential=self.name, lifetime_seconds=round(lifetime))
        early = min(REFRESH_BEFORE_SECONDS, lifetime / 3)
        # Replicas that started together do not come together.
        return max(lifetime - early * (1 + self._jitter() / 2), MIN_REFRESH_SECONDS)

    def _failed(self, error: PortError) -> float:
        self._why = str(error)
        self._failures += 1
        _log.warning("credential_not_renewed", credential=self.name, reason=str(error), usable=self.available)
        limit = min(RETRY_BASE_SECONDS * 2.0 ** min(self._failures - 1, 10), RETRY_MAX_SECONDS)
        return limit * (0.5 + self._jitter() / 2)
