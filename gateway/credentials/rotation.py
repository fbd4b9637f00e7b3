"""Replacing a COS credential in the middle of the day: stage, probe, switch, drain, remove.

    stage     the next version is in the store, nobody uses it
    probe     COS accepts it wherever it accepts the present version
    switch    one transaction: the new version is in use, the old one is kept for the way back
    drain     running gateways read the store, requests in flight end
    remove    the old version is gone; now its key can be deleted in the cloud console

When the old version is to go is written by the switch itself: a running gateway removes it then, or the next one
that starts (`gateway.credentials.drain`), whatever becomes of the process that rotated.

Killed at any point, the store holds one version in use, old or new. Of two rotations of one credential at once the
one that switches first wins; the other is refused and takes its staged version back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from gateway.credentials.changes import Outcome, Terms
from gateway.credentials.credential_administration import CredentialAdministration, CredentialSecret
from gateway.credentials.probe import Finding, Verdict, probe
from gateway.credentials.upstream_credentials import upstream_credential_context
from gateway.credentials.vault import Vault
from gateway.credentials.views import CredentialVersionView, CredentialView
from gateway.credentials.watch import MAX_STALE_SECONDS
from gateway.ports import BucketRecord, Upstream, UpstreamCredential, UpstreamError
from gateway.stores.database import Database
from gateway.stores.errors import RecordConflict, RecordNotFound
from gateway.stores.upstream_credentials import CredentialState, UpstreamCredentialTable

MAX_PROBED_BUCKETS = 16
DRAIN_SECONDS = MAX_STALE_SECONDS + 5.0
"""After this long no gateway can sign with the old version: one that cannot read the store stops serving before."""


class ProbeRefused(RecordConflict):
    """COS does not accept a credential as it accepts the present version; nothing was switched."""


@dataclass(frozen=True, slots=True)
class Rotated:
    """What a rotation did. `previous` is the version that was in use, None when there was none."""

    version: int
    previous: int | None
    findings: tuple[Finding, ...]
    outcome: Outcome[CredentialView]


class Rotation:
    """Rotates the credentials of one store."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        credentials: CredentialAdministration,
        upstream: Upstream,
        *,
        buckets_of: Callable[[str], Sequence[BucketRecord]],
        now: Callable[[], float] = time.time,
    ) -> None:
        """`buckets_of` gives the buckets a credential is for, by its name; none: its account is listed instead."""
        self._database = database
        self._vault = vault
        self._credentials = credentials
        self._upstream = upstream
        self._buckets_of = buckets_of
        self._now = now

    async def rotate(
        self,
        name: str,
        pair: CredentialSecret,
        terms: Terms,
        *,
        probed: bool = True,
        drain_seconds: float | None = DRAIN_SECONDS,
    ) -> Rotated:
        """Stage a pair, probe it and switch to it. Without `probed` nobody has tried it.

        The version that was in use is removed by itself after `drain_seconds`; None: it is kept for the way back.

        A dry run probes, and changes nothing. Raises RecordNotFound, RecordChanged, InvalidRecord, ProbeRefused,
        RecordConflict when another rotation was faster, Sealed, StoreUnavailable, AuditUnavailable.
        """
        staged = await self._credentials.stage(name, pair, terms)
        view = staged.after
        if view is None or staged.before is None:
            raise RecordNotFound(f"There is no credential {name!r}.")
        version, previous = view.versions[-1].version, _active(staged.before)
        # The tag was the one before staging; the switch has a condition of its own.
        following = replace(terms, if_match=None, idempotency=None)
        tried = UpstreamCredential(name, view.account, pair.secret_id, pair.secret_key)
        try:
            findings = await self._probed(tried, version) if probed else ()
            remove_at = None if drain_seconds is None else datetime.fromtimestamp(int(self._now() + drain_seconds), UTC)
            if terms.dry_run:
                switched = _switched(view, version, remove_at)
                return Rotated(version, previous, tuple(findings), replace(staged, after=switched))
            outcome = await self._credentials.activate(
                name, version, following, instead_of=previous, remove_previous_at=remove_at
            )
        except BaseException:
            await self._take_back(name, version, following)
            raise
        return Rotated(version, previous, tuple(findings), outcome)

    async def finish(self, name: str, version: int, terms: Terms) -> None:
        """Remove the version that was replaced, unless a gateway has. Raises RecordConflict when it is in use again."""
        with suppress(RecordNotFound):
            await self._credentials.remove(name, version, terms, only_in=CredentialState.RETIRED)

    async def probe(self, name: str, version: int) -> list[Finding]:
        """Try a stored version wherever the credential is used, and compare it with the version in use.

        Raises ProbeRefused, RecordNotFound, Sealed, StoreUnavailable.
        """
        tried = await self._opened(name, version)
        if tried is None:
            raise RecordNotFound(f"There is no credential {name!r} version {version}.")
        return await self._probed(tried, version)

    async def _probed(self, tried: UpstreamCredential, version: int) -> list[Finding]:
        name = tried.name
        present = await self._opened(name, None)
        places: list[BucketRecord | None] = [*self._buckets_of(name)[:MAX_PROBED_BUCKETS]]
        findings = []
        for place in places or [None]:
            finding = await self._probe(tried, place)
            if finding.verdict is Verdict.REFUSED:
                raise ProbeRefused(f"COS does not accept version {version} of {name!r}: {finding.code}.")
            if finding.verdict is Verdict.DENIED and present is not None:
                compared = await self._probe(present, place)
                if compared.verdict is Verdict.WORKS:
                    raise ProbeRefused(f"Version {version} of {name!r} may do less than the present one, at {finding}.")
            findings.append(finding)
        return findings

    async def _probe(self, credential: UpstreamCredential, place: BucketRecord | None) -> Finding:
        try:
            return await probe(self._upstream, credential, place, int(self._now()))
        except UpstreamError as error:
            raise ProbeRefused(f"The credential could not be probed: {error}") from error

    async def _opened(self, name: str, version: int | None) -> UpstreamCredential | None:
        """A stored version, or the one in use when None is asked for; None when there is none in use."""
        for record in await UpstreamCredentialTable(self._database).versions(name):
            if record.version == version or (version is None and record.state is CredentialState.ACTIVE):
                secret = self._vault.open(record.secret_sealed, upstream_credential_context(record))
                return UpstreamCredential(record.name, record.account, record.secret_id, secret)
        return None

    async def _take_back(self, name: str, version: int, terms: Terms) -> None:
        """Remove the version this rotation staged, unless it is in use after all."""
        with suppress(RecordNotFound, RecordConflict):
            await self._credentials.remove(name, version, terms, only_in=CredentialState.STAGED)


def _switched(view: CredentialView, version: int, remove_at: datetime | None) -> CredentialView:
    """What a credential would be after a switch."""

    def after(item: CredentialVersionView) -> CredentialVersionView:
        if item.version == version:
            return item.model_copy(update={"state": CredentialState.ACTIVE})
        if not _is_active(item):
            return item
        return item.model_copy(update={"state": CredentialState.RETIRED, "remove_at": remove_at})

    return view.model_copy(update={"versions": tuple(map(after, view.versions))})


def _active(view: CredentialView) -> int | None:
    return next((item.version for item in view.versions if _is_active(item)), None)


def _is_active(version: CredentialVersionView) -> bool:
    return version.state is CredentialState.ACTIVE
