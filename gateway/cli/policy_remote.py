"""The policy documents of a running gateway: which decide, reading them anew, and explaining its decisions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.administering import DryRunOption, TokenFileOption, asked, rehearsed
from gateway.cli.output import JsonOption, reported, say, say_json, say_table

if TYPE_CHECKING:
    from gateway.admin.explain import DecisionView, TraceView
    from gateway.admin.policies import PoliciesView
    from policies.decision import Decision
    from policies.explanation import Branch
    from policies.request import AccessRequest

Server = Annotated[
    str,
    typer.Option(
        "--server", help="Admin URL of a running gateway; the token is in COSGW_ADMIN_TOKEN.", show_default=False
    ),
]


def status(server: Server, token_file: TokenFileOption = None, as_json: JsonOption = False) -> None:
    """Say which documents decide at a running gateway, and whether those on its disk were refused."""
    with reported():
        from gateway.admin.policies import PoliciesView

        view = asked(server, token_file, lambda asking: asking.read(PoliciesView, "GET", "/policies"))
    _say_policies(view, as_json=as_json)


def reload(
    server: Server, token_file: TokenFileOption = None, dry_run: DryRunOption = False, as_json: JsonOption = False
) -> None:
    """Have a running gateway read its documents anew: all, when they are sound and pass their tests, or none."""
    with reported():
        from gateway.admin.policies import PoliciesView
        from gateway.cli.rehearsal import say_would_change

        if dry_run:
            would = rehearsed(server, token_file, lambda asking: asking.ask("POST", "/policies/reload"))
            say_would_change(would, as_json=as_json)
            return
        view = asked(server, token_file, lambda asking: asking.read(PoliciesView, "POST", "/policies/reload"))
    _say_policies(view, as_json=as_json)


def explained_at(server: str, token_file: Path | None, request: AccessRequest) -> tuple[Decision, tuple[Branch, ...]]:
    """What a running gateway would decide, with the tree of checks. Raises what `reported` reports."""
    from gateway.admin.explain import DecisionView
    from policies.written import render_request

    body = render_request(request)
    view = asked(server, token_file, lambda asking: asking.read(DecisionView, "POST", "/policies/explain", body=body))
    return _decision(view), tuple(map(_branch, view.trace))


def _say_policies(view: PoliciesView, *, as_json: bool) -> None:
    if as_json:
        say_json(view.model_dump(mode="json"))
        return
    say(view.state)
    say_table(
        ("DOCUMENT", "STATEMENTS", "TESTS"),
        ((document.name, document.statements, document.tests) for document in view.documents),
    )


def _decision(view: DecisionView) -> Decision:
    from policies.decision import Amendment, Decision, StatementError, Violation

    return Decision(
        verdict=view.verdict,
        version=view.version,
        statement_id=view.statement,
        document=view.document,
        violations=tuple(Violation(item.rule, item.reason, item.code) for item in view.violations),
        needs=frozenset(view.needs),
        amendments=tuple(Amendment(name, value, "") for name, value in view.adds.items()),
        rehearsed=view.rehearsed,
        errors=tuple(StatementError(item.statement, item.document, item.error) for item in view.errors),
    )


def _branch(view: TraceView) -> Branch:
    from policies.decision import StatementTrace, Violation
    from policies.explanation import Branch, Check

    failed = view.violation
    violations = (Violation(failed.rule, failed.reason, failed.code),) if failed is not None else ()
    trace = StatementTrace(view.statement, view.document, view.effect, view.mode, view.matched, violations)
    checks = tuple(Check(check.name, check.result, check.rule or "", check.reason or "") for check in view.checks)
    return Branch(trace, view.line, checks)
