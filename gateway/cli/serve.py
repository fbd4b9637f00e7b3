"""`cos-gateway serve`: run the gateway until it is told to stop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.output import ConfigOption, reported, say


def serve(
    config: ConfigOption = None,
    host: Annotated[str | None, typer.Option(help="Instead of data.host.", show_default=False)] = None,
    port: Annotated[int | None, typer.Option(help="Instead of data.port; 0: any free.", show_default=False)] = None,
    admin_port: Annotated[int | None, typer.Option(help="Instead of admin.port.", show_default=False)] = None,
    profile: Annotated[
        Path | None, typer.Option(help="Profile the event loop and write it here at the end.", show_default=False)
    ] = None,
) -> None:
    """Run the gateway. TERM drains and stops it, HUP reads the policy documents anew."""
    flags = {"data.host": host, "data.port": port, "admin.port": admin_port}
    with reported():
        _run(config, {key: value for key, value in flags.items() if value is not None}, profile)


def _run(config: Path | None, flags: dict[str, Any], profile: Path | None) -> None:
    import uvloop

    from gateway.cli.hosting import hosted, until_stopped
    from gateway.cli.profiling import profiled
    from gateway.process.descriptors import raise_limit
    from gateway.process.environ import hide_secret_variables
    from gateway.process.garbage import settle
    from gateway.process.memory import keep_memory_private
    from gateway.settings import LogFormat, load_settings
    from gateway.telemetry import configure_logging

    # Before a secret is read.
    keep_memory_private()
    raise_limit()
    settings = load_settings(config, flags)
    hide_secret_variables()
    configure_logging(level=settings.log.level, json=settings.log.format is LogFormat.JSON)

    async def run() -> None:
        async with hosted(settings) as (gateway, _):
            settle()
            sts = f", sts {gateway.sts_endpoint}" if gateway.sts_endpoint is not None else ""
            say(f"serving {gateway.endpoint} (admin {gateway.admin_endpoint}{sts})")
            await until_stopped(gateway)

    with profiled(profile):
        uvloop.run(run())
