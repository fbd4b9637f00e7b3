"""Where key, credential and token commands do their work: in the local store, or at a running gateway (`--server`)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from gateway.cli.remote import Administers

ServerOption = Annotated[
    str | None,
    typer.Option(
        "--server",
        help="Admin URL of a running gateway, instead of the store; the token is in COSGW_ADMIN_TOKEN.",
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
    from gateway.cli.remote import RemoteAdministration, read_token

    token = read_token(token_file)

    async def run() -> T:
        async with RemoteAdministration(server, token) as remote:
            return await work(remote)

    return asyncio.run(run())
