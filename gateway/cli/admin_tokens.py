"""`cos-gateway admin-tokens`: who may use the admin API. The first token is made on the machine that has the store."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.administering import DryRunOption, ServerOption, TokenFileOption, administered, changed
from gateway.cli.keys import Expires, parse_expiry
from gateway.cli.output import ConfigOption, JsonOption, reported, say, say_json, say_table

if TYPE_CHECKING:
    from gateway.credentials.views import AdminTokenView

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Make, list and withdraw tokens for the admin API.")


class RoleName(StrEnum):
    """The roles; each may do what the one before it may. Said again here so that help needs no store."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    SECURITY = "security"


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What the audit log calls its holder.", show_default=False)],
    role: Annotated[
        RoleName,
        typer.Option(
            help="viewer reads; operator also manages keys; security also credentials, policies and tokens.",
            show_default=False,
        ),
    ],
    expires: Expires = None,
    config: ConfigOption = None,
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a token. It is shown once, now."""
    expires_at = parse_expiry("--expires", expires) if expires is not None else None
    with reported():
        from gateway.credentials.token_administration import NewAdminToken
        from gateway.stores.admin_tokens import Role

        new = NewAdminToken(name, Role(role.value), expires_at)
        outcome = changed(
            config, server, token_file, lambda there, terms: there.tokens.create(new, terms),
            dry_run=dry_run, as_json=as_json,
        )  # fmt: skip
    view, token = outcome.after, outcome.secret
    if view is None or token is None:
        raise ValueError("a new token is shown")
    if as_json:
        say_json({**_described(view), "token": token.reveal()})
        return
    say(f"token id  {view.id}")
    say(f"token     {token.reveal()}")
    say("The token is not shown again.")


@app.command("list")
def list_tokens(
    config: ConfigOption = None,
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the tokens, the oldest first; never what proves them."""
    with reported():
        views = administered(config, server, token_file, lambda there: there.tokens.list())
    if as_json:
        say_json([_described(view) for view in views])
        return
    say_table(
        ("ID", "NAME", "ROLE", "EXPIRES"),
        ((view.id, view.name, view.role, view.expires_at.isoformat() if view.expires_at else None) for view in views),
    )


@app.command()
def delete(
    token_id: Annotated[str, typer.Argument(help="Id of the token.", show_default=False)],
    config: ConfigOption = None,
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Withdraw a token, at once."""
    with reported():
        changed(config, server, token_file, lambda there, terms: there.tokens.delete(token_id, terms), dry_run=dry_run)
    say(f"{token_id} is deleted.")


def _described(view: AdminTokenView) -> dict[str, Any]:
    return {
        "id": view.id,
        "name": view.name,
        "role": view.role,
        "created_at": view.created_at.isoformat(),
        "expires_at": view.expires_at.isoformat() if view.expires_at else None,
    }
