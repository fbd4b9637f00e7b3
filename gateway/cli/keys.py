"""`cos-gateway keys`: issue access keys to applications, and withdraw them. Running gateways follow in seconds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.output import ConfigOption, JsonOption, parse_pairs, reported, say, say_json, say_table

if TYPE_CHECKING:
    from gateway.cli.session import Session
    from gateway.stores.access_keys import AccessKeyRecord

app = typer.Typer(no_args_is_help=True, help="Issue, list and withdraw access keys.")

KeyId = Annotated[str, typer.Argument(help="Access key id.", show_default=False)]


@app.command()
def create(
    principal: Annotated[str, typer.Argument(help="Who the key proves, such as team:media.", show_default=False)],
    label: Annotated[str, typer.Option(help="A note for people.")] = "",
    tag: Annotated[list[str] | None, typer.Option(help="A label for policies, name=value; may repeat.")] = None,
    network: Annotated[list[str] | None, typer.Option(help="Network it may be used from; may repeat.")] = None,
    expires: Annotated[str | None, typer.Option(help="90d, 12h, or a time such as 2030-01-01T00:00:00Z.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Issue a key. Its secret is shown once, now."""
    labels = parse_pairs("--tag", tag or [])
    expires_at = _parse_expiry(expires) if expires is not None else None
    with reported():
        from gateway.cli.session import with_session

        issued = with_session(
            config,
            lambda session: session.keys.create(
                principal=principal, label=label, labels=labels, networks=network or [], expires_at=expires_at
            ),
        )
    if as_json:
        say_json({**_described(issued.record), "secret": issued.secret.reveal()})
        return
    say(f"key id  {issued.record.id}")
    say(f"secret  {issued.secret.reveal()}")
    say("The secret is not shown again.")


@app.command("list")
def list_keys(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the keys of the store, the oldest first; never their secrets."""
    with reported():
        from gateway.cli.session import with_session

        records = with_session(config, lambda session: session.keys.list())
    if as_json:
        say_json([_described(record) for record in records])
        return
    say_table(
        ("ID", "PRINCIPAL", "STATE", "EXPIRES", "NETWORKS", "LABEL"),
        (
            (
                record.id,
                record.principal,
                record.state,
                record.expires_at.isoformat() if record.expires_at else None,
                ",".join(map(str, record.networks)),
                record.label,
            )
            for record in records
        ),
    )


@app.command()
def disable(key_id: KeyId, config: ConfigOption = None) -> None:
    """Stop accepting a key, for the time being."""
    _change(config, lambda session: session.keys.disable(key_id), f"{key_id} is disabled.")


@app.command()
def enable(key_id: KeyId, config: ConfigOption = None) -> None:
    """Accept a disabled key again."""
    _change(config, lambda session: session.keys.enable(key_id), f"{key_id} is active.")


@app.command()
def delete(key_id: KeyId, config: ConfigOption = None) -> None:
    """Remove a key for good."""
    _change(config, lambda session: session.keys.delete(key_id), f"{key_id} is deleted.")


def _change(config: ConfigOption, change: Callable[[Session], Awaitable[None]], done: str) -> None:
    with reported():
        from gateway.cli.session import with_session

        with_session(config, change)
    say(done)


def _described(record: AccessKeyRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "principal": record.principal,
        "state": record.state,
        "label": record.label,
        "labels": dict(record.labels),
        "networks": [str(network) for network in record.networks],
        "created_at": record.created_at.isoformat(),
        "expires_at": record.expires_at.isoformat() if record.expires_at else None,
    }


def _parse_expiry(text: str) -> datetime:
    """A time with its zone, or a number of days or hours from now. Raises typer.BadParameter."""
    units = {"d": "days", "h": "hours"}
    if text[:-1].isascii() and text[:-1].isdigit() and text[-1] in units and len(text) <= 7:
        return datetime.now(UTC) + timedelta(**{units[text[-1]]: int(text[:-1])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise typer.BadParameter(
            f"expected 90d, 12h or a time with its zone such as 2030-01-01T00:00:00Z, got {text!r}",
            param_hint="--expires",
        )
    return moment
