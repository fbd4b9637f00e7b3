"""One statement: whom it concerns, what it selects, on which conditions, and what it then does.

A statement selects either one end (`resource`) or, for operations that copy, the pair of `source` and
`destination`. The two never mix: a statement on a resource is never asked about a copy, whatever its actions,
because a copy also reads, and a grant to write is not a grant to read.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cos.operations import OPERATIONS
from cos.values import Region
from policies.decision import Amendment, Effect, Mode, Outcome, StatementTrace, Unknown, Violation
from policies.patterns import Pattern
from policies.request import AccessRequest, Resource
from policies.rule import AmendingRule, Rule

COPYING_ACTIONS = frozenset(operation.action for operation in OPERATIONS if operation.copies)
"""The actions that pair statements are about."""
PLAIN_ACTIONS = frozenset(operation.action for operation in OPERATIONS if not operation.copies)
"""The actions that statements on a resource are about."""

_CHECKS = ("bucket", "key", "regions", "accounts")
"""What a selector checks, in this order."""


@dataclass(frozen=True, slots=True)
class Selector:
    """One end of an access. Empty tuples and None select everything.

    `end` is `resource`, `source` or `destination`: it leads the names of the checks (`source.key`).
    """

    end: str
    buckets: tuple[Pattern, ...]
    keys: tuple[Pattern, ...] = ()
    regions: frozenset[Region] | None = None
    accounts: frozenset[str] | None = None
    _bucket_names: frozenset[str] = field(init=False, repr=False, compare=False)
    _bucket_globs: tuple[Pattern, ...] = field(init=False, repr=False, compare=False)
    _keys: tuple[Pattern, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_bucket_names", frozenset(p.text for p in self.buckets if p.literal))
        object.__setattr__(self, "_bucket_globs", tuple(p for p in self.buckets if not p.literal))
        object.__setattr__(self, "_keys", () if any(p.matches_all for p in self.keys) else self.keys)

    @property
    def bucket_names(self) -> frozenset[str] | None:
        """The only buckets that can be selected; None when a glob selects others too."""
        return None if self._bucket_globs else self._bucket_names

    def check(self, resource: Resource, effect: Effect) -> Outcome:
        """The first check that fails; None when the resource is selected."""
        bucket = resource.bucket
        if bucket is None:
            # The service itself: only a selector of every bucket reaches it.
            if not any(glob.matches_all for glob in self._bucket_globs):
                return self._violation("bucket", "this operation is on no bucket", self.buckets)
        elif bucket not in self._bucket_names and not any(glob.matches(bucket) for glob in self._bucket_globs):
            return self._violation("bucket", f"{bucket} asked", self.buckets)
        if self._keys:
            key = resource.key
            if key is None:
                return self._violation("key", "this operation is on no object", self.keys)
            if effect is Effect.ALLOW:
                if not any(pattern.grants(key) for pattern in self._keys):
                    return self._violation("key", f"{_shown(key)} asked", self.keys)
            elif not any(pattern.forbids(key) for pattern in self._keys):
                return self._violation("key", f"{_shown(key)} asked", self.keys)
        if self.regions is not None and resource.region not in self.regions:
            if resource.region is None:
                return Unknown(Violation(f"{self.end}.region", "the region of the bucket is unknown"))
            listed = ", ".join(sorted(self.regions))
            return Violation(f"{self.end}.region", f"{resource.region} asked, expected {listed}")
        if self.accounts is not None and resource.account not in self.accounts:
            listed = ", ".join(sorted(self.accounts))
            return Violation(f"{self.end}.account", f"{resource.account or 'no account'} asked, expected {listed}")
        return None

    def _violation(self, check: str, asked: str, patterns: tuple[Pattern, ...]) -> Violation:
        return Violation(f"{self.end}.{check}", f"{asked}, expected {_listed(patterns)}")


@dataclass(frozen=True, slots=True)
class Judgement:
    """How one statement fared when it does not plainly match.

    `violations` are the checks that failed, `unknowns` those that cannot tell; `passed` counts the checks before
    the first failure and tells near candidates from far ones.
    """

    violations: tuple[Violation, ...]
    unknowns: tuple[Unknown, ...]
    passed: int
    unselected: bool = False
    """An end does not select the request; nothing after it was asked."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A compiled statement. `resource` is given, or else `source` and `destination`."""

    id: str
    document: str
    line: int
    effect: Effect
    mode: Mode
    principals: tuple[Pattern, ...]
    actions: frozenset[str]
    resource: Selector | None
    source: Selector | None = None
    destination: Selector | None = None
    rules: tuple[Rule, ...] = ()
    description: str = ""
    matched: StatementTrace = field(init=False, repr=False, compare=False)
    """The trace of a match, made once."""
    _ends: tuple[Selector, ...] = field(init=False, repr=False, compare=False)
    _amending: tuple[AmendingRule, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        amending = tuple(rule for rule in self.rules if isinstance(rule, AmendingRule) and rule.amends)
        object.__setattr__(self, "_amending", amending)
        ends = tuple(end for end in (self.resource, self.source, self.destination) if end is not None)
        if tuple(end.end for end in ends) not in (("resource",), ("source", "destination")):
            raise ValueError("expected a resource, or a source and a destination")
        object.__setattr__(self, "_ends", ends)
        matched = StatementTrace(self.id, self.document, self.effect, self.mode, matched=True)
        object.__setattr__(self, "matched", matched)

    @property
    def bucket_names(self) -> frozenset[str] | None:
        """The only buckets that a request this statement applies to can be on; None: there may be others."""
        return self._ends[-1].bucket_names

    def trace(
        self, violations: tuple[Violation, ...], *, matched: bool = False, unselected: bool = False
    ) -> StatementTrace:
        """The trace of a statement with the checks that failed or could not tell."""
        return StatementTrace(
            self.id, self.document, self.effect, self.mode, matched, violations=violations, unselected=unselected
        )

    def amendments(self, request: AccessRequest) -> tuple[Amendment, ...]:
        """What the statement adds to a request that it allows."""
        found = (rule.amend(request) for rule in self._amending)
        return tuple(amendment for amendment in found if amendment is not None)

    def judge(self, request: AccessRequest) -> Judgement | None:
        """Judge a request whose principal and action this statement names; None when it plainly matches.

        Selectors stop at the first failure. Rules are all judged, so that a caller learns everything at once.
        """
        unknowns: list[Unknown] = []
        passed = 0
        for selector in self._ends:
            resource = request.source if selector.end == "source" else request.resource
            if resource is None:
                return Judgement((Violation("source", "the copy names no source"),), (), passed, unselected=True)
            outcome = selector.check(resource, self.effect)
            if isinstance(outcome, Violation):
                return Judgement((outcome,), (), passed + _rank(outcome), unselected=True)
            if outcome is not None:
                unknowns.append(outcome)
            passed += len(_CHECKS)
        violations: list[Violation] = []
        for rule in self.rules:
            outcome = rule.check(request)
            if outcome is None:
                passed += 1
            elif isinstance(outcome, Violation):
                violations.append(outcome)
            else:
                unknowns.append(outcome)
        if not violations and not unknowns:
            return None
        return Judgement(tuple(violations), tuple(unknowns), passed)


def _rank(violation: Violation) -> int:
    name = violation.rule.rpartition(".")[2]
    return next((rank for rank, check in enumerate(_CHECKS) if check.startswith(name)), 0)


def _shown(key: str) -> str:
    return repr(key if len(key) <= 80 else f"{key[:77]}...")


def _listed(patterns: tuple[Pattern, ...]) -> str:
    shown = " or ".join(pattern.text for pattern in patterns[:4])
    return f"{shown} or {len(patterns) - 4} more" if len(patterns) > 4 else shown
