"""`cos-gateway env`: what to paste into a program so that it uses the gateway."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from gateway.cli.output import say
from gateway.cli.snippets import SNIPPETS

PLACEHOLDER = "YOUR_SECRET"

Sdk = StrEnum("Sdk", {name: name for name in SNIPPETS})  # type: ignore[misc]  # the members are the table's names


def env(
    sdk: Annotated[Sdk, typer.Argument(help="Which client.", show_default=False)],
    endpoint: Annotated[str, typer.Option(help="URL of the gateway.")] = "http://127.0.0.1:8080",
    key_id: Annotated[str, typer.Option(help="Access key id.")] = "YOUR_KEY_ID",
    bucket: Annotated[str, typer.Option(help="Bucket to copy to.")] = "media-1250000000",
    source: Annotated[str, typer.Option(help="Bucket to copy from.")] = "raw-1250000000",
    region: Annotated[str, typer.Option(help="Region of both.")] = "ap-guangzhou",
) -> None:
    """Print a snippet for an SDK. The secret is left for you to fill in: it never comes from arguments."""
    say(
        SNIPPETS[sdk.value](
            endpoint=endpoint.rstrip("/"),
            key_id=key_id,
            secret=PLACEHOLDER,
            bucket=bucket,
            region=region,
            source=source,
        ).rstrip()
    )
