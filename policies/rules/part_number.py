"""Which part numbers an upload may use. COS itself takes 1 to 10,000."""

from __future__ import annotations

from dataclasses import dataclass, field

from cos.values import MAX_PART_NUMBER, MIN_PART_NUMBER
from policies.decision import Outcome, Violation
from policies.request import AccessRequest
from policies.rule import rule


@rule("part_number")
@dataclass(frozen=True, slots=True)
class PartNumberRule:
    """Bounds the part number of an upload's part."""

    min: int = field(default=MIN_PART_NUMBER, metadata={"doc": "Lowest part number, inclusive."})
    max: int = field(default=MAX_PART_NUMBER, metadata={"doc": "Highest part number, inclusive."})

    def __post_init__(self) -> None:
        if not MIN_PART_NUMBER <= self.min <= self.max <= MAX_PART_NUMBER:
            raise ValueError(
                f"expected {MIN_PART_NUMBER} <= min <= max <= {MAX_PART_NUMBER}, got {self.min} and {self.max}"
            )

    def check(self, request: AccessRequest) -> Outcome:
        number = request.part_number
        if number is None:
            return Violation("part_number", "this operation has no part number, the statement bounds it")
        if number < self.min:
            return Violation("part_number.min", f"part {number} asked, at least {self.min} required")
        if number > self.max:
            return Violation("part_number.max", f"part {number} asked, at most {self.max} allowed")
        return None
