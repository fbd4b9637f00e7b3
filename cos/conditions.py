"""The four conditions a copy may put on its source, and when they hold.

| header                | holds when                      | may be combined with  |
|-----------------------|---------------------------------|-----------------------|
| if-match              | the source's ETag is listed     | if-unmodified-since   |
| if-none-match         | the source's ETag is not listed | if-modified-since     |
| if-modified-since     | modified after the time         | if-none-match         |
| if-unmodified-since   | not modified after the time     | if-match              |

Any other combination is a conflict. A condition that does not hold is 412, never 304.
Source: COS API, "Upload Part - Copy", request headers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cos.errors import COSError

CONDITION_NAMES = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since")
"""Header names after `x-cos-copy-source-` (or `x-amz-copy-source-`)."""

LAWFUL_PAIRS = frozenset(
    {
        frozenset({"if-match", "if-unmodified-since"}),
        frozenset({"if-none-match", "if-modified-since"}),
    }
)

# No comma and no `*` inside quotes: a reader that ignores quotes would see a list, or the wildcard.
_ETAG_LIST = re.compile(r' *(?:"([!#-)+\-.-~]+)"|([!#-)+\-.-~]+)) *(?:,|\Z)')

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_HTTP_DATE = re.compile(
    rf"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), ([0-9]{{2}}) ({'|'.join(_MONTHS)}) ([0-9]{{4}})"
    r" ([0-9]{2}):([0-9]{2}):([0-9]{2}) GMT"
)
"""RFC 9110 §5.6.7, IMF-fixdate. Its obsolete forms, with two-digit years and no zone, could mean two times."""


@dataclass(frozen=True, slots=True)
class CopyConditions:
    """The conditions of one copy, parsed. ETags are without quotes; `("*",)` matches every ETag."""

    if_match: tuple[str, ...] | None = None
    if_none_match: tuple[str, ...] | None = None
    if_modified_since: datetime | None = None
    if_unmodified_since: datetime | None = None
    present: frozenset[str] = field(init=False, repr=False, compare=False)
    """Which of CONDITION_NAMES are given."""

    def __post_init__(self) -> None:
        present = frozenset(name for name in CONDITION_NAMES if getattr(self, name.replace("-", "_")) is not None)
        object.__setattr__(self, "present", present)

    @property
    def conflict(self) -> bool:
        """Whether the combination is one COS calls conflicting."""
        present = self.present
        return len(present) > 1 and present not in LAWFUL_PAIRS

    def hold(self, *, etag: str, last_modified: datetime) -> bool:
        """Whether a source with this ETag (unquoted) and modification time may be copied.

        Times compare in whole seconds: HTTP dates carry no fraction.
        """
        modified = last_modified.replace(microsecond=0)
        return (
            (self.if_match is None or _listed(etag, self.if_match))
            and (self.if_none_match is None or not _listed(etag, self.if_none_match))
            and (self.if_modified_since is None or modified > self.if_modified_since)
            and (self.if_unmodified_since is None or modified <= self.if_unmodified_since)
        )


NO_CONDITIONS = CopyConditions()


def parse_conditions(values: dict[str, str]) -> CopyConditions:
    """Conditions from header text, keyed by CONDITION_NAMES. Raises COSError(InvalidArgument).

    A conflicting combination is parsed, not refused: see `CopyConditions.conflict`.
    """
    return CopyConditions(
        if_match=_etags("if-match", values),
        if_none_match=_etags("if-none-match", values),
        if_modified_since=_http_date("if-modified-since", values),
        if_unmodified_since=_http_date("if-unmodified-since", values),
    )


def _listed(etag: str, listed: tuple[str, ...]) -> bool:
    return listed == ("*",) or etag in listed


def _etags(name: str, values: dict[str, str]) -> tuple[str, ...] | None:
    text = values.get(name)
    if text is None:
        return None
    if text.strip() == "*":
        return ("*",)
    etags, position = [], 0
    while position < len(text):
        match = _ETAG_LIST.match(text, position)
        if match is None:
            break
        etags.append(match[1] if match[1] is not None else match[2])
        position = match.end()
    if not etags or position < len(text) or text.rstrip().endswith(","):
        raise COSError("InvalidArgument", f"Expected {name} to be one or more ETags, got {text[:60]!r}.")
    return tuple(etags)


def _http_date(name: str, values: dict[str, str]) -> datetime | None:
    text = values.get(name)
    if text is None:
        return None
    match = _HTTP_DATE.fullmatch(text)
    if match is not None:
        day, month, year, hour, minute, second = match.groups()
        try:
            return datetime(
                int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC
            )
        except ValueError:
            pass  # 31 Feb, 25:00
    raise COSError(
        "InvalidArgument", f"Expected {name} to be a date like 'Mon, 04 Sep 2017 04:45:45 GMT', got {text[:60]!r}."
    )
