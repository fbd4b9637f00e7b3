"""How much of its source one copy may take.

The length judged is that of the range asked for; without a range header it is the whole source, which must then
be measured. COS's page names 1 MB to 5 GB per part, and any part may be the last and shorter: its own example
copies 91 bytes. Sizes are binary, as in every SDK. Source: COS API, "Upload Part - Copy".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from policies.decision import Fact, Outcome, Unknown, Violation
from policies.request import AccessRequest
from policies.rule import rule
from policies.sizes import Size, render_size


class SmallLastPart(StrEnum):
    """Whether a range shorter than `min` may pass when it ends at the source's last byte."""

    ALLOW = "allow"
    DENY = "deny"


@rule("range", copies=True)
@dataclass(frozen=True, slots=True)
class RangeRule:
    """Bounds the number of source bytes one copy takes."""

    required: bool = field(default=False, metadata={"doc": "A range header must be given."})
    min: Size | None = field(default=None, metadata={"doc": "Fewest bytes, inclusive."})
    max: Size | None = field(default=None, metadata={"doc": "Most bytes, inclusive."})
    small_last_part: SmallLastPart = field(
        default=SmallLastPart.DENY,
        metadata={"doc": "Whether fewer than `min` bytes pass when they end at the source's last byte."},
    )

    def __post_init__(self) -> None:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"expected min <= max, got {render_size(self.min)} and {render_size(self.max)}")
        if self.min is None and self.small_last_part is SmallLastPart.ALLOW:
            raise ValueError("expected min beside small_last_part: without it no part is small")
        if not self.required and self.min is None and self.max is None:
            raise ValueError("expected at least one of required: true, min, max")

    def check(self, request: AccessRequest) -> Outcome:
        asked = request.byte_range
        if asked is not None:
            length = asked.last - asked.first + 1
        elif self.required:
            return Violation("range.required", "no range given, one is required")
        elif request.facts.source_size_bytes is not None:
            length = request.facts.source_size_bytes
        else:
            return Unknown(
                Violation("range.size", "no range given, and the size of the source is unknown"), Fact.SOURCE_SIZE
            )
        if self.max is not None and length > self.max:
            return Violation("range.max", f"{render_size(length)} asked, at most {render_size(self.max)} allowed")
        if self.min is None or length >= self.min:
            return None
        too_small = Violation("range.min", f"{render_size(length)} asked, at least {render_size(self.min)} required")
        if self.small_last_part is SmallLastPart.DENY:
            return too_small
        size = request.facts.source_size_bytes
        if size is None:
            return Unknown(too_small, Fact.SOURCE_SIZE)
        if asked is None or asked.last == size - 1:
            return None
        return Violation(too_small.rule, f"{too_small.reason} of a part that is not the last")
