"""`cos-gateway sessions`: end temporary keys before their time. They are issued at the sts port (docs/sessions.md)."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.administering import DryRunOption, ServerOption, TokenFileOption, changed
from gateway.cli.output import ConfigOption, reported, say

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="End temporary keys before their time.")


@app.callback()
def sessions() -> None:
    """End temporary keys before their time."""


@app.command()
def end(
    session_id: Annotated[str, typer.Argument(help="Its TmpSecretId, GWTK….", show_default=False)],
    config: ConfigOption = None,
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """End a session. To end all of a key's at once, disable the key."""
    with reported():
        changed(config, server, token_file, lambda there, terms: there.sessions.end(session_id, terms), dry_run=dry_run)
    say(f"{session_id} is ended.")
