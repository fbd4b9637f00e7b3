"""`cos-gateway credentials`: keep the COS credentials the gateway signs with. Secrets never come from arguments."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.administering import DryRunOption, ServerOption, TokenFileOption, administered, changed
from gateway.cli.output import ConfigOption, JsonOption, Refusal, reported, say, say_json, say_table
from gateway.cli.rewrapping import rewrap_store
from gateway.cli.rotate import (
    DEFAULT_DRAIN_SECONDS,
    Drain,
    KeepOld,
    NoProbe,
    run_activation,
    run_remote_rotation,
    run_rotation,
)

if TYPE_CHECKING:
    from gateway.credentials.credential_administration import CredentialSecret
    from gateway.credentials.views import CredentialVersionView, CredentialView
    from gateway.secret import Secret

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Keep the COS credentials the gateway signs with.")

Name = Annotated[str, typer.Argument(help="How buckets refer to it.", show_default=False)]
SecretId = Annotated[str, typer.Option("--secret-id", help="COS SecretId.", show_default=False)]
SecretFile = Annotated[
    Path | None,
    typer.Option("--secret-file", help="File with the SecretKey, mode 0600; else it is asked for, or piped in."),
]


@app.command()
def add(
    name: Name,
    secret_id: SecretId,
    account: Annotated[str, typer.Option(help="APPID it belongs to.", show_default=False)],
    secret_file: SecretFile = None,
    config: ConfigOption = None,
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Store a credential under a new name and use it."""
    with reported():
        pair = _pair(secret_id, secret_file)
        changed(
            config, server, token_file, lambda there, terms: there.credentials.add(name, account, pair, terms),
            dry_run=dry_run,
        )  # fmt: skip
    say(f"{name} is stored and in use for account {account}.")


@app.command()
def stage(
    name: Name,
    secret_id: SecretId,
    secret_file: SecretFile = None,
    config: ConfigOption = None,
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Store the next version of a credential without using it yet."""
    with reported():
        pair = _pair(secret_id, secret_file)
        outcome = changed(
            config, server, token_file, lambda there, terms: there.credentials.stage(name, pair, terms), dry_run=dry_run
        )
    version = outcome.after.versions[-1].version if outcome.after is not None else 0
    say(f"{name} version {version} is staged; `credentials activate {name} {version}` switches to it.")


@app.command()
def activate(
    name: Name,
    version: Annotated[int, typer.Argument(help="Version to use.", show_default=False)],
    config: ConfigOption = None,
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Switch to a staged version, or back to a retired one."""
    with reported():
        if server is None:
            run_activation(config, name, version, dry_run=dry_run)
        else:
            changed(
                config, server, token_file, lambda there, terms: there.credentials.activate(name, version, terms),
                dry_run=dry_run,
            )  # fmt: skip
    say(f"{name} version {version} is in use.")


@app.command()
def rotate(
    name: Name,
    secret_id: SecretId,
    secret_file: SecretFile = None,
    no_probe: NoProbe = False,
    keep_old: KeepOld = False,
    drain_seconds: Drain = DEFAULT_DRAIN_SECONDS,
    config: ConfigOption = None,
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Replace a credential: stage a new pair, try it on COS, switch, wait, remove the old one."""
    with reported():
        pair, drained = _pair(secret_id, secret_file), None if keep_old else drain_seconds
        if server is None:
            run_rotation(config, name, pair, no_probe=no_probe, drain_seconds=drained, dry_run=dry_run)
        elif no_probe:
            raise Refusal("--no-probe goes with the local store: a gateway that serves always tries a new pair")
        else:
            run_remote_rotation(server, token_file, name, pair, drain_seconds=drained, dry_run=dry_run)


@app.command()
def rewrap(config: ConfigOption = None) -> None:
    """Wrap every stored secret by the first master key, showing progress. Safe to repeat."""
    rewrap_store(config)


@app.command("list")
def list_credentials(
    config: ConfigOption = None,
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the stored credentials; never their secrets."""
    with reported():
        views = administered(config, server, token_file, lambda there: there.credentials.list())
    rows = [_described(view, version) for view in views for version in view.versions]
    if as_json:
        say_json(rows)
        return
    say_table(
        ("NAME", "VERSION", "ACCOUNT", "SECRET ID", "STATE", "REMOVED AT"),
        (
            (row["name"], row["version"], row["account"], row["secret_id"], row["state"], row["remove_at"])
            for row in rows
        ),
    )


@app.command()
def remove(
    name: Name,
    version: Annotated[int | None, typer.Option(help="Only this version.", show_default=False)] = None,
    config: ConfigOption = None,
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Remove a credential for good."""
    with reported():
        changed(
            config, server, token_file, lambda there, terms: there.credentials.remove(name, version, terms),
            dry_run=dry_run,
        )  # fmt: skip
    say(f"{name} is removed." if version is None else f"{name} version {version} is removed.")


def _pair(secret_id: str, secret_file: Path | None) -> CredentialSecret:
    from gateway.credentials.credential_administration import CredentialSecret

    return CredentialSecret(secret_id, _read_secret(secret_file))


def _read_secret(file: Path | None) -> Secret:
    """The SecretKey from a file, from a pipe, or from a person who does not see it typed."""
    from gateway.configuration.secret_files import read_secret_file
    from gateway.secret import Secret

    if file is not None:
        return read_secret_file(file)
    if sys.stdin.isatty():
        return Secret(typer.prompt("SecretKey", hide_input=True))
    return Secret(sys.stdin.readline().rstrip("\r\n"))


def _described(view: CredentialView, version: CredentialVersionView) -> dict[str, Any]:
    return {
        "name": view.name,
        "version": version.version,
        "account": view.account,
        "secret_id": version.secret_id,
        "state": version.state,
        "created_at": version.created_at.isoformat(),
        "remove_at": version.remove_at.isoformat() if version.remove_at is not None else None,
    }
