"""Which conditions a copy must, or must not, put on its source (`x-cos-copy-source-if-*`).

That the combination is lawful is COS's own rule and checked before any document. Requiring `if-match` pins
what is copied: the source cannot change between the parts of one upload unnoticed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from cos.conditions import CONDITION_NAMES, LAWFUL_PAIRS
from policies.decision import Outcome, Violation
from policies.request import AccessRequest
from policies.rule import rule


class ConditionName(StrEnum):
    """A condition header after `x-cos-copy-source-`."""

    IF_MATCH = "if-match"
    IF_NONE_MATCH = "if-none-match"
    IF_MODIFIED_SINCE = "if-modified-since"
    IF_UNMODIFIED_SINCE = "if-unmodified-since"


_NONE: frozenset[str] = frozenset()


@rule("source_conditions", copies=True)
@dataclass(frozen=True, slots=True)
class SourceConditionsRule:
    """The conditions a copy puts on its source are among those asked for."""

    require_any: frozenset[ConditionName] = field(
        default=frozenset(), metadata={"doc": "At least one of these must be given."}
    )
    require_all: frozenset[ConditionName] = field(
        default=frozenset(), metadata={"doc": "Every one of these must be given."}
    )
    forbid: frozenset[ConditionName] = field(default=frozenset(), metadata={"doc": "None of these may be given."})
    pairs: frozenset[tuple[ConditionName, ConditionName]] | None = field(
        default=None, metadata={"doc": "When two are given, they must be one of these pairs; [] allows no pair."}
    )
    exact_etag: bool = field(
        default=False, metadata={"doc": "if-match, when given, must name exactly one ETag and not `*`."}
    )

    def __post_init__(self) -> None:
        if not (self.require_any or self.require_all or self.forbid or self.exact_etag or self.pairs is not None):
            raise ValueError("expected at least one of require_any, require_all, forbid, pairs, exact_etag")
        both = (self.require_all | self.require_any) & self.forbid
        if both:
            raise ValueError(f"expected a condition to be required or forbidden, got both for {', '.join(both)}")
        if len(self.require_all) > 1 and self.require_all not in LAWFUL_PAIRS:
            raise ValueError(f"expected require_all to be a pair COS accepts, got {_listed(self.require_all)}")
        for pair in self.pairs or ():
            if frozenset(pair) not in LAWFUL_PAIRS:
                raise ValueError(f"expected a pair COS accepts, got {_listed(pair)}")

    def check(self, request: AccessRequest) -> Outcome:
        conditions = request.conditions
        present = conditions.present if conditions is not None else _NONE
        if self.require_any and self.require_any.isdisjoint(present):
            return Violation(
                "source_conditions.require_any",
                f"{_listed(present)} given, at least one of {_listed(self.require_any)} required",
            )
        if not self.require_all <= present:
            return Violation(
                "source_conditions.require_all", f"{_listed(present)} given, {_listed(self.require_all)} required"
            )
        if not self.forbid.isdisjoint(present):
            return Violation("source_conditions.forbid", f"{_listed(present)} given, {_listed(self.forbid)} forbidden")
        if self.pairs is not None and len(present) > 1 and not any(present == frozenset(pair) for pair in self.pairs):
            return Violation(
                "source_conditions.pairs", f"{_listed(present)} given together, not one of the allowed pairs"
            )
        if self.exact_etag and conditions is not None and conditions.if_match is not None:
            etags = conditions.if_match
            if len(etags) != 1 or etags == ("*",):
                asked = "* given" if etags == ("*",) else f"{len(etags)} ETags given"
                return Violation("source_conditions.exact_etag", f"{asked} in if-match, exactly one ETag required")
        return None


def _listed(names: frozenset[str] | frozenset[ConditionName] | tuple[str, ...]) -> str:
    ordered = [name for name in CONDITION_NAMES if name in names]
    return " and ".join(ordered) or "no condition"
