"""Plain decisions, which are remembered: the parts of one copy ask for the same and differ in what rules look at.

Which statements concern a request, and whether their ends select what it asks for, follows from the principal, the
action, the resource and the source alone. When beyond that every rule that was asked plainly passed, then of the next
request with the same four only the rules are to be asked, and of them only those that look at anything else; COS's own
come first. If they pass as well, the decision is the very same one, its trace included. If not, the request is judged
from the beginning.

A decision that hinges on a fact, that a failed rule is part of, or that adds to the request is not plain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from msgspec import Struct

from policies.builtin import check_copied
from policies.decision import Decision, Outcome
from policies.index import Candidate
from policies.request import AccessRequest, Resource

MAX_CANDIDATES = 16
"""A decision with a longer trace is not remembered: what is remembered stays small."""

Ends: TypeAlias = tuple[str, str, Resource, Resource | None]
"""Principal, action, resource and source: under these a decision is remembered."""


class PlainDecision(Struct, frozen=True, gc=False):
    """The decision on every request of some ends that passes the checks: they are the same for equal ends."""

    checks: tuple[Callable[[AccessRequest], Outcome], ...]
    decision: Decision


def plain_decision(candidates: Sequence[Candidate], decision: Decision, *, copies: bool) -> PlainDecision | None:
    """What can be remembered of a plain decision on `candidates`; None when it is too much, or amends.

    The decision is not the default, and every candidate that is selected plainly matched. `copies`: there is a source.
    """
    if len(candidates) > MAX_CANDIDATES:
        return None
    checks: tuple[Callable[[AccessRequest], Outcome], ...] = (check_copied,) if copies else ()
    for trace, candidate in zip(decision.trace, candidates):  # noqa: B905  # each has its trace
        if not trace.unselected:
            again = candidate.checks.asked_again
            if again is None:
                return None
            checks += tuple([rule.check for rule in again])
    return PlainDecision(checks, decision)
