"""How large the whole source of a copy may be, and on which boundaries its parts may be cut.

Both judge the source as it was measured, never as a caller claims it to be.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from policies.decision import Fact, Outcome, Unknown, Violation
from policies.request import AccessRequest
from policies.rule import rule
from policies.sizes import Size, render_size


@rule("source_size", copies=True)
@dataclass(frozen=True, slots=True)
class SourceSizeRule:
    """Bounds the size of the source object, whatever range of it is asked for."""

    min: Size | None = field(default=None, metadata={"doc": "Fewest bytes, inclusive."})
    max: Size | None = field(default=None, metadata={"doc": "Most bytes, inclusive."})

    def __post_init__(self) -> None:
        if self.min is None and self.max is None:
            raise ValueError("expected min or max")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"expected min <= max, got {render_size(self.min)} and {render_size(self.max)}")

    def check(self, request: AccessRequest) -> Outcome:
        size = request.facts.source_size_bytes
        if size is None:
            return Unknown(Violation("source_size", "the size of the source is unknown"), Fact.SOURCE_SIZE)
        if self.max is not None and size > self.max:
            return Violation("source_size.max", f"the source is larger than {render_size(self.max)}")
        if self.min is not None and size < self.min:
            return Violation("source_size.min", f"the source is smaller than {render_size(self.min)}")
        return None


@rule("alignment", copies=True, shorthand="step")
@dataclass(frozen=True, slots=True)
class AlignmentRule:
    """Ranges start on multiples of a step and are multiples of it long, but for the last of the source."""

    step: Size = field(metadata={"doc": "The distance between boundaries, in bytes."})

    def __post_init__(self) -> None:
        if self.step < 1:
            raise ValueError("expected a step of at least one byte")

    def check(self, request: AccessRequest) -> Outcome:
        asked = request.byte_range
        if asked is None:
            return None
        if asked.first % self.step:
            return Violation(
                "alignment.first",
                f"a range from byte {asked.first} asked, multiples of {render_size(self.step)} allowed",
            )
        if asked.length_bytes % self.step == 0:
            return None
        uneven = Violation(
            "alignment.length",
            f"{render_size(asked.length_bytes)} asked, multiples of {render_size(self.step)} allowed",
        )
        size = request.facts.source_size_bytes
        if size is None:
            return Unknown(uneven, Fact.SOURCE_SIZE)
        return None if asked.last == size - 1 else uneven
