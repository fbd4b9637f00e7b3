"""One statement: whom it concerns, what it selects, on which conditions, and what it then does.

A statement selects either one end (`resource`) or, for operations that copy, the pair of `source` and
`destination`. The two never mix: a statement on a resource is never asked about a copy, whatever its actions,
because a copy also reads, and a grant to write is not a grant to read.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cos.operations import OPERATIONS
from cos.values import Region
from policies.checks import Judgement, amend, asked_again, check_place, judge, listed
from policies.decision import Amendment, Effect, Mode, Outcome, Violation
from policies.patterns import Pattern
from policies.request import AccessRequest, Resource
from policies.rule import Rule

COPYING_ACTIONS = frozenset(operation.action for operation in OPERATIONS if operation.copies)
"""The actions that pair statements are about."""
PLAIN_ACTIONS = frozenset(operation.action for operation in OPERATIONS if not operation.copies)
"""The actions that statements on a resource are about."""

_NO_NAMES: frozenset[str] = frozenset()


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
    _names: frozenset[str] = field(init=False, repr=False, compare=False)
    _others: tuple[Pattern, ...] = field(init=False, repr=False, compare=False)
    """The buckets that are not in `_names`: globs, and a lone name, which needs no set."""

    def __post_init__(self) -> None:
        names, others = _NO_NAMES, self.buckets
        if len(self.buckets) > 1:
            names = frozenset(pattern.text for pattern in self.buckets if pattern.literal)
            others = tuple(pattern for pattern in self.buckets if not pattern.literal)
        object.__setattr__(self, "_names", names)
        object.__setattr__(self, "_others", others)

    @property
    def bucket_names(self) -> frozenset[str] | None:
        """The only buckets that can be selected; None when a glob selects others too."""
        if any(not pattern.literal for pattern in self._others):
            return None
        return self._names or frozenset(pattern.text for pattern in self.buckets)

    def check(self, resource: Resource, effect: Effect) -> Outcome:
        """The first check that fails; None when the resource is selected."""
        bucket = resource.bucket
        if bucket is None:
            # The service itself: only a selector of every bucket reaches it.
            if not any(pattern.matches_all for pattern in self._others):
                return self._violation("this operation is on no bucket")
        elif bucket not in self._names:
            for pattern in self._others:
                if pattern.matches(bucket):
                    break
            else:
                return self._violation(f"{bucket} asked")
        return check_place(self, resource, effect)

    def _violation(self, asked: str) -> Violation:
        return Violation(f"{self.end}.bucket", f"{asked}, expected {listed(self.buckets)}")


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

    def __post_init__(self) -> None:
        given = tuple(end.end for end in (self.resource, self.source, self.destination) if end is not None)
        if given not in (("resource",), ("source", "destination")):
            raise ValueError("expected a resource, or a source and a destination")

    @property
    def ends(self) -> tuple[Selector, ...]:
        """The resource, or the source and the destination."""
        if self.source is None or self.destination is None:
            return (self.resource,) if self.resource is not None else ()
        return (self.source, self.destination)

    def judge(self, request: AccessRequest) -> Judgement | None:
        """Judge a request whose principal and action this statement names; None when it plainly matches."""
        return judge(self.effect, self.ends, self.rules, request)

    @property
    def asked_again(self) -> tuple[Rule, ...] | None:
        """Of its rules, those to ask again of requests with the same ends (see `policies.checks.asked_again`)."""
        return asked_again(self.rules)

    def amendments(self, request: AccessRequest) -> tuple[Amendment, ...]:
        """What the statement adds to a request that it allows."""
        return amend(self.rules, request)
