"""A decision as audit fields: the reason and the trace of a denial, what shadow statements said, what failed."""

from __future__ import annotations

from typing import Any

from gateway.ports import Outcome
from policies.decision import Decision, StatementTrace


def add_decision(outcome: Outcome, decision: Decision) -> None:
    """Let an outcome say of a decision what there is beside the verdict and statement that its intent says."""
    if not decision.allowed:
        outcome.reason = decision.reason
        outcome.trace = [_described(trace) for trace in decision.trace]
    if decision.rehearsed is not None:
        outcome.rehearsed = str(decision.rehearsed)
        outcome.shadow = [_described(trace) for trace in decision.shadows]
    if decision.errors:
        outcome.errors = [
            {"statement": error.statement_id, "document": error.document, "error": error.error}
            for error in decision.errors
        ]


def _described(trace: StatementTrace) -> dict[str, Any]:
    return {
        "statement": trace.statement_id,
        "document": trace.document,
        "effect": trace.effect,
        "mode": trace.mode,
        "matched": trace.matched,
        "failed": trace.violation.rule if trace.violation is not None else None,
        "reason": trace.violation.reason if trace.violation is not None else None,
    }
