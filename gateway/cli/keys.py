"""`cos-gateway keys`: issue access keys to applications, and withdraw them. Running gateways follow in seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.administering import DryRunOption, ServerOption, TokenFileOption, administered, changed
from gateway.cli.output import ConfigOption, JsonOption, parse_pairs, reported, say, say_json, say_table

if TYPE_CHECKING:
    from gateway.cli.remote_administration import Administers
    from gateway.credentials.changes import Outcome
    from gateway.credentials.views import AccessKeyView

PORTION = 200
"""Keys asked for at once; a page of the admin API."""

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Issue, list, rotate and withdraw access keys.")

KeyId = Annotated[str, typer.Argument(help="Access key id.", show_default=False)]


Expires = Annotated[str | None, typer.Option(help="90d, 12h, or a time such as 2030-01-01T00:00:00Z.")]


@app.command()
def create(
    principal: Annotated[str, typer.Argument(help="Who the key proves, such as team:media.", show_default=False)],
    label: Annotated[str, typer.Option(help="A note for people.")] = "",
    tag: Annotated[list[str] | None, typer.Option(help="A label for policies, name=value; may repeat.")] = None,
    network: Annotated[list[str] | None, typer.Option(help="Network it may be used from; may repeat.")] = None,
    expires: Expires = None,
    config: ConfigOption = None,
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Issue a key. Its secret is shown once, now."""
    labels = parse_pairs("--tag", tag or [])
    expires_at = parse_expiry("--expires", expires) if expires is not None else None
    with reported():
        from gateway.credentials.key_administration import NewKey

        new = NewKey(principal, label, labels, tuple(network or ()), expires_at)
        outcome = changed(
            config, server, token_file, lambda there, terms: there.keys.create(new, terms),
            dry_run=dry_run, as_json=as_json,
        )  # fmt: skip
    _say_issued(outcome, as_json)


@app.command()
def rotate(
    key_id: KeyId,
    overlap: Annotated[str, typer.Option(help="How long the old key stays valid: 24h, 7d; 0h: not at all.")] = "24h",
    expires: Expires = None,
    config: ConfigOption = None,
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Issue a second key like the first, which then expires after the overlap."""
    span = _parse_span(overlap)
    if span is None:
        raise typer.BadParameter(f"expected days or hours such as 7d or 24h, got {overlap!r}", param_hint="--overlap")
    expires_at = parse_expiry("--expires", expires) if expires is not None else None
    with reported():
        from gateway.credentials.key_administration import Rotation

        rotation = Rotation(span, expires_at)
        new, old = changed(
            config, server, token_file, lambda there, terms: there.keys.rotate(key_id, rotation, terms),
            dry_run=dry_run, as_json=as_json,
        )  # fmt: skip
    _say_issued(new, as_json)
    if not as_json and old.after is not None and old.after.expires_at is not None:
        say(f"{key_id} expires at {old.after.expires_at.isoformat()}.")


@app.command("list")
def list_keys(
    principal: Annotated[str | None, typer.Option(help="Only keys of this principal.", show_default=False)] = None,
    config: ConfigOption = None,
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the keys of the store, the oldest first; never their secrets."""
    with reported():
        views = administered(config, server, token_file, lambda there: _every_key(there, principal))
    if as_json:
        say_json([_described(view) for view in views])
        return
    say_table(
        ("ID", "PRINCIPAL", "STATE", "EXPIRES", "LAST USED", "NETWORKS", "LABEL"),
        (
            (
                view.id,
                view.principal,
                view.state,
                _shown_expiry(view.expires_at),
                view.last_used_at.isoformat() if view.last_used_at else None,
                ",".join(view.networks),
                view.label,
            )
            for view in views
        ),
    )


@app.command()
def show(
    key_id: KeyId,
    config: ConfigOption = None,
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one key; never its secret."""
    with reported():
        view = administered(config, server, token_file, lambda there: there.keys.show(key_id))
    if as_json:
        say_json(_described(view))
        return
    shown = {
        **_described(view),
        "labels": ", ".join(f"{name}={value}" for name, value in view.labels.items()),
        "networks": ", ".join(view.networks) or "any",
        "expires_at": _shown_expiry(view.expires_at) or "never",
        "last_used_at": view.last_used_at.isoformat() if view.last_used_at else "never",
    }
    for name, value in shown.items():
        say(f"{name:<13} {value}".rstrip())


@app.command()
def edit(
    key_id: KeyId,
    label: Annotated[str | None, typer.Option(help="Another note for people.", show_default=False)] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Replaces all labels, name=value; may repeat.")] = None,
    no_tags: Annotated[bool, typer.Option("--no-tags", help="Take all labels away.")] = False,
    network: Annotated[list[str] | None, typer.Option(help="Replaces all networks; may repeat.")] = None,
    any_network: Annotated[bool, typer.Option("--any-network", help="Let it be used from anywhere.")] = False,
    expires: Annotated[str | None, typer.Option(help="As for create; or never.", show_default=False)] = None,
    config: ConfigOption = None,
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Change a key's label, labels, networks or expiry. What is not named stays; so does its secret."""
    if (tag and no_tags) or (network and any_network):
        raise typer.BadParameter("expected new values or none of them, not both")
    if label is None and expires is None and not (tag or no_tags or network or any_network):
        raise typer.BadParameter("expected something to change")
    labels = parse_pairs("--tag", tag or []) if tag or no_tags else None
    until = None if expires in (None, "never") else parse_expiry("--expires", expires)
    with reported():
        from gateway.credentials.access_keys import UNCHANGED, KeyEdit

        change = KeyEdit(
            label=label,
            labels=labels,
            networks=tuple(network or ()) if network or any_network else None,
            expires_at=UNCHANGED if expires is None else until,
        )
        changed(
            config, server, token_file, lambda there, terms: there.keys.edit(key_id, change, terms), dry_run=dry_run
        )
    say(f"{key_id} is changed.")


@app.command()
def disable(
    key_id: KeyId,
    config: ConfigOption = None,
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Stop accepting a key, for the time being."""
    _set_state(key_id, "disabled", config, server, token_file, dry_run=dry_run)


@app.command()
def enable(
    key_id: KeyId,
    config: ConfigOption = None,
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Accept a disabled key again."""
    _set_state(key_id, "active", config, server, token_file, dry_run=dry_run)


@app.command()
def delete(
    key_id: KeyId,
    config: ConfigOption = None,
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Remove a key for good."""
    with reported():
        changed(config, server, token_file, lambda there, terms: there.keys.delete(key_id, terms), dry_run=dry_run)
    say(f"{key_id} is deleted.")


def _set_state(
    key_id: str, state: str, config: ConfigOption, server: str | None, token_file: Path | None, *, dry_run: bool
) -> None:
    with reported():
        from gateway.credentials.access_keys import KeyEdit
        from gateway.ports import KeyState

        edit = KeyEdit(state=KeyState(state))
        changed(config, server, token_file, lambda there, terms: there.keys.edit(key_id, edit, terms), dry_run=dry_run)
    say(f"{key_id} is {state}.")


async def _every_key(there: Administers, principal: str | None) -> list[AccessKeyView]:
    views: list[AccessKeyView] = []
    while True:
        last = (int(views[-1].created_at.timestamp()), views[-1].id) if views else None
        portion = await there.keys.page(limit=PORTION, after=last, principal=principal)
        views += portion
        if len(portion) < PORTION:
            return views


def _say_issued(outcome: Outcome[AccessKeyView], as_json: bool) -> None:
    view, secret = outcome.after, outcome.secret
    if view is None or secret is None:
        raise ValueError("a new key comes with its secret")
    if as_json:
        say_json({**_described(view), "secret": secret.reveal()})
        return
    say(f"key id  {view.id}")
    say(f"secret  {secret.reveal()}")
    say("The secret is not shown again.")


def _described(view: AccessKeyView) -> dict[str, Any]:
    return {
        "id": view.id,
        "principal": view.principal,
        "state": view.state,
        "label": view.label,
        "labels": view.labels,
        "networks": list(view.networks),
        "created_at": view.created_at.isoformat(),
        "expires_at": view.expires_at.isoformat() if view.expires_at else None,
        "last_used_at": view.last_used_at.isoformat() if view.last_used_at else None,
    }


def _shown_expiry(expires_at: datetime | None) -> str | None:
    """The moment, and whether it needs somebody's attention."""
    if expires_at is None:
        return None
    from gateway.credentials.expiring import NOTICE

    left = expires_at - datetime.now(UTC)
    note = " (expired)" if left <= timedelta(0) else " (soon)" if left <= NOTICE else ""
    return f"{expires_at.isoformat()}{note}"


def parse_expiry(option: str, text: str) -> datetime:
    """A time with its zone, or a number of days or hours from now. Raises typer.BadParameter."""
    if (span := _parse_span(text)) is not None:
        return datetime.now(UTC) + span
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise typer.BadParameter(
            f"expected 90d, 12h or a time with its zone such as 2030-01-01T00:00:00Z, got {text!r}",
            param_hint=option,
        )
    return moment


def _parse_span(text: str) -> timedelta | None:
    units = {"d": "days", "h": "hours"}
    if text[:-1].isascii() and text[:-1].isdigit() and text[-1] in units and len(text) <= 7:
        return timedelta(**{units[text[-1]]: int(text[:-1])})
    return None
