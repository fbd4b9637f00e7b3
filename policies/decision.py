"""What the evaluator answers: the verdict and, from the same run, its explanation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    ALLOW = "allow"
    DENY = "deny"
    NEEDS_FACTS = "needs_facts"
    """Neither: the answer hinges on a fact named in `Decision.needs`. Never sent upstream, never final."""


class Fact(StrEnum):
    """A measurement of the copy source that a rule may ask for."""

    SOURCE_SIZE = "source_size"


@dataclass(frozen=True, slots=True)
class Violation:
    """Why one check failed: `rule` is the kind and the parameter (`range.max`), `reason` a short sentence."""

    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class StatementTrace:
    """How one candidate statement fared: it matched, or the first check that failed."""

    statement_id: str
    document: str
    effect: str
    mode: str
    matched: bool
    violation: Violation | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict of one evaluation and the trace it came from.

    `violations` are those of the nearest allow statements (or of the built-in rules), best candidate first;
    `statement_id` is the statement that decided, None on default deny. `version` names the policy set.
    """

    verdict: Verdict
    version: str
    statement_id: str | None = None
    document: str | None = None
    violations: tuple[Violation, ...] = ()
    trace: tuple[StatementTrace, ...] = ()
    needs: frozenset[Fact] = frozenset()

    @property
    def allowed(self) -> bool:
        return self.verdict is Verdict.ALLOW

    @property
    def reason(self) -> str:
        """One sentence for the caller; the rule of the first violation leads it."""
        if self.violations:
            first = self.violations[0]
            return f"{first.rule}: {first.reason}"
        return "no statement allows this"
