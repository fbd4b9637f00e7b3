"""A decision for people, as a tree of checks, and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.cli.output import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.decision import Decision
    from policies.explanation import Branch

_MARKS = {"passed": "+", "failed": "x", "unreached": "."}


def described(decision: Decision, branches: Sequence[Branch]) -> dict[str, Any]:
    """The decision and its tree of checks as plain data."""
    return {
        "verdict": decision.verdict,
        "reason": None if decision.allowed else decision.reason,
        "version": decision.version,
        "document": decision.document,
        "statement": decision.statement_id,
        "needs": sorted(decision.needs),
        "adds": {item.name: item.value for item in decision.amendments},
        "rehearsed": decision.rehearsed,
        "violations": [{"rule": item.rule, "reason": item.reason} for item in decision.violations],
        "errors": [
            {"statement": item.statement_id, "document": item.document, "error": item.error} for item in decision.errors
        ],
        "trace": [_described_branch(branch) for branch in branches],
    }


def _described_branch(branch: Branch) -> dict[str, Any]:
    trace = branch.trace
    return {
        "statement": trace.statement_id,
        "document": trace.document,
        "line": branch.line,
        "effect": trace.effect,
        "mode": trace.mode,
        "matched": trace.matched,
        "failed_check": trace.violation.rule if trace.violation else None,
        "reason": trace.violation.reason if trace.violation else None,
        "checks": [
            {"name": check.name, "result": check.result, "rule": check.rule or None, "reason": check.reason or None}
            for check in branch.checks
        ],
    }


def say_decision(decision: Decision, branches: Sequence[Branch]) -> None:
    """Print the verdict, its reasons and the tree of checks: `+` passed, `x` failed, `.` not reached."""
    by = f" by {decision.statement_id} ({decision.document})" if decision.statement_id else ""
    say(f"{decision.verdict}{by}, policy version {decision.version}")
    if decision.needs:
        say(f"needs: {', '.join(sorted(decision.needs))}; name it with --size, --etag or --upload-size")
    for amendment in decision.amendments:
        say(f"adds: {amendment.name}: {amendment.value}")
    for violation in decision.violations:
        say(f"{violation.rule}: {violation.reason}")
    for error in decision.errors:
        say(f"error in {error.statement_id} ({error.document}): {error.error}")
    if decision.rehearsed is not None and decision.rehearsed is not decision.verdict:
        say(f"rehearsed: {decision.rehearsed}, if the statements in shadow mode decided")
    if branches:
        say()
    for branch in branches:
        trace = branch.trace
        place = f"{trace.document}:{branch.line}" if branch.line is not None else trace.document
        mode = ", shadow" if trace.mode == "shadow" else ""
        outcome = "matches" if trace.matched else "does not match"
        say(f"{trace.statement_id} ({trace.effect}{mode}) {outcome}  {place}")
        for check in branch.checks:
            reason = f" {check.rule}: {check.reason}" if check.rule else ""
            say(f"  {_MARKS[check.result]} {check.name}{reason and ' -' + reason}")
