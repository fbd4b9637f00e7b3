"""`cos-gateway credentials`: keep the COS credentials the gateway signs with. Secrets never come from arguments."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.output import ConfigOption, JsonOption, reported, say, say_json, say_table

if TYPE_CHECKING:
    from gateway.cli.session import Session
    from gateway.credentials.upstream_credentials import CredentialSummary
    from gateway.secret import Secret

app = typer.Typer(no_args_is_help=True, help="Keep the COS credentials the gateway signs with.")

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
) -> None:
    """Store a credential under a new name and use it."""
    with reported():
        secret_key = _read_secret(secret_file)
        _change(
            config,
            lambda session: session.credentials.add(
                name=name, account=account, secret_id=secret_id, secret_key=secret_key
            ),
        )
    say(f"{name} is stored and in use for account {account}.")


@app.command()
def stage(name: Name, secret_id: SecretId, secret_file: SecretFile = None, config: ConfigOption = None) -> None:
    """Store the next version of a credential without using it yet."""
    with reported():
        secret_key = _read_secret(secret_file)
        summary = _change(
            config, lambda session: session.credentials.stage(name, secret_id=secret_id, secret_key=secret_key)
        )
    say(f"{name} version {summary.version} is staged; `credentials activate {name} {summary.version}` switches to it.")


@app.command()
def activate(
    name: Name,
    version: Annotated[int, typer.Argument(help="Version to use.", show_default=False)],
    config: ConfigOption = None,
) -> None:
    """Switch to a staged version, or back to a retired one."""
    with reported():
        _change(config, lambda session: session.credentials.activate(name, version))
    say(f"{name} version {version} is in use.")


@app.command("list")
def list_credentials(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the stored credentials; never their secrets."""
    with reported():
        summaries = _change(config, lambda session: session.credentials.list())
    if as_json:
        say_json([_described(summary) for summary in summaries])
        return
    say_table(
        ("NAME", "VERSION", "ACCOUNT", "SECRET ID", "STATE"),
        ((item.name, item.version, item.account, item.secret_id_hint, item.state) for item in summaries),
    )


@app.command()
def remove(
    name: Name,
    version: Annotated[int | None, typer.Option(help="Only this version.", show_default=False)] = None,
    config: ConfigOption = None,
) -> None:
    """Remove a credential for good."""
    with reported():
        _change(config, lambda session: session.credentials.remove(name, version))
    say(f"{name} is removed." if version is None else f"{name} version {version} is removed.")


def _change(config: Path | None, work: Callable[[Session], Awaitable[Any]]) -> Any:
    from gateway.cli.session import with_session

    return with_session(config, work)


def _read_secret(file: Path | None) -> Secret:
    """The SecretKey from a file, from a pipe, or from a person who does not see it typed."""
    from gateway.configuration.secret_files import read_secret_file
    from gateway.secret import Secret

    if file is not None:
        return read_secret_file(file)
    if sys.stdin.isatty():
        return Secret(typer.prompt("SecretKey", hide_input=True))
    return Secret(sys.stdin.readline().rstrip("\r\n"))


def _described(summary: CredentialSummary) -> dict[str, Any]:
    return {
        "name": summary.name,
        "version": summary.version,
        "account": summary.account,
        "secret_id": summary.secret_id_hint,
        "state": summary.state,
        "created_at": summary.created_at.isoformat(),
    }
