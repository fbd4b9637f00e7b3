"""Between which regions data may be copied: within one, along listed routes, across the border or not.

A bucket's region comes from the bucket registry, never from what the caller wrote. A region nobody knows is
equal to no region: an allow statement does not hold for it, a deny statement does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Self

from cos.values import Region
from policies.decision import Outcome, Unknown, Violation
from policies.regions import Territories, Territory
from policies.request import AccessRequest
from policies.rule import rule


@rule("same_region", copies=True, shorthand="expected")
@dataclass(frozen=True, slots=True)
class SameRegionRule:
    """Source and destination lie in the same region (true), or in different ones (false)."""

    of_ends: ClassVar[bool] = True
    expected: bool = field(metadata={"doc": "true: the same region; false: different regions."})

    def check(self, request: AccessRequest) -> Outcome:
        ends = _ends("same_region", request)
        if isinstance(ends, Unknown):
            return ends
        source, destination = ends
        if (source == destination) is self.expected:
            return None
        if self.expected:
            return Violation(
                "same_region", f"copy from {source} to {destination} asked, only within one region allowed"
            )
        return Violation("same_region", f"copy within {source} asked, only between regions allowed")


class SameRegion(StrEnum):
    """Whether a copy within one region passes a rule about routes."""

    ALLOW = "allow"
    DENY = "deny"


@rule("regions", copies=True, shorthand="pairs")
@dataclass(frozen=True, slots=True)
class RegionsRule:
    """Data travels along listed routes or within groups; a pair [source, destination] holds in that direction."""

    of_ends: ClassVar[bool] = True
    pairs: frozenset[tuple[Region, Region]] = field(
        default=frozenset(), metadata={"doc": "Allowed [source, destination] regions; either may be a set."}
    )
    within: tuple[frozenset[Region], ...] = field(
        default=(), metadata={"doc": "Groups of regions; both ends must lie in one of them."}
    )
    same_region: SameRegion = field(
        default=SameRegion.DENY, metadata={"doc": "Whether a copy within one region passes without being listed."}
    )

    def __post_init__(self) -> None:
        if not (self.pairs or self.within):
            raise ValueError("expected pairs or within")

    def check(self, request: AccessRequest) -> Outcome:
        name = "regions.pairs" if self.pairs else "regions.within"
        ends = _ends(name, request)
        if isinstance(ends, Unknown):
            return ends
        source, destination = ends
        if ends in self.pairs or (source == destination and self.same_region is SameRegion.ALLOW):
            return None
        if any(source in group and destination in group for group in self.within):
            return None
        routes = sorted(f"{a} to {b}" for a, b in self.pairs)
        groups = [f"within {' and '.join(sorted(group))}" for group in self.within]
        listed = ", ".join([*routes, *groups])
        return Violation(name, f"copy from {source} to {destination} asked, allowed: {listed}")


@dataclass(frozen=True, slots=True, order=True)
class Route:
    """A direction across, or on one side of, the border: `mainland->overseas`."""

    source: Territory
    destination: Territory

    @classmethod
    def parse(cls, text: str) -> Self:
        """`mainland->overseas`, white space around the arrow allowed. Raises ValueError."""
        source, arrow, destination = (piece.strip() for piece in text.partition("->"))
        names = {str(territory) for territory in Territory}
        if not arrow or source not in names or destination not in names:
            raise ValueError("expected a route such as mainland->overseas, of mainland and overseas")
        return cls(Territory(source), Territory(destination))

    def __str__(self) -> str:
        return f"{self.source}->{self.destination}"


@rule("territory", copies=True, shorthand="allow")
@dataclass(frozen=True, slots=True)
class TerritoryRule:
    """Data stays on, or crosses, the border between mainland China and overseas as listed."""

    of_ends: ClassVar[bool] = True
    allow: frozenset[Route] = field(metadata={"doc": "Allowed routes: mainland->mainland, mainland->overseas, …"})
    territories: Territories = field(default_factory=Territories)

    def check(self, request: AccessRequest) -> Outcome:
        ends = _ends("territory.allow", request)
        if isinstance(ends, Unknown):
            return ends
        source, destination = (self.territories.of(region) for region in ends)
        if source is None or destination is None:
            region = ends[0] if source is None else ends[1]
            return Unknown(Violation("territory.allow", f"region {region} is in no known territory"))
        if Route(source, destination) in self.allow:
            return None
        listed = ", ".join(str(route) for route in sorted(self.allow))
        return Violation("territory.allow", f"copy {source}->{destination} asked, allowed: {listed}")


def _ends(name: str, request: AccessRequest) -> tuple[Region, Region] | Unknown:
    source = request.source.region if request.source is not None else None
    destination = request.resource.region
    if source is None or destination is None:
        end = "source" if source is None else "destination"
        return Unknown(Violation(name, f"the region of the {end} is unknown"))
    return source, destination
