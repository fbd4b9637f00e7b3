"""The one evaluator: it gives the verdict and, from the same run, the explanation.

1. COS's own rules: broken, and nothing else is asked.
2. Every statement that names the principal and the action is judged, but for those about other buckets only.
3. A deny statement that applies wins. What a deny statement cannot tell, it takes as applying.
4. Else an allow statement that applies allows. What an allow statement cannot tell, it takes as failing.
5. Else: deny. So do an empty set, an unknown principal and an unknown action.

When a fact about the source would change the outcome, and only then, the verdict is NEEDS_FACTS; once the facts
are marked as measured it is final. Statements in shadow mode are judged, traced and never decide, nor do they
cause a measurement; what they would have decided stands beside the verdict.

A decision of which every rule passed is remembered with its ends (`policies.plain`); its rules are asked each time.

A rule that raises is a fault of the gateway: its statement cannot be judged, and while it is enforced everything
it is about is denied, whatever else allows. The fault is reported as an error and never as a reason.
"""

from __future__ import annotations

from collections.abc import Sequence

from policies.builtin import check_builtin
from policies.checks import Judgement
from policies.decision import (
    Decision,
    Effect,
    Fact,
    Mode,
    StatementError,
    StatementTrace,
    Unknown,
    Verdict,
    Violation,
)
from policies.index import Candidate, Index
from policies.plain import Ends, PlainDecision, plain_decision
from policies.request import AccessRequest
from policies.statement import Statement

# Python 3.11 takes ten times as long for a member of an enumeration as for another name: those are looked up once.
_ALLOW, _DENY, _NEEDS_FACTS = Verdict.ALLOW, Verdict.DENY, Verdict.NEEDS_FACTS
_ALLOWS, _DENIES = Effect.ALLOW, Effect.DENY
_ENFORCE, _SHADOW = Mode.ENFORCE, Mode.SHADOW
_NO_FACTS: frozenset[Fact] = frozenset()

MAX_REMEMBERED = 512
"""How many plain decisions are kept at a time; one weighs 1 KiB as a rule, and 12 KiB with the longest keys."""
MAX_VIOLATIONS = 8
"""How many violations a decision holds; the trace has one for every candidate."""


class Engine:
    """A compiled list of statements, ready to decide. Nothing in it changes but what it remembers."""

    __slots__ = ("_index", "_plain", "_remembers", "statements", "version")

    def __init__(self, statements: Sequence[Statement], version: str, *, remembers: int = MAX_REMEMBERED) -> None:
        """`remembers` bounds how many plain decisions are kept at a time."""
        self.statements = tuple(statements)
        self.version = version
        self._index = Index(self.statements)
        self._plain: dict[Ends, PlainDecision] = {}
        self._remembers = remembers

    def decide(self, request: AccessRequest) -> Decision:
        """Judge one request against every statement that concerns it."""
        ends = (request.caller.principal, request.action, request.resource, request.source)
        plain = self._plain.get(ends)
        if plain is not None:
            try:
                for check in plain.checks:
                    if check(request) is not None:
                        break
                else:
                    return plain.decision
            except Exception:  # noqa: BLE001, S110  # judged from the beginning, it denies, and we know
                pass
        broken = check_builtin(request)
        if broken is not None:
            return Decision(_DENY, self.version, violations=(broken,))
        return self._decide(request, ends)

    def _decide(self, request: AccessRequest, ends: Ends) -> Decision:
        """Judge from the beginning."""
        principal, action, resource, source = ends
        if resource.bucket is not None:
            source_bucket = source.bucket if source is not None else None
            selecting, complete = self._index.find_selecting(principal, action, resource.bucket, source_bucket)
            tally = self._judge(selecting, request)
            decision = tally.decision(self.version, request)
            if not decision.is_default:
                if tally.plain:
                    self._remember(ends, selecting, decision)
                return decision
            if not complete:
                about = self._index.find_about(principal, action, resource.bucket)
                if len(about) > len(selecting):
                    decision = self._judge(about, request).decision(self.version, request)
            for trace in decision.trace:
                if trace.effect is _ALLOWS and trace.mode is _ENFORCE and not trace.unselected:
                    # It fails by its rules only: no statement about another bucket comes nearer.
                    return decision
        # No statement selects both ends: the denial is explained by every statement about the caller and the action.
        # Those about other buckets apply to nothing here, but one of them may be what the caller had in mind.
        candidates = self._index.find(principal, action)
        if not candidates:
            return Decision(_DENY, self.version, violations=(self._nothing_granted(principal, action),))
        return self._judge(candidates, request).decision(self.version, request)

    def _judge(self, candidates: Sequence[Candidate], request: AccessRequest) -> _Tally:
        tally = _Tally(measured=request.facts.measured)
        for candidate in candidates:
            try:
                judgement = candidate.checks.judge(request)
            except Exception as fault:  # noqa: BLE001  # a rule must not raise; one that does denies, and we know
                tally.add_fault(candidate, fault)
                continue
            if judgement is None:
                tally.add_match(candidate)
            else:
                tally.add(candidate, judgement)
        return tally

    def _remember(self, ends: Ends, candidates: Sequence[Candidate], decision: Decision) -> None:
        plain = plain_decision(candidates, decision, copies=ends[3] is not None)
        if plain is None:
            return
        if len(self._plain) >= self._remembers:
            # Beginning anew costs each copy in progress one decision; which were asked last needs no record.
            self._plain = {}
        self._plain[ends] = plain

    def _nothing_granted(self, principal: str, action: str) -> Violation:
        if not self.statements:
            return Violation("policy", "the policy holds no statement")
        if not self._index.names(principal):
            return Violation("principal", f"no statement names {principal!r}")
        return Violation("action", f"no statement about {principal!r} names {action!r}")


class _Tally:
    """What the statements said so far."""

    # What most decisions never set is not set for each of them.
    plain = True
    """Whether all that were added plainly match, or are not selected."""
    _allow: Candidate | None = None
    _deny: Candidate | None = None
    _allow_needs = _NO_FACTS
    _deny_needs = _NO_FACTS
    _faulty = False
    _shadows = _shadow_allow = _shadow_deny = False

    def __init__(self, *, measured: bool) -> None:
        self._measured = measured
        self._failed: list[tuple[int, Judgement]] = []
        """Enforced allow statements that failed, with how far they got."""
        self._trace: list[StatementTrace] = []
        self._errors: list[StatementError] = []

    def add_match(self, candidate: Candidate) -> None:
        """A statement that plainly matches."""
        # Nothing is asked of the statement itself: with many of them it would have to come from memory.
        asked = candidate.checks
        self._trace.append(StatementTrace(candidate.id, asked.document, asked.effect, asked.mode, matched=True))
        self._apply(candidate)

    def add(self, candidate: Candidate, judgement: Judgement) -> None:
        """A statement of which something failed, or cannot be told."""
        asked, found, unknowns = candidate.checks, judgement.violations, judgement.unknowns
        if not judgement.unselected:
            self.plain = False
        needs, applies = _NO_FACTS, False
        if unknowns:
            if not found:
                needs = self._needs(unknowns)
                applies = asked.effect is _DENIES and not needs
            found += tuple(unknown.violation for unknown in unknowns)
        self._trace.append(_trace(candidate, found, matched=applies, unselected=judgement.unselected))
        if applies:
            self._apply(candidate)
        elif asked.mode is _SHADOW:
            self._shadows = True
        elif asked.effect is _DENIES:
            self._deny_needs |= needs
        elif needs and all(unknown.fact is not None for unknown in unknowns):
            self._allow_needs |= needs
        else:
            self._failed.append((judgement.passed, judgement))

    def add_fault(self, candidate: Candidate, fault: Exception) -> None:
        """A rule of a statement raised."""
        self.plain = False
        self._trace.append(_trace(candidate, (Violation("error", "the statement could not be judged"),)))
        self._errors.append(StatementError(candidate.id, candidate.checks.document, f"{type(fault).__name__}: {fault}"))
        if candidate.checks.mode is _ENFORCE:
            self._faulty = True
        else:
            self._shadows = True

    def decision(self, version: str, request: AccessRequest) -> Decision:
        """The verdict of what was added. `request` is the one that was judged."""
        trace, errors = tuple(self._trace), tuple(self._errors) if self._errors else ()
        allow, deny = self._allow, self._deny
        rehearsed = self._rehearsed() if self._shadows else None
        if self._faulty:
            failed = Violation("error", "the policy could not be judged", "InternalError")
            return Decision(_DENY, version, violations=(failed,), trace=trace, rehearsed=rehearsed, errors=errors)
        if deny is not None:
            violations = (_denial(deny.statement),)
            return Decision(
                _DENY, version, deny.id, deny.checks.document, violations, trace,
                rehearsed=rehearsed, errors=errors,
            )  # fmt: skip
        needs = self._deny_needs if allow is not None else self._allow_needs and self._allow_needs | self._deny_needs
        if needs:
            return Decision(_NEEDS_FACTS, version, trace=trace, needs=needs, rehearsed=rehearsed, errors=errors)
        if allow is not None:
            amendments = allow.checks.amendments(request)
            # By place, in the order of its fields: this is what most decisions are.
            return Decision(
                _ALLOW, version, allow.id, allow.checks.document, (), trace, _NO_FACTS, amendments, rehearsed, errors
            )
        return Decision(_DENY, version, violations=self._violations(), trace=trace, rehearsed=rehearsed, errors=errors)

    def _apply(self, candidate: Candidate) -> None:
        asked = candidate.checks
        if asked.mode is _SHADOW:
            self._shadows = True
            if asked.effect is _DENIES:
                self._shadow_deny = True
            else:
                self._shadow_allow = True
        elif asked.effect is _DENIES:
            self._deny = self._deny or candidate
        else:
            self._allow = self._allow or candidate

    def _rehearsed(self) -> Verdict:
        """The verdict if shadow statements decided too, as far as it can be told without measuring for them."""
        if self._faulty or self._deny is not None or self._shadow_deny:
            return _DENY
        if self._allow is not None or self._shadow_allow:
            return _NEEDS_FACTS if self._deny_needs else _ALLOW
        return _NEEDS_FACTS if self._allow_needs else _DENY

    def _needs(self, unknowns: tuple[Unknown, ...]) -> frozenset[Fact]:
        """The facts still worth measuring."""
        if self._measured:
            return frozenset()
        return frozenset(unknown.fact for unknown in unknowns if unknown.fact is not None)

    def _violations(self) -> tuple[Violation, ...]:
        """Everything the nearest allow statement holds against the request, then what stopped the others."""
        if not self._failed:
            return (Violation("action", "no statement allows this, it is only named in shadow or deny statements"),)
        if len(self._failed) == 1 and not self._failed[0][1].unknowns:
            return tuple(dict.fromkeys(self._failed[0][1].violations))[:MAX_VIOLATIONS]
        ordered = sorted(self._failed, key=lambda item: -item[0])
        nearest = ordered[0][1]
        found = dict.fromkeys((*nearest.violations, *(unknown.violation for unknown in nearest.unknowns)))
        for _, judgement in ordered[1:MAX_VIOLATIONS]:
            found.setdefault((judgement.violations or (judgement.unknowns[0].violation,))[0])
        return tuple(found)[:MAX_VIOLATIONS]


def _trace(
    candidate: Candidate, found: tuple[Violation, ...], *, matched: bool = False, unselected: bool = False
) -> StatementTrace:
    asked = candidate.checks
    return StatementTrace(
        candidate.id, asked.document, asked.effect, asked.mode, matched, violations=found, unselected=unselected
    )


def _denial(statement: Statement) -> Violation:
    because = f": {statement.description}" if statement.description else ""
    return Violation("deny", f"the statement {statement.id!r} forbids this{because}")
