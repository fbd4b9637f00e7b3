"""`cos-gateway master-key`: make the key that seals secrets in the store, and move the store to a new one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.output import ConfigOption, reported, say
from gateway.cli.rewrapping import rewrap_store

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Make and change the key that seals secrets in the store."
)


@app.command()
def create(path: Annotated[Path, typer.Argument(help="File to write; must not exist.", show_default=False)]) -> None:
    """Write a fresh random key to a new file, mode 0600."""
    with reported():
        from gateway.credentials.master_key import generate_master_key_file

        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = generate_master_key_file(path)
    say(f"{path} holds master key {key.id}. Keep a copy where the store's backups are not.")


@app.command()
def wrap(config: ConfigOption = None) -> None:
    """Make a key, have master_key.transit wrap it, and put it before those of its file. No plain copy is kept."""
    with reported():
        from gateway.cli.output import Refusal
        from gateway.credential_services import key_service_of
        from gateway.credentials.key_service import add_wrapped_key
        from gateway.settings import load_settings

        transit = load_settings(config).master_key.transit
        if transit is None:
            raise Refusal("there is no key service: set master_key.transit, or use `master-key create`")

        async def run() -> str:
            async with key_service_of(transit) as service:
                return (await add_wrapped_key(service, transit.wrapped_file)).id

        key_id = asyncio.run(run())
    say(f"{transit.wrapped_file} holds master key {key_id}, wrapped. Restart, then run `credentials rewrap`.")


@app.command()
def rewrap(config: ConfigOption = None) -> None:
    """Wrap every stored secret by the first master key of the file; the others only open. Safe to repeat."""

    rewrap_store(config)
