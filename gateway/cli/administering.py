"""Where commands do their work: in the local store, or at a running gateway (`--server`)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from gateway.cli.output import OK

if TYPE_CHECKING:
    from gateway.admin.operations import WouldChange
    from gateway.cli.remote import Asking
    from gateway.cli.remote_administration import Administers
    from gateway.credentials.changes import Terms

ServerOption = Annotated[
    str | None,
    typer.Option(
        "--server",
        help="Admin URL of a running gateway, instead of local files; the token is in COSGW_ADMIN_TOKEN.",
        show_default=False,
    ),
]
TokenFileOption = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        envvar="COSGW_ADMIN_TOKEN_FILE",
        help="File with the admin token, mode 0600, for --server.",
        show_default=False,
    ),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Check everything, say what would change, change nothing.")
]
T = TypeVar("T")


def administered(
    config: Path | None, server: str | None, token_file: Path | None, work: Callable[[Administers], Awaitable[T]]
) -> T:
    """Run `work` on the store that the configuration names, or at `server`.

    Raises Refusal, SecretFileError, SettingsErrors, MasterKeyError, PortError, and what `work` raises.
    """
    if server is None:
        from gateway.cli.session import with_session

        return with_session(config, lambda session: work(session.administration))
    from gateway.cli.remote_administration import RemoteAdministration

    return asked(server, token_file, lambda asking: work(RemoteAdministration(asking)))


def changed(
    config: Path | None,
    server: str | None,
    token_file: Path | None,
    work: Callable[[Administers, Terms], Awaitable[T]],
    *,
    dry_run: bool,
    as_json: bool = False,
) -> T:
    """Make a change as `administered` does. With `dry_run` it is said instead, and the command ends there.

    What is said is `gateway.cli.rehearsal`'s, as JSON if wanted.
    """
    from gateway.cli.session import local_terms

    terms = local_terms(dry_run=dry_run)
    if not dry_run:
        return administered(config, server, token_file, lambda there: work(there, terms))
    from gateway.cli.rehearsal import say_would_change, would_change_of

    if server is None:
        would = would_change_of(administered(config, None, None, lambda there: work(there, terms)))
    else:
        from gateway.cli.remote_administration import RemoteAdministration

        would = rehearsed(server, token_file, lambda asking: work(RemoteAdministration(asking), terms))
    say_would_change(would, as_json=as_json)
    raise typer.Exit(OK)


def asked(server: str, token_file: Path | None, work: Callable[[Asking], Awaitable[T]]) -> T:
    """Run `work` with a connection to a running gateway. Raises Refusal, SecretFileError, and what `work` raises."""
    return _asked(server, token_file, work, dry_run=False)


def rehearsed(server: str, token_file: Path | None, work: Callable[[Asking], Awaitable[object]]) -> WouldChange:
    """What `work` would change at a running gateway. Raises as `asked` does."""
    from gateway.cli.remote import Rehearsed

    try:
        _asked(server, token_file, work, dry_run=True)
    except Rehearsed as rehearsal:
        return rehearsal.would
    raise RuntimeError("nothing was asked that could change anything")


def _asked(server: str, token_file: Path | None, work: Callable[[Asking], Awaitable[T]], *, dry_run: bool) -> T:
    from gateway.cli.remote import Asking, read_token

    token = read_token(token_file)

    async def run() -> T:
        async with Asking(server, token, dry_run=dry_run) as asking:
            return await work(asking)

    return asyncio.run(run())
