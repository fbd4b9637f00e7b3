"""`cos-gateway env`: what to paste into a program so that it uses the gateway."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.output import ConfigOption, reported, say
from gateway.cli.snippets import SNIPPETS
from gateway.cli.snippets.trust import trust_lines

if TYPE_CHECKING:
    from gateway.settings import Settings

PLACEHOLDER = "YOUR_SECRET"

Sdk = StrEnum("Sdk", {name: name for name in SNIPPETS})  # type: ignore[misc]  # the members are the table's names


def env(
    sdk: Annotated[Sdk, typer.Argument(help="Which client.", show_default=False)],
    endpoint: Annotated[
        str | None, typer.Option(help="URL of the gateway; else what --config says.", show_default=False)
    ] = None,
    key_id: Annotated[str, typer.Option(help="Access key id.")] = "YOUR_KEY_ID",
    bucket: Annotated[str, typer.Option(help="Bucket to copy to.")] = "media-1250000000",
    source: Annotated[str, typer.Option(help="Bucket to copy from.")] = "raw-1250000000",
    region: Annotated[str, typer.Option(help="Region of both.")] = "ap-guangzhou",
    ca: Annotated[
        Path | None, typer.Option(help="PEM file of the authority of an https gateway.", show_default=False)
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Print a snippet for an SDK. The secret is left for you to fill in: it never comes from arguments."""
    if endpoint is None:
        endpoint = _configured_endpoint(config)
    endpoint = endpoint.rstrip("/")
    say(
        trust_lines(sdk.value, endpoint, str(ca) if ca is not None else None)
        + SNIPPETS[sdk.value](
            endpoint=endpoint,
            key_id=key_id,
            secret=PLACEHOLDER,
            bucket=bucket,
            region=region,
            source=source,
        ).rstrip()
    )


def _configured_endpoint(config: Path | None) -> str:
    """Where the gateway of a configuration file is; without one, where it is by default."""
    with reported():
        from gateway.settings import Settings, load_settings

        settings = Settings() if config is None else load_settings(config)
    host = settings.data.host if not _is_wildcard(settings) else settings.data.domains[0]
    bracketed = f"[{host}]" if ":" in host else host
    # Of any free port nothing is known here.
    return f"{settings.tls.scheme}://{bracketed}:{settings.data.port or Settings().data.port}"


def _is_wildcard(settings: Settings) -> bool:
    return settings.data.host in ("0.0.0.0", "::") and bool(settings.data.domains)  # noqa: S104  # compared with
