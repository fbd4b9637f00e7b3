"""`cos-gateway`: every command by its name. Commands import what they need when they run, so that help is quick."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli import admin_tokens, audit, config, credentials, keys, master_key, policy, sessions
from gateway.cli.check import check
from gateway.cli.doctor import doctor
from gateway.cli.emulator import emulator
from gateway.cli.env import env
from gateway.cli.output import reported
from gateway.cli.serve import serve

app = typer.Typer(
    name="cos-gateway",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # help texts hold [brackets] of their own
    help="An authorising gateway in front of Tencent Cloud COS.",
)


def demo(
    once: Annotated[bool, typer.Option("--once", help="Stop after the guided copy.")] = False,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Data port; 0: any free.")] = 8080,
    admin_port: Annotated[int, typer.Option(help="Admin port; 0: any free.")] = 8081,
    folder: Annotated[Path, typer.Option(help="Where the demo keeps its store and audit log.")] = Path("var/demo"),
    policies: Annotated[Path, typer.Option(help="Policy documents to use.")] = Path("config/policies"),
) -> None:
    """Run a gateway with an embedded COS and show a guided copy."""
    with reported():
        from rich.console import Console

        from gateway.cli.demo import DemoChoices, run_demo

        code = run_demo(DemoChoices(host, port, admin_port, folder, policies, once), Console())
    raise typer.Exit(code)


for command in (serve, demo, check, doctor, env, emulator):
    app.command()(command)
for name, group in (
    ("keys", keys.app), ("credentials", credentials.app), ("master-key", master_key.app), ("policy", policy.app),
    ("config", config.app), ("audit", audit.app), ("admin-tokens", admin_tokens.app),
    ("sessions", sessions.app),
):  # fmt: skip
    app.add_typer(group, name=name)


def main() -> None:
    """The entry point of the `cos-gateway` program."""
    app()
