"""How the ends and rules of one statement are asked about a request, and what they answer.

Many statements differ in nothing but their buckets. What they ask beyond those is one `Checks`, which such
statements share: it is asked about nearly every request, and so it stays in the processor's caches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeGuard

from msgspec import Struct

from cos.values import Region
from policies.decision import Amendment, Effect, Mode, Outcome, Unknown, Violation
from policies.patterns import Pattern
from policies.request import AccessRequest, Resource
from policies.rule import AmendingRule, Rule

_ALLOWS = Effect.ALLOW
ORDER = ("bucket", "key", "regions", "accounts")
"""What an end checks, in this order."""


class End(Protocol):
    """One end of an access; `end` is `resource`, `source` or `destination`."""

    @property
    def end(self) -> str: ...

    def check(self, resource: Resource, effect: Effect) -> Outcome:
        """The first check that fails; None when the resource is selected."""
        ...


class Placed(Protocol):
    """What has the fields of a `Place`."""

    @property
    def end(self) -> str: ...

    @property
    def keys(self) -> tuple[Pattern, ...]: ...

    @property
    def regions(self) -> frozenset[Region] | None: ...

    @property
    def accounts(self) -> frozenset[str] | None: ...


def check_place(place: Placed, resource: Resource, effect: Effect) -> Outcome:
    """The first of the checks of key, region and account that fails."""
    if place.keys:
        violation = _check_key(place, resource.key, effect)
        if violation is not None:
            return violation
    if place.regions is not None and resource.region not in place.regions:
        if resource.region is None:
            return Unknown(Violation(f"{place.end}.region", "the region of the bucket is unknown"))
        expected = ", ".join(sorted(place.regions))
        return Violation(f"{place.end}.region", f"{resource.region} asked, expected {expected}")
    if place.accounts is not None and resource.account not in place.accounts:
        expected = ", ".join(sorted(place.accounts))
        return Violation(f"{place.end}.account", f"{resource.account or 'no account'} asked, expected {expected}")
    return None


def _check_key(place: Placed, key: str | None, effect: Effect) -> Violation | None:
    if key is None:
        if any(pattern.matches_all for pattern in place.keys):
            return None
        return Violation(f"{place.end}.key", f"this operation is on no object, expected {listed(place.keys)}")
    for pattern in place.keys:
        if pattern.grants(key) if effect is _ALLOWS else pattern.forbids(key):
            return None
    return Violation(f"{place.end}.key", f"{_shown(key)} asked, expected {listed(place.keys)}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a bucket, and where the bucket: what an end asks beyond the bucket's name.

    `end` leads the names of the checks (`source.key`). Empty tuples and None ask nothing.
    """

    end: str
    keys: tuple[Pattern, ...] = ()
    regions: frozenset[Region] | None = None
    accounts: frozenset[str] | None = None

    check = check_place  # the resource may be in whatever bucket


class Judgement(Struct, frozen=True, gc=False):
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
class Checks:
    """The ends and rules of a statement, in the order they are asked, and what they are for."""

    document: str
    effect: Effect
    mode: Mode
    ends: tuple[End, ...]
    rules: tuple[Rule, ...]
    asked_again: tuple[Rule, ...] | None = field(init=False, repr=False, compare=False)
    """See `asked_again`."""
    _amending: tuple[AmendingRule, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "asked_again", asked_again(self.rules))
        object.__setattr__(self, "_amending", tuple(rule for rule in self.rules if _amends(rule)))

    def judge(self, request: AccessRequest) -> Judgement | None:
        """Judge a request; None when it plainly matches."""
        return judge(self.effect, self.ends, self.rules, request)

    def amendments(self, request: AccessRequest) -> tuple[Amendment, ...]:
        """What the rules add to a request that is allowed."""
        return amend(self._amending, request) if self._amending else ()


def amend(rules: Sequence[Rule | AmendingRule], request: AccessRequest) -> tuple[Amendment, ...]:
    """What those of the rules that amend add to a request that all of them let pass."""
    found = [rule.amend(request) for rule in rules if _amends(rule)]
    return tuple(amendment for amendment in found if amendment is not None)


def asked_again(rules: Sequence[Rule]) -> tuple[Rule, ...] | None:
    """Of rules that passed, those that another request with the same ends may still break.

    None when one of them amends: then more than passing depends on the request.
    """
    if any(_amends(rule) for rule in rules):
        return None
    return tuple(rule for rule in rules if not getattr(rule, "of_ends", False))


def _amends(rule: Rule | AmendingRule) -> TypeGuard[AmendingRule]:
    # What `isinstance` tells as well, in a tenth of the time.
    return bool(getattr(rule, "amends", False))


def judge(effect: Effect, ends: Sequence[End], rules: Sequence[Rule], request: AccessRequest) -> Judgement | None:
    """How the checks of a statement fare; None when all of them plainly pass.

    Ends stop at the first failure. Rules are all judged, so that a caller learns everything at once.
    """
    unknowns: list[Unknown] | None = None
    for end in ends:
        resource = request.source if end.end == "source" else request.resource
        if resource is None:
            found = Violation("source", "the copy names no source")
            return Judgement((found,), (), len(ORDER) * ends.index(end), unselected=True)
        outcome = end.check(resource, effect)
        if outcome is not None:
            if isinstance(outcome, Violation):
                passed = len(ORDER) * ends.index(end) + _rank(outcome)
                return Judgement((outcome,), (), passed, unselected=True)
            unknowns = [outcome] if unknowns is None else [*unknowns, outcome]
    violations: list[Violation] | None = None
    untrue = 0
    for rule in rules:
        outcome = rule.check(request)
        if outcome is not None:
            untrue += 1
            if isinstance(outcome, Violation):
                violations = [outcome] if violations is None else [*violations, outcome]
            else:
                unknowns = [outcome] if unknowns is None else [*unknowns, outcome]
    if violations is None and unknowns is None:
        return None
    passed = len(ORDER) * len(ends) + len(rules) - untrue
    return Judgement(tuple(violations or ()), tuple(unknowns or ()), passed)


def listed(patterns: tuple[Pattern, ...]) -> str:
    """Patterns for a reason: the first few, and how many more."""
    shown = " or ".join(pattern.text for pattern in patterns[:4])
    return f"{shown} or {len(patterns) - 4} more" if len(patterns) > 4 else shown


def _rank(violation: Violation) -> int:
    name = violation.rule.rpartition(".")[2]
    return next((rank for rank, check in enumerate(ORDER) if check.startswith(name)), 0)


def _shown(key: str) -> str:
    return repr(key if len(key) <= 80 else f"{key[:77]}...")
