"""`cos-gateway credentials rotate`: a new key pair in the place of the present one, while the gateway serves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.named import Named
from gateway.cli.output import ConfigOption, Refusal, say

if TYPE_CHECKING:
    from gateway.cli.remote import RemoteAdministration
    from gateway.cli.session import Session
    from gateway.credentials.credential_administration import CredentialSecret
    from gateway.credentials.rotation import Rotated, Rotation

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
    config: ConfigOption, name: str, pair: CredentialSecret, *, no_probe: bool, keep_old: bool, drain_seconds: int
) -> None:
    """Stage, probe, switch, drain and remove, saying each. Raises what `reported` reports."""
    from gateway.cli.session import local_terms, with_session

    async def work(session: Session) -> None:
        settings = session.settings
        if no_probe and settings.environment == "production":
            raise Refusal("--no-probe is refused in production: an untried credential would be in use")
        if settings.embedded.enabled and not no_probe:
            raise Refusal("the embedded COS is inside the gateway and cannot be probed from here; use --no-probe")
        async with _rotation(session) as rotation:
            rotated = await rotation.rotate(
                name, pair, local_terms(), probed=not no_probe, drain_seconds=None if keep_old else drain_seconds
            )
            _tell(name, rotated)
            if rotated.previous is None:
                return
            if keep_old:
                say(f"{name} version {rotated.previous} is kept; `credentials activate` switches back to it.")
                return
            _tell_drain(rotated.previous, drain_seconds)
            await asyncio.sleep(drain_seconds)
            await rotation.finish(name, rotated.previous, local_terms())
        say(f"{name} version {rotated.previous} is removed; its key can be deleted in the cloud console.")

    with_session(config, work)


def run_remote_rotation(
    server: str, token_file: Path | None, name: str, pair: CredentialSecret, *, keep_old: bool, drain_seconds: int
) -> None:
    """The same at a running gateway, which always probes. Raises what `reported` reports."""
    from gateway.cli.remote import RemoteAdministration, read_token
    from gateway.stores.upstream_credentials import CredentialState

    token = read_token(token_file)

    async def run() -> None:
        async with RemoteAdministration(server, token) as there:
            outcome = await there.credentials.rotate(name, pair, None if keep_old else drain_seconds)
            held = outcome.before.versions if outcome.before is not None else ()
            old = next((version.version for version in held if version.state is CredentialState.ACTIVE), None)
            say(f"{name} is replaced: the gateway tried the new pair on COS and uses it.")
            if old is None:
                return
            if keep_old:
                say(f"{name} version {old} is kept; `credentials activate` switches back to it.")
                return
            _tell_drain(old, drain_seconds)
            await asyncio.sleep(drain_seconds)
            await _until_removed(there, name, old)
        say(f"{name} version {old} is removed; its key can be deleted in the cloud console.")

    asyncio.run(run())


def run_activation(config: ConfigOption, name: str, version: int) -> None:
    """Switch to a stored version; in production only if COS accepts it. Raises what `reported` reports."""
    from gateway.cli.session import local_terms, with_session

    async def work(session: Session) -> None:
        if session.settings.environment == "production":
            async with _rotation(session) as rotation:
                await rotation.probe(name, version)
        await session.administration.credentials.activate(name, version, local_terms())

    with_session(config, work)


def _tell_drain(version: int, drain_seconds: int) -> None:
    say(f"Waiting {drain_seconds} s until no gateway can sign with version {version}.")
    say("A running gateway then removes it, even if this is interrupted.")


async def _until_removed(there: RemoteAdministration, name: str, version: int) -> None:
    """Wait for the gateway to remove a version that has drained. Raises Refusal when it does not."""
    for _ in range(REMOVAL_SECONDS):
        view = await there.credentials.show(name)
        if all(item.version != version for item in view.versions):
            return
        await asyncio.sleep(1)
    raise Refusal(f"{name} version {version} is still there; `credentials list` tells its state")


def _tell(name: str, rotated: Rotated) -> None:
    for finding in rotated.findings:
        say(f"probe of {finding}")
    say(f"{name} version {rotated.version} is in use.")


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
