"""A decision as audit fields: the reason and the trace of a denial, what shadow statements said, what failed."""

from __future__ import annotations

from typing import Any

from policies.decision import Decision, StatementTrace


def described_decision(decision: Decision) -> dict[str, Any]:
    """What an outcome says of a decision, beside the verdict and statement that its intent says."""
    event: dict[str, Any] = {}
    if not decision.allowed:
        event["reason"] = decision.reason
        event["trace"] = [_described(trace) for trace in decision.trace]
    if decision.rehearsed is not None:
        event["rehearsed"] = str(decision.rehearsed)
        event["shadow"] = [_described(trace) for trace in decision.shadows]
    if decision.errors:
        event["errors"] = [
            {"statement": error.statement_id, "document": error.document, "error": error.error}
            for error in decision.errors
        ]
    return event


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
