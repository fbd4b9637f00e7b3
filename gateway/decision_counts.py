"""What was decided, in numbers: verdicts, statements on trial, dry runs, faults of rules.

Labels are verdicts and the ids of documents' statements; callers cannot add to them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily

from policies.decision import Decision, Verdict


class DecisionCounts:
    """Counts decisions as plain numbers; they become metrics when they are asked for."""

    def __init__(self) -> None:
        self._dry_runs: Counter[str] = Counter()
        self._shadows: Counter[tuple[str, str, str, str]] = Counter()
        self._rehearsed: Counter[tuple[str, str]] = Counter()
        self._faults: Counter[tuple[str, str]] = Counter()

    def judged(self, decision: Decision, *, dry_run: bool) -> None:
        """Count what else there is to a decision than the verdict on a request that was to be carried out."""
        if dry_run:
            self._dry_runs[str(decision.verdict)] += 1
        if decision.rehearsed is not None:
            self._count_shadows(decision)
        for error in decision.errors:
            self._faults[(error.document, error.statement_id)] += 1

    def _count_shadows(self, decision: Decision) -> None:
        for trace in decision.shadows:
            matched = "true" if trace.matched else "false"
            self._shadows[(trace.document, trace.statement_id, str(trace.effect), matched)] += 1
        if decision.rehearsed is not decision.verdict:
            self._rehearsed[(str(decision.verdict), str(decision.rehearsed))] += 1

    def collect(self, verdicts: Mapping[Verdict, int]) -> Iterator[Metric]:
        """The metrics at this moment; `verdicts` are those on requests that were to be carried out."""
        decisions = CounterMetricFamily("cosgw_decisions", "Requests judged by policy.", labels=["verdict"])
        for verdict, count in verdicts.items():
            decisions.add_metric([str(verdict)], count)
        yield decisions
        dry_runs = CounterMetricFamily("cosgw_dry_runs", "Requests judged and not carried out.", labels=["verdict"])
        for label, count in self._dry_runs.items():
            dry_runs.add_metric([label], count)
        yield dry_runs
        shadows = CounterMetricFamily(
            "cosgw_shadow", "Judgements of statements in shadow mode.",
            labels=["document", "statement", "effect", "matched"],
        )  # fmt: skip
        for labels, count in self._shadows.items():
            shadows.add_metric(labels, count)
        yield shadows
        rehearsed = CounterMetricFamily(
            "cosgw_shadow_changes", "Requests whose verdict would change if shadow statements were enforced.",
            labels=["verdict", "rehearsed"],
        )  # fmt: skip
        for pair, count in self._rehearsed.items():
            rehearsed.add_metric(pair, count)
        yield rehearsed
        faults = CounterMetricFamily(
            "cosgw_policy_faults", "Judgements of statements that failed, and denied.", labels=["document", "statement"]
        )
        for place, count in self._faults.items():
            faults.add_metric(place, count)
        yield faults
