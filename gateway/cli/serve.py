"""`cos-gateway serve`: run the gateway until it is told to stop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.output import ConfigOption, reported, say

if TYPE_CHECKING:
    from gateway.settings import Settings
    from gateway.workers.supervisor import Seat


GRACE_SECONDS = 5.0
"""What a worker has to end in, after the time requests in flight have."""


def serve(
    config: ConfigOption = None,
    host: Annotated[str | None, typer.Option(help="Instead of data.host.", show_default=False)] = None,
    port: Annotated[int | None, typer.Option(help="Instead of data.port; 0: any free.", show_default=False)] = None,
    admin_port: Annotated[int | None, typer.Option(help="Instead of admin.port.", show_default=False)] = None,
    workers: Annotated[int | None, typer.Option(help="Instead of workers.", show_default=False)] = None,
    profile: Annotated[
        Path | None,
        typer.Option(
            help="Profile the event loop into this file at the end; worker 2 into FILE.2.", show_default=False
        ),
    ] = None,
) -> None:
    """Run the gateway. TERM drains and stops it, HUP reads policy documents and certificates anew."""
    flags = {"data.host": host, "data.port": port, "admin.port": admin_port, "workers": workers}
    with reported():
        _run(config, {key: value for key, value in flags.items() if value is not None}, profile)


def _run(config: Path | None, flags: dict[str, Any], profile: Path | None) -> None:
    from gateway.process.imports import leave_out

    leave_out("rich", "pygments")
    from gateway.process.descriptors import raise_limit
    from gateway.process.environ import hide_secret_variables
    from gateway.process.memory import keep_memory_private
    from gateway.process.pages import leave_pages_of_files
    from gateway.settings import LogFormat, load_settings
    from gateway.telemetry import configure_logging

    # Before a secret is read.
    keep_memory_private()
    raise_limit()
    settings = load_settings(config, flags)
    hide_secret_variables()
    configure_logging(level=settings.log.level, json=settings.log.format is LogFormat.JSON)
    leave_pages_of_files()
    if settings.workers == 1:
        _serve_alone(settings, profile)
    else:
        _serve_with_workers(settings, profile)


def _serve_alone(settings: Settings, profile: Path | None) -> None:
    import uvloop

    from gateway.cli.hosting import hosted, until_stopped
    from gateway.cli.profiling import profiled
    from gateway.process.garbage import settle
    from gateway.process.pages import leave_pages_of_files

    leave_pages_of_files()

    async def run() -> None:
        async with hosted(settings) as (gateway, _):
            settle()
            sts = f", sts {gateway.sts_endpoint}" if gateway.sts_endpoint is not None else ""
            say(f"serving {gateway.endpoint} (admin {gateway.admin_endpoint}{sts})")
            await until_stopped(gateway)

    with profiled(profile):
        uvloop.run(run())


def _serve_with_workers(settings: Settings, profile: Path | None) -> None:
    import gc

    import uvloop

    from gateway.app import described, listening
    from gateway.cli.profiling import profiled
    from gateway.process.pages import leave_pages_of_files, share_with_children
    from gateway.server.turns import Turns
    from gateway.workers.member import serve_as_worker
    from gateway.workers.questions import open_channel
    from gateway.workers.supervisor import Supervisor

    with listening(settings) as sockets:
        channels = {number: open_channel() for number in range(2, settings.workers + 1)}
        turns = Turns(settings.workers)
        places = described(settings, sockets)

        def work(seat: Seat) -> int:
            try:
                with reported(), profiled(_profile_of(profile, seat.number)):
                    uvloop.run(serve_as_worker(settings, seat, sockets, channels, turns))
            except typer.Exit as end:
                return end.exit_code
            return 0

        def stopping() -> None:
            for listener in (sockets.data, sockets.admin, sockets.sts):
                if listener is not None:
                    listener.close()

        # What is there now is never looked at again, so that it stays shared with the workers.
        gc.collect()
        gc.freeze()
        share_with_children()
        leave_pages_of_files()
        supervisor = Supervisor(
            settings.workers,
            work,
            grace_seconds=settings.data.drain_seconds + GRACE_SECONDS,
            serving=lambda: say(f"serving {places} with {settings.workers} workers"),
            stopping=stopping,
            ended=turns.leave,
        )
        raise typer.Exit(supervisor.run())


def _profile_of(file: Path | None, number: int) -> Path | None:
    return file if file is None or number == 1 else file.with_name(f"{file.name}.{number}")
