"""`cos-gateway audit`: find what was recorded of a decision."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.administering import ServerOption, TokenFileOption, asked
from gateway.cli.output import REFUSED, ConfigOption, JsonOption, Refusal, complain, reported, say, say_json

if TYPE_CHECKING:
    from gateway.admin.audit import EventList

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Search the audit log.")


@app.command()
def find(
    identifier: Annotated[
        str, typer.Argument(help="Decision id, or a request id of the gateway or of COS.", show_default=False)
    ],
    config: ConfigOption = None,
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print every audit record of a request or decision, in the order written. Exit code 1: there is none."""
    with reported():
        if server is None:
            from gateway.settings import load_settings

            events = events_of(load_settings(config).audit.path, identifier)
        else:
            found = events_at(server, token_file, identifier)
            events = found.items
            if not found.complete:
                complain("the gateway searched a part of its log only; there may be more")
    if as_json:
        say_json(events)
    else:
        for event in events:
            say(json.dumps(event, ensure_ascii=False))
    if not events:
        raise typer.Exit(REFUSED)


def events_of(path: Path, identifier: str) -> list[dict[str, Any]]:
    """The records that carry the id, and those of the same request. Raises Refusal when there is no log."""
    from gateway.audit_search import find_events

    try:
        return find_events(path, identifier).events
    except OSError as error:
        raise Refusal(f"cannot read the audit log {path}: {error.strerror}") from None


def events_at(server: str, token_file: Path | None, identifier: str) -> EventList:
    """The same of a running gateway's log, as far back as it searches. Raises what `reported` reports."""
    from gateway.admin.audit import EventList

    query = {"id": identifier}
    return asked(server, token_file, lambda asking: asking.read(EventList, "GET", "/audit/events", query=query))
