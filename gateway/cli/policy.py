"""`cos-gateway policy`: check documents, run their tests, explain decisions and rehearse changes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.administering import ServerOption, TokenFileOption
from gateway.cli.output import (
    OK,
    REFUSED,
    ConfigOption,
    JsonOption,
    Refusal,
    parse_pairs,
    reported,
    say,
    say_json,
)
from gateway.cli.policy_documents import (
    Paths,
    parsed,
    read_asked,
    read_request_file,
    registered,
    session_policies,
)
from gateway.cli.policy_remote import explained_at, reload, status
from gateway.cli.policy_replay import diff, replay

if TYPE_CHECKING:
    from gateway.settings import Settings

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Check, test, explain and rehearse policy documents."
)
app.command()(diff)
app.command()(replay)
app.command()(status)
app.command()(reload)

END_HELP = "bucket[/key][@region]; the region of a registered bucket may be left out."


@app.command()
def lint(paths: Paths = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Check documents without running their tests: every error with its line, then every doubt.

    Exit code 1: there are doubts; 2: errors. Registered buckets are those of the configuration.
    """
    from policies.lint import lint as find_doubts

    with reported():
        from gateway.settings import load_settings

        settings = load_settings(config)
        policy_set = parsed(paths, settings)
        # Buckets that are found by listing accounts are not known here.
        known = None if settings.discovery.credentials else registered(settings)
        findings = find_doubts(policy_set, buckets=known or None)
    doubts = [finding for finding in findings if not finding.is_note]
    if as_json:
        say_json(
            [
                {
                    "check": finding.check,
                    "severity": "note" if finding.is_note else "doubt",
                    "document": finding.document,
                    "line": finding.line,
                    "statement": finding.statement_id or None,
                    "message": finding.message,
                }
                for finding in findings
            ]
        )
    else:
        for finding in findings:
            say(f"{'note' if finding.is_note else 'doubt'}: {finding}")
        documents, statements = len(policy_set.documents), len(policy_set.statements)
        say(f"{documents} documents with {statements} statements are sound; {len(doubts)} doubts.")
    raise typer.Exit(REFUSED if doubts else OK)


@app.command("test")
def run_tests(paths: Paths = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Run the tests that stand in the documents."""
    with reported():
        from gateway.settings import load_settings

        outcomes = parsed(paths, load_settings(config)).run_tests()
    failed = [outcome for outcome in outcomes if not outcome.passed]
    if as_json:
        say_json(
            [
                {
                    "document": outcome.test.document,
                    "line": outcome.test.line,
                    "name": outcome.test.name,
                    "passed": outcome.passed,
                    "verdict": outcome.decision.verdict,
                    "problem": str(outcome.problem) if outcome.problem else None,
                }
                for outcome in outcomes
            ]
        )
    else:
        for outcome in failed:
            say(f"FAILED {outcome.problem}")
        say(f"{len(outcomes) - len(failed)} of {len(outcomes)} tests passed.")
    raise typer.Exit(REFUSED if failed else OK)


@app.command()
def explain(
    principal: Annotated[str | None, typer.Option(help="Who asks: team:media.", show_default=False)] = None,
    action: Annotated[str | None, typer.Option(help="cos:UploadPartCopy, cos:GetObject, …", show_default=False)] = None,
    resource: Annotated[str | None, typer.Option(help=END_HELP, show_default=False)] = None,
    source: Annotated[str | None, typer.Option(help=f"Of a copy: {END_HELP}", show_default=False)] = None,
    destination: Annotated[str | None, typer.Option(help=f"Of a copy: {END_HELP}", show_default=False)] = None,
    byte_range: Annotated[str | None, typer.Option("--range", help="bytes=first-last.", show_default=False)] = None,
    part_number: Annotated[str | None, typer.Option(help="1 to 10000.", show_default=False)] = None,
    size: Annotated[str | None, typer.Option(help="Size of the source: 10GiB.", show_default=False)] = None,
    etag: Annotated[str | None, typer.Option(help="ETag of the source.", show_default=False)] = None,
    length: Annotated[str | None, typer.Option(help="Length of the body: 10MiB.", show_default=False)] = None,
    upload_size: Annotated[str | None, typer.Option(help="Size of the parts completed.", show_default=False)] = None,
    condition: Annotated[list[str] | None, typer.Option(help="if-match=ETAG and the like; may repeat.")] = None,
    header: Annotated[list[str] | None, typer.Option(help="A control header in use: acl; may repeat.")] = None,
    storage_class: Annotated[str | None, typer.Option(help="STANDARD_IA, ARCHIVE, …", show_default=False)] = None,
    encryption: Annotated[str | None, typer.Option(help="sse-cos, sse-kms, sse-c.", show_default=False)] = None,
    address: Annotated[str | None, typer.Option(help="The caller's network address.", show_default=False)] = None,
    time: Annotated[str | None, typer.Option(help="When; else now.", show_default=False)] = None,
    session_policy: Annotated[
        str | None, typer.Option(help="The session's own policy, as JSON.", show_default=False)
    ] = None,
    request: Annotated[
        Path | None, typer.Option(help="A file with the request, instead of flags.", show_default=False)
    ] = None,
    decision: Annotated[
        str | None, typer.Option(help="A decision id of the audit log, instead of flags.", show_default=False)
    ] = None,
    paths: Annotated[list[Path] | None, typer.Option("--policy", help="Documents to use; may repeat.")] = None,
    config: ConfigOption = None,
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what would be decided about a request, and why. Exit code 0: allowed; 1: refused."""
    from datetime import UTC, datetime

    from gateway.cli.policy_decision import described, say_decision
    from policies.explanation import explain as explained

    flags: dict[str, Any] = {
        "principal": principal,
        "action": action,
        "resource": resource,
        "source": source,
        "destination": destination,
        "range": byte_range,
        "part_number": part_number,
        "size": size,
        "etag": etag,
        "length": length,
        "upload_size": upload_size,
        "conditions": dict(parse_pairs("--condition", condition or [])) or None,
        "headers": header or None,
        "storage_class": storage_class,
        "encryption": encryption,
        "address": address,
        "time": time,
        "session_policy": session_policy,
    }
    given = {name: value for name, value in flags.items() if value is not None}
    if sum((bool(given), request is not None, decision is not None)) != 1:
        raise typer.BadParameter("expected a request by flags, by --request or by --decision, one of them")
    if server is not None and paths:
        raise typer.BadParameter("expected --policy or --server: a gateway judges by its own documents")
    recorded: dict[str, Any] = {}
    with reported():
        from gateway.settings import load_settings

        settings = load_settings(config) if server is None else None
        regions = registered(settings) if settings is not None else {}
        narrowing = session_policies(settings)
        if request is not None:
            asked = read_asked(read_request_file(request), regions, place=str(request), narrowing=narrowing)
        elif decision is not None:
            events = _events(settings, server, token_file, decision)
            written, recorded = _recorded(events, decision)
            asked = read_asked(written, {}, place=f"decision {decision}", narrowing=narrowing)
        else:
            given.setdefault("time", datetime.now(UTC).isoformat())
            asked = read_asked(given, regions, place="command line", narrowing=narrowing, flags=True)
        if settings is not None:
            policy_set = parsed(paths, settings)
            answer = policy_set.decide(asked)
            branches = explained(policy_set, answer)
        else:
            answer, branches = explained_at(str(server), token_file, asked)
    if as_json:
        say_json(described(answer, branches) | ({"recorded": recorded} if recorded else {}))
    else:
        if recorded:
            by = f" by {recorded['statement']}" if recorded.get("statement") else ""
            say(f"recorded: {recorded.get('verdict')}{by}, policy version {recorded.get('version')}")
        say_decision(answer, branches)
    raise typer.Exit(OK if answer.allowed else REFUSED)


def _events(
    settings: Settings | None, server: str | None, token_file: Path | None, identifier: str
) -> list[dict[str, Any]]:
    from gateway.cli.audit import events_at, events_of

    if settings is None:
        return events_at(str(server), token_file, identifier).items
    return list(events_of(settings.audit.path, identifier))


def _recorded(events: list[dict[str, Any]], decision_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The request of a decision, and what was decided then. Raises Refusal."""
    from gateway.cli.policy_history import written_requests

    for event in events:
        written = list(written_requests(event))
        if written and event.get("decision_id") == decision_id:
            # Of a batch it is the last key that was judged.
            return written[-1], event.get("policy") or {}
    raise Refusal(f"the audit log holds no request for the decision {decision_id!r}")
