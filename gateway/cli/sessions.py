"""`cos-gateway sessions`: end temporary keys before their time. They are issued at the sts port (docs/sessions.md)."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.administering import ServerOption, TokenFileOption, administered
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
) -> None:
    """End a session. To end all of a key's at once, disable the key."""
    with reported():
        from gateway.cli.session import local_terms

        administered(config, server, token_file, lambda there: there.sessions.end(session_id, local_terms()))
    say(f"{session_id} is ended.")
