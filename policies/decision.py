"""What the evaluator answers: the verdict and, from the same run, its explanation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Verdict(StrEnum):
    ALLOW = "allow"
    DENY = "deny"
    NEEDS_FACTS = "needs_facts"
    """Neither: the answer hinges on a fact named in `Decision.needs`. Never sent upstream, never final."""


class Effect(StrEnum):
    """What a statement does when it matches."""

    ALLOW = "allow"
    DENY = "deny"


class Mode(StrEnum):
    """Whether a statement decides (`enforce`) or is only judged and recorded (`shadow`)."""

    ENFORCE = "enforce"
    SHADOW = "shadow"


class Fact(StrEnum):
    """A measurement of the copy source that a rule may ask for."""

    SOURCE_SIZE = "source_size"


@dataclass(frozen=True, slots=True)
class Violation:
    """Why one check failed: `rule` is the kind and the parameter (`range.max`), `reason` a short sentence.

    `code` is the COS error code to answer with; only COS's own rules, built in, use another than AccessDenied.
    """

    rule: str
    reason: str
    code: str = "AccessDenied"


@dataclass(frozen=True, slots=True)
class Unknown:
    """A check that cannot tell yet. `violation` is what it amounts to when nothing more can be learned.

    `fact` names what to measure; None when no measurement would help (a bucket whose region nobody knows).
    """

    violation: Violation
    fact: Fact | None = None


Outcome: TypeAlias = Violation | Unknown | None
"""What one check answers: why it failed, that it cannot tell, or None when it passed."""


@dataclass(frozen=True, slots=True)
class StatementTrace:
    """How one candidate statement fared: it matched, or the first check that failed."""

    statement_id: str
    document: str
    effect: Effect
    mode: Mode
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
    def code(self) -> str:
        """The COS error code of a denial: AccessDenied, unless a rule of COS itself was broken."""
        return self.violations[0].code if self.violations else "AccessDenied"

    @property
    def allowed(self) -> bool:
        return self.verdict is Verdict.ALLOW

    @property
    def reason(self) -> str:
        """One sentence for the caller; the rule of the first violation leads it."""
        if self.violations:
            first = self.violations[0]
            return f"{first.rule}: {first.reason}"
        if self.verdict is Verdict.ALLOW:
            return f"allowed by the statement {self.statement_id!r}"
        if self.verdict is Verdict.NEEDS_FACTS:
            return f"needs {', '.join(sorted(self.needs))}"
        return "no statement allows this"
