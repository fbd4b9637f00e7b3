"""`cos-gateway audit`: find what was recorded of a decision."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.administering import ServerOption, TokenFileOption, asked
from gateway.cli.output import REFUSED, ConfigOption, JsonOption, Refusal, complain, reported, say, say_json

if TYPE_CHECKING:
    from gateway.admin.audit import EventList

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Search the audit log.")

IDS = ("decision_id", "request_id", "upstream_request_id")


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

            events = list(events_of(load_settings(config).audit.path, identifier))
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


def events_of(path: Path, identifier: str) -> Iterator[dict[str, Any]]:
    """The records that carry the id, and those of the same request. Raises Refusal when there is no log.

    A record of the same request may come before the decision was made, so the log is read twice.
    """
    requests = {event["request_id"] for event in _events(path, {identifier}) if "request_id" in event}
    yield from _events(path, {identifier} | requests)


def events_at(server: str, token_file: Path | None, identifier: str) -> EventList:
    """The same of a running gateway's log, as far back as it searches. Raises what `reported` reports."""
    from gateway.admin.audit import EventList

    query = {"id": identifier}
    return asked(server, token_file, lambda asking: asking.read(EventList, "GET", "/audit/events", query=query))


def _events(path: Path, identifiers: set[str]) -> Iterator[dict[str, Any]]:
    needles = [identifier.encode() for identifier in identifiers]
    try:
        with path.open("rb") as log:
            for line in log:
                if not any(needle in line for needle in needles):
                    continue
                try:
                    event = json.loads(line)
                except ValueError:
                    # A line torn by a power cut: the gateway flags it when it starts again.
                    continue
                if isinstance(event, dict) and any(event.get(name) in identifiers for name in IDS):
                    yield event
    except OSError as error:
        raise Refusal(f"cannot read the audit log {path}: {error.strerror}") from None
