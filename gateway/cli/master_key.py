"""`cos-gateway master-key`: make the key that seals secrets in the store, and move the store to a new one."""

from __future__ import annotations

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
def rewrap(config: ConfigOption = None) -> None:
    """Wrap every stored secret by the first master key of the file; the others only open. Safe to repeat."""

    rewrap_store(config)
