"""`cos-gateway doctor`: is everything there that the gateway needs? Exit code 1: something is wrong."""

from __future__ import annotations

from dataclasses import asdict

import typer

from gateway.cli.output import OK, REFUSED, ConfigOption, JsonOption, reported, say, say_json, say_table


def doctor(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Look at clock, DNS, regions, credentials, certificate, master key, files and store. Exit code 1: problems."""
    with reported():
        import asyncio

        from gateway.cli.diagnosis import Diagnosis, State, diagnose
        from gateway.settings import load_settings

        settings = load_settings(config)

        async def look() -> list[Diagnosis]:
            return [found async for found in diagnose(settings)]

        found = asyncio.run(look())
    problems = sum(one.state is State.PROBLEM for one in found)
    if as_json:
        say_json([asdict(one) for one in found])
    else:
        say_table(
            ("CHECK", "SUBJECT", "STATE", "DETAIL"), ((one.check, one.subject, one.state, one.detail) for one in found)
        )
        say()
        say(f"{problems} problem{'' if problems == 1 else 's'} found." if problems else "No problem found.")
    raise typer.Exit(REFUSED if problems else OK)
