"""`cos-gateway credentials rotate`: a new key pair in the place of the present one, while the gateway serves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.named import Named
from gateway.cli.output import OK, ConfigOption, Refusal, say

if TYPE_CHECKING:
    from gateway.cli.remote import Asking
    from gateway.cli.remote_administration import RemoteAdministration
    from gateway.cli.session import Session
    from gateway.credentials.changes import Outcome
    from gateway.credentials.credential_administration import CredentialSecret
    from gateway.credentials.rotation import Rotation
    from gateway.credentials.views import CredentialView

DEFAULT_DRAIN_SECONDS = 65
"""As `gateway.credentials.rotation.DRAIN_SECONDS`, which help texts must not wait for; a test compares them."""

REMOVAL_SECONDS = 30
"""How long a gateway may take beyond the drain to remove a version."""

NoProbe = Annotated[bool, typer.Option("--no-probe", help="Switch untried. Refused in production.")]
Drain = Annotated[
    int, typer.Option("--drain-seconds", min=0, help="How long the old version is kept; 65 outlasts every gateway.")
]
KeepOld = Annotated[bool, typer.Option("--keep-old", help="Keep the old version for the way back; do not wait.")]


def run_rotation(
    config: ConfigOption,
    name: str,
    pair: CredentialSecret,
    *,
    no_probe: bool,
    drain_seconds: int | None,
    dry_run: bool,
) -> None:
    """Stage, probe, switch, drain and remove, saying each. `drain_seconds` None: the old version is kept.

    Raises what `reported` reports.
    """
    from gateway.cli.rehearsal import say_would_change, would_change_of
    from gateway.cli.session import local_terms, with_session

    async def work(session: Session) -> None:
        settings = session.settings
        if no_probe and settings.environment == "production":
            raise Refusal("--no-probe is refused in production: an untried credential would be in use")
        if settings.embedded.enabled and not no_probe:
            raise Refusal("the embedded COS is inside the gateway and cannot be probed from here; use --no-probe")
        async with _rotation(session) as rotation:
            terms = local_terms(dry_run=dry_run)
            rotated = await rotation.rotate(name, pair, terms, probed=not no_probe, drain_seconds=drain_seconds)
            for finding in rotated.findings:
                say(f"probe of {finding}")
            if dry_run:
                say_would_change(would_change_of(rotated.outcome))
                return
            say(f"{name} version {rotated.version} is in use.")
            if not _is_drained(name, rotated.previous, drain_seconds):
                return
            await asyncio.sleep(drain_seconds or 0)
            await rotation.finish(name, rotated.previous or 0, local_terms())
        say(f"{name} version {rotated.previous} is removed; its key can be deleted in the cloud console.")

    with_session(config, work)


def run_remote_rotation(
    server: str,
    token_file: Path | None,
    name: str,
    pair: CredentialSecret,
    *,
    drain_seconds: int | None,
    dry_run: bool,
) -> None:
    """The same at a running gateway, which always probes. Raises what `reported` reports."""
    from gateway.cli.administering import asked, rehearsed
    from gateway.cli.rehearsal import say_would_change
    from gateway.cli.remote_administration import RemoteAdministration
    from gateway.stores.upstream_credentials import CredentialState

    async def rotate(asking: Asking) -> None:
        there = RemoteAdministration(asking)
        outcome = await there.credentials.rotate(name, pair, drain_seconds)
        held = outcome.before.versions if outcome.before is not None else ()
        old = next((version.version for version in held if version.state is CredentialState.ACTIVE), None)
        say(f"{name} is replaced: the gateway tried the new pair on COS and uses it.")
        if old is None or not _is_drained(name, old, drain_seconds):
            return
        await asyncio.sleep(drain_seconds or 0)
        await _until_removed(there, name, old)
        say(f"{name} version {old} is removed; its key can be deleted in the cloud console.")

    if dry_run:
        say_would_change(rehearsed(server, token_file, rotate))
    else:
        asked(server, token_file, rotate)


def run_activation(config: ConfigOption, name: str, version: int, *, dry_run: bool) -> None:
    """Switch to a stored version; in production only if COS accepts it. Raises what `reported` reports."""
    from gateway.cli.rehearsal import say_would_change, would_change_of
    from gateway.cli.session import local_terms, with_session

    async def work(session: Session) -> Outcome[CredentialView]:
        if session.settings.environment == "production":
            async with _rotation(session) as rotation:
                await rotation.probe(name, version)
        return await session.administration.credentials.activate(name, version, local_terms(dry_run=dry_run))

    outcome = with_session(config, work)
    if dry_run:
        say_would_change(would_change_of(outcome))
        raise typer.Exit(OK)


def _is_drained(name: str, previous: int | None, drain_seconds: int | None) -> bool:
    """Say what becomes of the version that was in use; whether there is something to wait for."""
    if previous is None:
        return False
    if drain_seconds is None:
        say(f"{name} version {previous} is kept; `credentials activate` switches back to it.")
        return False
    say(f"Waiting {drain_seconds} s until no gateway can sign with version {previous}.")
    say("A running gateway then removes it, even if this is interrupted.")
    return True


async def _until_removed(there: RemoteAdministration, name: str, version: int) -> None:
    """Wait for the gateway to remove a version that has drained. Raises Refusal when it does not."""
    for _ in range(REMOVAL_SECONDS):
        view = await there.credentials.show(name)
        if all(item.version != version for item in view.versions):
            return
        await asyncio.sleep(1)
    raise Refusal(f"{name} version {version} is still there; `credentials list` tells its state")


@asynccontextmanager
async def _rotation(session: Session) -> AsyncIterator[Rotation]:
    from gateway.credential_services import choice_of
    from gateway.credentials.rotation import Rotation
    from gateway.services import bucket_records, upstream_settings
    from gateway.upstreams.http import HttpUpstream

    settings = session.settings
    stored = await session.administration.credentials.list()
    candidates = [
        *(Named(item.name, item.account) for item in settings.credentials),
        *(Named(item.name, item.account) for item in stored),
    ]
    choice, records = choice_of(settings), bucket_records(settings)
    async with aclosing(HttpUpstream(upstream_settings(settings))) as upstream:
        yield Rotation(
            session.database,
            session.vault,
            session.administration.credentials,
            upstream,
            buckets_of=lambda name: choice.buckets_of(name, records, candidates),
        )
