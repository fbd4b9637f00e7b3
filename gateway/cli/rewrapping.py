"""Moving the store to a new master key: `credentials rewrap` and `master-key rewrap` are the same."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from gateway.cli.output import ConfigOption, reported, say

if TYPE_CHECKING:
    from gateway.cli.session import Session

SHOWN_EVERY = 100


def rewrap_store(config: ConfigOption) -> None:
    """Wrap every stored secret by the first master key and say how many there were."""

    async def work(session: Session) -> tuple[int, int]:
        keys = await session.keys.rewrap(_shown("access keys"))
        return keys, await session.credentials.rewrap(_shown("credentials"))

    with reported():
        from gateway.cli.session import with_session

        keys, credentials = with_session(config, work)
    say(f"{keys} access keys and {credentials} credentials were wrapped anew.")


def _shown(what: str) -> Callable[[int, int], None]:
    """Progress on standard error: every hundredth record and the last; on a terminal in one line."""
    end = "\r" if sys.stderr.isatty() else "\n"

    def show(done: int, total: int) -> None:
        if done == total or done % SHOWN_EVERY == 0:
            typer.echo(f"{what}: {done} of {total}" + ("\n" if done == total else end), err=True, nl=False)

    return show
