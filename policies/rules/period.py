"""When a request may be made: between two moments, on some days of the week, within some hours.

Days and hours are those of `utc_offset` (China: +08:00, the default), without daylight saving.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from typing import Self

from policies.decision import Outcome, Unknown, Violation
from policies.request import AccessRequest
from policies.rule import rule

_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)", re.ASCII)
_OFFSET = re.compile(r"([+-])(0[0-9]|1[0-4]):([0-5][0-9])", re.ASCII)
_DAY_MINUTES = 24 * 60


class Day(StrEnum):
    """A day of the week."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


_DAYS = tuple(Day)


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time, in a document always with its offset from UTC."""

    at: datetime

    @classmethod
    def parse(cls, text: str) -> Self:
        """ISO 8601 with an offset: `2027-01-01T00:00:00+08:00`. Raises ValueError."""
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            at = None
        if at is None or at.tzinfo is None:
            raise ValueError("expected a moment such as 2027-01-01T00:00:00+08:00")
        return cls(at)


@dataclass(frozen=True, slots=True)
class Hours:
    """Minutes of the day: from `start` inclusive to `end` exclusive; over midnight when `end` comes first."""

    start: int
    end: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """`08:00-18:00` or `22:00-06:00`. Raises ValueError."""
        match = _HOURS.fullmatch(text)
        if match is None:
            raise ValueError("expected hours such as 08:00-18:00")
        start = int(match[1]) * 60 + int(match[2])
        end = int(match[3]) * 60 + int(match[4]) if match[3] else _DAY_MINUTES
        if start == end:
            raise ValueError("expected hours that differ")
        return cls(start, end)

    def __contains__(self, minute: int) -> bool:
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end

    def __str__(self) -> str:
        return f"{self.start // 60:02}:{self.start % 60:02}-{self.end // 60:02}:{self.end % 60:02}"


@dataclass(frozen=True, slots=True)
class Offset:
    """A fixed distance from UTC."""

    zone: timezone

    @classmethod
    def parse(cls, text: str) -> Self:
        """`+08:00`. Raises ValueError."""
        match = _OFFSET.fullmatch(text)
        if match is None:
            raise ValueError("expected an offset such as +08:00, in quotes")
        minutes = int(match[2]) * 60 + int(match[3])
        return cls(timezone(timedelta(minutes=-minutes if match[1] == "-" else minutes)))


_CHINA = Offset(timezone(timedelta(hours=8)))


@rule("period")
@dataclass(frozen=True, slots=True)
class PeriodRule:
    """The request is made within a period, on given days, within given hours."""

    not_before: Moment | None = field(default=None, metadata={"doc": "First moment, inclusive."})
    not_after: Moment | None = field(default=None, metadata={"doc": "Last moment, inclusive."})
    days: frozenset[Day] = field(default=frozenset(), metadata={"doc": "Days of the week; none: every day."})
    hours: Hours | None = field(default=None, metadata={"doc": "Hours of the day, end exclusive."})
    utc_offset: Offset = field(default=_CHINA, metadata={"doc": "Where days and hours are counted."})

    def __post_init__(self) -> None:
        if self.not_before is None and self.not_after is None and not self.days and self.hours is None:
            raise ValueError("expected at least one of not_before, not_after, days, hours")
        if self.not_before is not None and self.not_after is not None and self.not_before.at > self.not_after.at:
            raise ValueError("expected not_before to come before not_after")

    def check(self, request: AccessRequest) -> Outcome:
        now = request.time
        if now is None or now.tzinfo is None:
            return Unknown(Violation("period", "the time of the request is unknown"))
        if self.not_before is not None and now < self.not_before.at:
            return Violation("period.not_before", f"allowed from {self.not_before.at.isoformat()}")
        if self.not_after is not None and now > self.not_after.at:
            return Violation("period.not_after", f"allowed until {self.not_after.at.isoformat()}")
        local = now.astimezone(self.utc_offset.zone)
        today = _DAYS[local.weekday()]
        if self.days and today not in self.days:
            return Violation(
                "period.days", f"asked on {today}, allowed on {', '.join(d for d in Day if d in self.days)}"
            )
        if self.hours is not None and local.hour * 60 + local.minute not in self.hours:
            return Violation("period.hours", f"asked at {local:%H:%M}, allowed {self.hours}")
        return None
