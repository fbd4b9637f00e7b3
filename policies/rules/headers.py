"""Which control headers a request may, or must, carry: `acl`, `grant-read`, `server-side-encryption`, `tagging` …

Names are given without the dialect's prefix, as one rule is for both dialects; `x-cos-acl` is taken for `acl`.
Only presence is judged. `grant-*` is a glob.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Self

from policies.decision import Outcome, Violation
from policies.patterns import Pattern
from policies.request import AccessRequest
from policies.rule import rule

_NAME = re.compile(r"[a-z0-9*-]{1,128}", re.ASCII)
_PREFIX = re.compile(r"\Ax-(?:cos|amz)-", re.ASCII)


@dataclass(frozen=True, slots=True)
class HeaderName:
    """A control header's name, or a glob of names."""

    pattern: Pattern

    @classmethod
    def parse(cls, text: str) -> Self:
        """`acl`, `grant-*` or `x-cos-acl`; case does not matter. Raises ValueError."""
        name = _PREFIX.sub("", text.lower())
        if _NAME.fullmatch(name) is None:
            raise ValueError("expected a header name such as acl or grant-*")
        return cls(Pattern(name))

    def among(self, names: frozenset[str]) -> bool:
        """Whether one of the names is meant."""
        return self.pattern.text in names or (
            not self.pattern.literal and any(self.pattern.matches(name) for name in names)
        )


@rule("headers")
@dataclass(frozen=True, slots=True)
class HeadersRule:
    """Control headers are present, or absent, as listed."""

    require_any: tuple[HeaderName, ...] = field(default=(), metadata={"doc": "At least one of these must be given."})
    require_all: tuple[HeaderName, ...] = field(default=(), metadata={"doc": "Every one of these must be given."})
    forbid: tuple[HeaderName, ...] = field(default=(), metadata={"doc": "None of these may be given."})

    def __post_init__(self) -> None:
        if not (self.require_any or self.require_all or self.forbid):
            raise ValueError("expected at least one of require_any, require_all, forbid")

    def check(self, request: AccessRequest) -> Outcome:
        names = request.headers
        for header in self.forbid:
            if header.among(names):
                return Violation("headers.forbid", f"the control header {header.pattern.text} is forbidden")
        for header in self.require_all:
            if not header.among(names):
                return Violation("headers.require_all", f"the control header {header.pattern.text} is required")
        if self.require_any and not any(header.among(names) for header in self.require_any):
            listed = " or ".join(header.pattern.text for header in self.require_any)
            return Violation("headers.require_any", f"a control header {listed} is required")
        return None
