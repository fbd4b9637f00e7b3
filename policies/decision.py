"""What the evaluator answers: the verdict and, from the same run, its explanation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct


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


# Looking a member up in its enumeration takes ten times as long as any other name.
_ALLOW, _DENY, _SHADOW = Verdict.ALLOW, Verdict.DENY, Mode.SHADOW


class ReasonDetail(StrEnum):
    """How much of a denial's reason its caller is told. Whoever reads the audit log always learns all of it."""

    FULL = "full"
    RULE = "rule"
    """Which rule, but no value: neither sizes and regions nor what would have been allowed."""
    NONE = "none"


class Fact(StrEnum):
    """A measurement that a rule may ask for: of the copy source, or of an upload's parts at its completion."""

    SOURCE_SIZE = "source_size"
    SOURCE_ETAG = "source_etag"
    UPLOAD_SIZE = "upload_size"


class Violation(Struct, frozen=True, gc=False):
    """Why one check failed: `rule` is the kind and the parameter (`range.max`), `reason` a short sentence.

    `code` is the COS error code to answer with; only COS's own rules, built in, use another than AccessDenied.
    """

    rule: str
    reason: str
    code: str = "AccessDenied"


class Unknown(Struct, frozen=True, gc=False):
    """A check that cannot tell yet. `violation` is what it amounts to when nothing more can be learned.

    `fact` names what to measure; None when no measurement would help (a bucket whose region nobody knows).
    """

    violation: Violation
    fact: Fact | None = None


Outcome: TypeAlias = Violation | Unknown | None
"""What one check answers: why it failed, that it cannot tell, or None when it passed."""


@dataclass(frozen=True, slots=True)
class Amendment:
    """A control header that a rule adds to a request it allows; `name` is without the dialect's prefix."""

    name: str
    value: str
    rule: str


@dataclass(frozen=True, slots=True)
class StatementError:
    """A statement that could not be judged because a rule of it raised: a fault of the gateway, not a reason."""

    statement_id: str
    document: str
    error: str


class StatementTrace(Struct, frozen=True, gc=False):
    """How one candidate statement fared: it matched, or the first check that failed."""

    statement_id: str
    document: str
    effect: Effect
    mode: Mode
    matched: bool
    violations: tuple[Violation, ...] = ()
    """Everything that failed or could not tell, in order."""
    unselected: bool = False
    """An end of the statement does not select the request: nothing after it was asked."""

    @property
    def violation(self) -> Violation | None:
        """The first check that failed."""
        return self.violations[0] if self.violations else None


class Decision(Struct, frozen=True, gc=False):
    """The verdict of one evaluation and the trace it came from.

    `violations` are those of the nearest allow statements (or of the built-in rules), best candidate first;
    `statement_id` is the statement that decided, None on default deny. `version` names the policy set.
    `amendments` are what the deciding statement adds to the request. `rehearsed` is the verdict as it would be if
    the statements in shadow mode decided, None when none of them is about the request. `errors` are statements
    that could not be judged; one that is enforced makes the verdict a denial.
    """

    verdict: Verdict
    version: str
    statement_id: str | None = None
    document: str | None = None
    violations: tuple[Violation, ...] = ()
    trace: tuple[StatementTrace, ...] = ()
    needs: frozenset[Fact] = frozenset()
    amendments: tuple[Amendment, ...] = ()
    rehearsed: Verdict | None = None
    errors: tuple[StatementError, ...] = ()

    @property
    def code(self) -> str:
        """The COS error code of a denial: AccessDenied, unless a rule of COS itself was broken."""
        return self.violations[0].code if self.violations else "AccessDenied"

    @property
    def is_default(self) -> bool:
        """Denied because nothing allows it, not because a statement or a rule of COS denies it."""
        return self.verdict is _DENY and self.statement_id is None and not self.errors

    @property
    def shadows(self) -> tuple[StatementTrace, ...]:
        """How the statements in shadow mode fared."""
        return tuple(trace for trace in self.trace if trace.mode is _SHADOW)

    @property
    def allowed(self) -> bool:
        return self.verdict is _ALLOW

    def told(self, detail: ReasonDetail) -> str:
        """The reason as the caller may know it; empty when it may not."""
        match detail:
            case ReasonDetail.FULL:
                return self.reason
            case ReasonDetail.RULE:
                return self.violations[0].rule if self.violations else ""
            case ReasonDetail.NONE:
                return ""

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
