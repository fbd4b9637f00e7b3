"""A decision as a tree: every candidate statement, and every check of it in the order they are made.

Nothing is judged here. What passed and what failed is read from the trace that the evaluator left, so that an
explanation cannot say anything else than what was decided.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from policies.decision import Decision, StatementTrace, Violation
from policies.loading import PolicySet
from policies.rule import KINDS
from policies.statement import Statement


class CheckResult(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    UNREACHED = "unreached"
    """An earlier end did not select the request, so this was not asked."""


@dataclass(frozen=True, slots=True)
class Check:
    """One end or rule of a statement; `rule` and `reason` are empty unless it failed."""

    name: str
    result: CheckResult
    rule: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Branch:
    """One candidate statement. `line` is None when the statement is not in the set, as a session's own are not."""

    trace: StatementTrace
    line: int | None
    checks: tuple[Check, ...]


def explain(policy_set: PolicySet, decision: Decision) -> tuple[Branch, ...]:
    """The tree of a decision that `policy_set` made."""
    statements = {(statement.document, statement.id): statement for statement in policy_set.statements}
    return tuple(_branch(trace, statements.get((trace.document, trace.statement_id))) for trace in decision.trace)


def _branch(trace: StatementTrace, statement: Statement | None) -> Branch:
    if statement is None:
        return Branch(trace, None, tuple(_failed(violation) for violation in trace.violations))
    return Branch(trace, statement.line, tuple(_checks(trace, statement)))


def _checks(trace: StatementTrace, statement: Statement) -> Iterator[Check]:
    stopped = False
    failed = {violation.rule.partition(".")[0]: violation for violation in reversed(trace.violations)}
    for end in ("resource", "source", "destination"):
        if getattr(statement, end) is None:
            continue
        violation = failed.get(end)
        yield _check(end, violation, stopped=stopped)
        # An end that does not select ends the walk with this one violation; one that cannot tell does not.
        stopped = stopped or (violation is not None and trace.unselected)
    names = {kind.build: kind.name for kind in KINDS.values()}
    for rule in statement.rules:
        name = names[type(rule)]
        yield _check(name, failed.get(name), stopped=stopped)


def _check(name: str, violation: Violation | None, *, stopped: bool) -> Check:
    if stopped:
        return Check(name, CheckResult.UNREACHED)
    if violation is None:
        return Check(name, CheckResult.PASSED)
    return Check(name, CheckResult.FAILED, violation.rule, violation.reason)


def _failed(violation: Violation) -> Check:
    return Check(violation.rule.partition(".")[0], CheckResult.FAILED, violation.rule, violation.reason)
