"""The certificate in use: validated whole, then swapped; the old one stays on any error.

There is one way to a new one, `try_reload`, taken by changed files and by SIGHUP. Who is connected stays connected;
new connections are greeted with the new certificate. Only connections that were let in by a client certificate are
asked to come again when it changes whose certificates are believed.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from enum import StrEnum

import structlog
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from gateway.configuration.tls import TlsSettings
from gateway.readiness import Check
from gateway.tls.files import Fingerprint, TlsFileError, TlsMaterial, fingerprint, load

POLL_SECONDS = 2.0
"""How often the files are looked at. They are read when they changed and then stood still for one look: a
certificate and its key are two files, and cannot be replaced in one moment."""

_log = structlog.get_logger("gateway.tls")


class Greeting(StrEnum):
    """How a new connection's handshake ended."""

    DONE = "done"
    FAILED = "failed"
    TIMEOUT = "timeout"
    PLAIN = "plain"
    """It spoke plain HTTP."""
    GONE = "gone"
    """It left before it said anything."""


class ServerCertificate:
    """Use from one event loop. `clock` gives Unix seconds."""

    def __init__(self, settings: TlsSettings, *, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._clock = clock
        self._material: TlsMaterial | None = None
        self._read: Fingerprint = ()
        self._reloading = asyncio.Lock()
        self._soon: set[asyncio.Task[bool]] = set()
        self._reloads: Counter[tuple[str, str]] = Counter()
        self.refusal: str | None = None
        """Why the files on disk are not in use; None when they are."""
        self.greetings: Counter[Greeting] = Counter()
        self.trust_changed: list[Callable[[], None]] = []
        """Called when other client certificates are believed than before."""

    @property
    def material(self) -> TlsMaterial:
        """What is in use. Raises ValueError before the first `load`."""
        if self._material is None:
            raise ValueError("no certificate has been loaded")
        return self._material

    @property
    def context(self) -> ssl.SSLContext:
        """What the next connection is greeted with."""
        return self.material.context

    def load(self) -> None:
        """Read the files and use them: the start of the gateway. Blocks. Raises TlsFileError.

        A certificate whose time is over is used as well, and told of: clients refuse it, or they do not look.
        """
        self._read = fingerprint(self._settings)
        self._material = load(self._settings)
        if not self._material.is_current(self._now()):
            _log.error("certificate out of date", **self._described(self._material))

    async def try_reload(self, cause: str) -> bool:
        """Use the files on disk, or keep what is in use; gives whether they are. `cause` is for metric and log."""
        async with self._reloading:
            try:
                fresh = await asyncio.to_thread(load, self._settings)
                if not fresh.is_current(self._now()):
                    raise TlsFileError(
                        "tls: expected a certificate, and lists of revoked ones, whose time has come and is not "
                        f"over, got {fresh.period}."
                    )
            except TlsFileError as error:
                self._reloads[(cause, "refused")] += 1
                self.refusal = str(error)
                _log.error("certificate refused", cause=cause, reason=self.refusal, active=self.material.serial)
                return False
            before, self.refusal = self.material, None
            changed = fresh.content != before.content
            self._reloads[(cause, "active" if changed else "unchanged")] += 1
            if changed:
                self._material = fresh
                _log.info("certificate active", cause=cause, **self._described(fresh))
        if fresh.trust != before.trust:
            for tell in self.trust_changed:
                tell()
        return True

    def reload_soon(self, cause: str) -> None:
        """Start `try_reload` from a signal handler of the event loop."""
        task = asyncio.get_running_loop().create_task(self.try_reload(cause))
        self._soon.add(task)
        task.add_done_callback(self._soon.discard)

    async def watch(self, *, poll_seconds: float = POLL_SECONDS) -> None:
        """Reload when the files changed. Runs until it is cancelled."""
        seen = self._read
        while True:
            await asyncio.sleep(poll_seconds)
            found = await asyncio.to_thread(fingerprint, self._settings)
            if found == seen and found != self._read:
                # Taken before reading: what changes meanwhile is seen at the next look.
                self._read = found
                await self.try_reload("file")
            seen = found

    def check(self) -> Check:
        """For operators. Refused files leave the gateway ready: what was sound stays in use."""
        found = self.material
        detail = f"{found.subject}, serial {found.serial}, {found.period}"
        if not found.is_current(self._now()):
            detail = f"out of date: {detail}"
        if self.refusal is not None:
            detail = f"{detail}; the files on disk are refused: {self.refusal}"
        return Check("tls", ready=True, detail=detail)

    def collect(self) -> Iterator[Metric]:
        """The metrics at this moment."""
        yield GaugeMetricFamily(
            "cosgw_tls_certificate_not_after_seconds",
            "Unix time at which the certificate in use is over.",
            self.material.not_after.timestamp(),
        )
        yield GaugeMetricFamily(
            "cosgw_tls_files_refused", "1 while the files on disk are refused.", float(self.refusal is not None)
        )
        reloads = CounterMetricFamily("cosgw_tls_reloads", "Attempts to reload.", labels=["cause", "result"])
        for labels, count in self._reloads.items():
            reloads.add_metric(labels, count)
        yield reloads
        greetings = CounterMetricFamily("cosgw_tls_handshakes", "New connections.", labels=["result"])
        for greeting in Greeting:
            greetings.add_metric([greeting], self.greetings[greeting])
        yield greetings

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def _described(self, material: TlsMaterial) -> dict[str, str]:
        return {
            "subject": material.subject,
            "serial": material.serial,
            "not_after": material.not_after.isoformat(),
        }


@asynccontextmanager
async def certificate_in_use(settings: TlsSettings) -> AsyncIterator[ServerCertificate | None]:
    """The certificate of the settings, watched while the context lasts; None without one. Raises TlsFileError."""
    if settings.certificate is None:
        yield None
        return
    certificate = ServerCertificate(settings)
    certificate.load()
    watching = asyncio.create_task(certificate.watch())
    try:
        yield certificate
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
