"""`cos-gateway policy`: check documents, run their tests, and explain what would be decided."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.output import OK, REFUSED, ConfigOption, JsonOption, reported, say, say_json, say_table

if TYPE_CHECKING:
    from gateway.settings import Settings
    from policies.decision import Decision
    from policies.loading import PolicySet
    from policies.problems import DocumentError
    from policies.request import AccessRequest, Resource

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Check, test and explain policy documents.")

Paths = Annotated[
    list[Path] | None,
    typer.Argument(help="Documents, or folders of them; else those of the configuration.", show_default=False),
]
END_HELP = "bucket[/key][@region]; the region of a registered bucket may be left out."


@app.command()
def lint(paths: Paths = None, config: ConfigOption = None) -> None:
    """Check documents without running their tests. Every error is printed with its line."""
    with reported():
        policy_set = _parsed(paths, config)
    say(f"{len(policy_set.documents)} documents with {len(policy_set.statements)} statements are sound.")


@app.command("test")
def run_tests(paths: Paths = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Run the tests that stand in the documents."""
    with reported():
        outcomes = _parsed(paths, config).run_tests()
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
    principal: Annotated[str, typer.Option(help="Who asks: team:media.", show_default=False)],
    action: Annotated[str, typer.Option(help="cos:UploadPartCopy, cos:GetObject, …", show_default=False)],
    resource: Annotated[str | None, typer.Option(help=END_HELP, show_default=False)] = None,
    source: Annotated[str | None, typer.Option(help=f"Of a copy: {END_HELP}", show_default=False)] = None,
    destination: Annotated[str | None, typer.Option(help=f"Of a copy: {END_HELP}", show_default=False)] = None,
    byte_range: Annotated[str | None, typer.Option("--range", help="bytes=first-last.", show_default=False)] = None,
    part_number: Annotated[str | None, typer.Option(help="1 to 10000.", show_default=False)] = None,
    size: Annotated[str | None, typer.Option(help="Size of the source: 10GiB.", show_default=False)] = None,
    condition: Annotated[list[str] | None, typer.Option(help="if-match=ETAG and the like; may repeat.")] = None,
    header: Annotated[list[str] | None, typer.Option(help="A control header in use: acl; may repeat.")] = None,
    address: Annotated[str | None, typer.Option(help="The caller's network address.", show_default=False)] = None,
    paths: Annotated[list[Path] | None, typer.Option("--policy", help="Documents to use; may repeat.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what would be decided about a request, and why. Exit code 0: allowed; 1: refused."""
    from gateway.cli.output import parse_pairs

    wanted: dict[str, Any] = {
        "principal": principal,
        "action": action,
        "resource": resource,
        "source": source,
        "destination": destination,
        "range": byte_range,
        "part_number": part_number,
        "size": size,
        "conditions": dict(parse_pairs("--condition", condition or [])) or None,
        "headers": header or None,
        "address": address,
    }
    with reported():
        from gateway.settings import load_settings

        settings = load_settings(config)
        request = _request({key: value for key, value in wanted.items() if value is not None}, settings)
        decision = _parsed(paths, config).decide(request)
    if as_json:
        say_json(_described(decision))
    else:
        _say_decision(decision)
    raise typer.Exit(OK if decision.allowed else REFUSED)


def _parsed(paths: list[Path] | None, config: Path | None) -> PolicySet:
    """The documents, not tested. Raises PolicyErrors, SettingsErrors."""
    from gateway.policy_files import read_documents
    from gateway.services import territories
    from gateway.settings import load_settings
    from policies.loading import parse_policies
    from policies.problems import PolicyErrors

    settings = load_settings(config)
    sources = read_documents(paths or settings.policies.paths)
    policy_set, errors = parse_policies(sources, territories=territories(settings))
    if policy_set is None:
        raise PolicyErrors(errors)
    return policy_set


def _request(wanted: dict[str, Any], settings: Settings) -> AccessRequest:
    """The request the flags describe, in the words of a document's tests. Raises typer.BadParameter."""
    from dataclasses import replace

    from policies.nodes import parse_nodes
    from policies.reader import Reader
    from policies.written import read_request

    reader = Reader("command line")
    # JSON is YAML: the flags are read by the very code that reads a document's tests.
    request = read_request(reader, parse_nodes("command line", json.dumps(wanted)), "")
    if request is None or reader.errors:
        raise typer.BadParameter("\n".join(map(_as_flag_error, reader.errors)))
    regions = {bucket.name: bucket.region for bucket in settings.buckets}

    def placed(resource: Resource) -> Resource:
        from cos.values import Region

        if resource.region is not None or resource.bucket not in regions:
            return resource
        return replace(resource, region=Region(regions[resource.bucket]))

    source = placed(request.source) if request.source is not None else None
    return replace(request, resource=placed(request.resource), source=source)


def _as_flag_error(error: DocumentError) -> str:
    hint = f" ({error.hint})" if error.hint else ""
    return f"--{error.path.replace('_', '-')}: found {error.found}, expected {error.expected}{hint}"


def _described(decision: Decision) -> dict[str, Any]:
    return {
        "verdict": decision.verdict,
        "reason": None if decision.allowed else decision.reason,
        "version": decision.version,
        "document": decision.document,
        "statement": decision.statement_id,
        "needs": sorted(decision.needs),
        "violations": [{"rule": item.rule, "reason": item.reason} for item in decision.violations],
        "trace": [
            {
                "statement": trace.statement_id,
                "document": trace.document,
                "effect": trace.effect,
                "mode": trace.mode,
                "matched": trace.matched,
                "failed_check": trace.violation.rule if trace.violation else None,
                "reason": trace.violation.reason if trace.violation else None,
            }
            for trace in decision.trace
        ],
    }


def _say_decision(decision: Decision) -> None:
    by = f" by {decision.statement_id} ({decision.document})" if decision.statement_id else ""
    say(f"{decision.verdict}{by}, policy version {decision.version}")
    if decision.needs:
        say(f"needs: {', '.join(sorted(decision.needs))}; name it with --size")
    for violation in decision.violations:
        say(f"{violation.rule}: {violation.reason}")
    if decision.trace:
        say()
        say_table(
            ("STATEMENT", "EFFECT", "MODE", "OUTCOME"),
            (
                (
                    trace.statement_id,
                    trace.effect,
                    trace.mode,
                    "matched"
                    if trace.matched
                    else f"{trace.violation.rule}: {trace.violation.reason}"
                    if trace.violation
                    else "-",
                )
                for trace in decision.trace
            ),
        )
