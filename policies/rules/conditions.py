"""Which conditions a copy must, or must not, put on its source (`x-cos-copy-source-if-*`).

That the combination is lawful is COS's own rule and checked before any document. Requiring `if-match` pins
what is copied: the source cannot change between the parts of one upload unnoticed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from cos.conditions import CONDITION_NAMES, LAWFUL_PAIRS
from policies.decision import Amendment, Fact, Outcome, Unknown, Violation
from policies.request import AccessRequest
from policies.rule import rule


class ConditionName(StrEnum):
    """A condition header after `x-cos-copy-source-`."""

    IF_MATCH = "if-match"
    IF_NONE_MATCH = "if-none-match"
    IF_MODIFIED_SINCE = "if-modified-since"
    IF_UNMODIFIED_SINCE = "if-unmodified-since"


class Pin(StrEnum):
    """What a copy is pinned to."""

    ETAG = "etag"


_NONE: frozenset[str] = frozenset()
_BESIDE_IF_MATCH = frozenset({ConditionName.IF_UNMODIFIED_SINCE})
"""The only condition that COS takes together with if-match."""


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
        default=None, metadata={"doc": "When two are given, they must be one of these pairs."}
    )
    exact_etag: bool = field(
        default=False, metadata={"doc": "if-match, when given, must name exactly one ETag and not `*`."}
    )
    pin: Pin | None = field(
        default=None,
        metadata={"doc": "etag: if-match names one ETag; where none is given the measured one is added."},
    )

    def __post_init__(self) -> None:
        given = (self.require_any, self.require_all, self.forbid, self.exact_etag, self.pairs is not None, self.pin)
        if not any(given):
            raise ValueError("expected at least one of require_any, require_all, forbid, pairs, exact_etag, pin")
        if self.pin is not None and ConditionName.IF_MATCH in self.forbid:
            raise ValueError("expected if-match to be forbidden or pinned, got both")
        both = (self.require_all | self.require_any) & self.forbid
        if both:
            raise ValueError(f"expected a condition to be required or forbidden, got both for {_listed(both)}")
        if len(self.require_all) > 1 and self.require_all not in LAWFUL_PAIRS:
            raise ValueError(f"expected require_all to be a pair COS accepts, got {_listed(self.require_all)}")
        for pair in self.pairs or ():
            if frozenset(pair) not in LAWFUL_PAIRS:
                raise ValueError(f"expected a pair COS accepts, got {_listed(pair)}")

    def check(self, request: AccessRequest) -> Outcome:
        conditions = request.conditions
        present = conditions.present if conditions is not None else _NONE
        if self.pin is not None and ConditionName.IF_MATCH not in present:
            if not present <= _BESIDE_IF_MATCH:
                return Violation(
                    "source_conditions.pin", f"{_listed(present)} given, COS takes no if-match beside it: not pinned"
                )
            # What is demanded is added: see `amend`.
            present |= {ConditionName.IF_MATCH}
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
        if conditions is not None and conditions.if_match is not None:
            etags = conditions.if_match
            if (self.exact_etag or self.pin) and (len(etags) != 1 or etags == ("*",)):
                asked = "* given" if etags == ("*",) else f"{len(etags)} ETags given"
                name = "exact_etag" if self.exact_etag else "pin"
                return Violation(f"source_conditions.{name}", f"{asked} in if-match, exactly one ETag required")
        elif self.pin is not None and request.facts.source_etag is None:
            unpinned = Violation("source_conditions.pin", "no if-match given, and the ETag of the source is unknown")
            return Unknown(unpinned, Fact.SOURCE_ETAG)
        return None

    @property
    def amends(self) -> bool:
        """Whether a request may be amended; only an allow statement does that."""
        return self.pin is not None

    def amend(self, request: AccessRequest) -> Amendment | None:
        """The If-Match to add to a request that passed `check`; None when the caller gave one."""
        etag = request.facts.source_etag
        if self.pin is None or etag is None or (request.conditions is not None and request.conditions.if_match):
            return None
        return Amendment("copy-source-if-match", f'"{etag}"', "source_conditions.pin")


def _listed(names: frozenset[str] | frozenset[ConditionName] | tuple[str, ...]) -> str:
    ordered = [name for name in CONDITION_NAMES if name in names]
    return " and ".join(ordered) or "no condition"
