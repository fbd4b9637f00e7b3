"""Faults on demand: what a network or a service does wrong, at a chosen request.

A rule matches requests by operation, bucket and key prefix; of those it takes the `nth` (counted from 1, or
every one) and at most `times`. Rules are tried in order and the first that takes a request decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from cos.errors import ERRORS


@dataclass(frozen=True, slots=True)
class Delay:
    """Answer as usual, but only after `seconds`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer with an error document of this code instead of doing anything."""

    code: str
    message: str = ""

    def __post_init__(self) -> None:
        _require_code(self.code)


@dataclass(frozen=True, slots=True)
class ErrorInside200:
    """Answer 200 with an error document, as COS does when a copy fails after it began."""

    code: str
    message: str = ""

    def __post_init__(self) -> None:
        _require_code(self.code)


@dataclass(frozen=True, slots=True)
class Reset:
    """Do the work, then reset the connection after `after_bytes` of the body; None: before the head."""

    after_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Truncate:
    """Do the work, then close the connection in order after `after_bytes` of a body that was declared longer."""

    after_bytes: int


@dataclass(frozen=True, slots=True)
class ExtraBytes:
    """Answer as usual, with bytes right behind it that belong to no response, as if to the connection's next user."""

    data: bytes


Action: TypeAlias = Delay | Refuse | ErrorInside200 | Reset | Truncate | ExtraBytes


@dataclass(frozen=True, slots=True)
class FaultRule:
    """When a fault happens. An empty matcher matches everything; `operation` is a name of `cos.operations`."""

    action: Action
    operation: str = ""
    bucket: str = ""
    key_prefix: str = ""
    nth: int | None = None
    times: int | None = None

    def __post_init__(self) -> None:
        if (self.nth is not None and self.nth < 1) or (self.times is not None and self.times < 1):
            raise ValueError(f"expected nth and times of 1 or more, got {self.nth} and {self.times}")

    def matches(self, operation: str, bucket: str, key: str) -> bool:
        return self.operation in ("", operation) and self.bucket in ("", bucket) and key.startswith(self.key_prefix)


class Faults:
    """The rules in force and how often each has matched and struck."""

    def __init__(self, rules: Iterable[FaultRule] = ()) -> None:
        self._armed = [_Armed(rule) for rule in rules]

    @property
    def rules(self) -> list[FaultRule]:
        return [armed.rule for armed in self._armed]

    def add(self, *rules: FaultRule) -> None:
        """Put rules in force after those that are."""
        self._armed.extend(_Armed(rule) for rule in rules)

    def replace(self, rules: Iterable[FaultRule]) -> None:
        """Put these rules in force instead of all others; counts start again."""
        self._armed = [_Armed(rule) for rule in rules]

    def clear(self) -> None:
        self._armed = []

    def take(self, operation: str, bucket: str, key: str) -> Action | None:
        """Count a request and return what goes wrong with it."""
        taken: Action | None = None
        for armed in self._armed:
            if armed.rule.matches(operation, bucket, key) and armed.strikes(wanted=taken is None):
                taken = armed.rule.action
        return taken


class _Armed:
    """A rule with its counts."""

    def __init__(self, rule: FaultRule) -> None:
        self.rule = rule
        self._matched = 0
        self._struck = 0

    def strikes(self, *, wanted: bool) -> bool:
        self._matched += 1
        if not wanted:
            return False
        if self.rule.nth is not None and self._matched != self.rule.nth:
            return False
        if self.rule.times is not None and self._struck >= self.rule.times:
            return False
        self._struck += 1
        return True


def _require_code(code: str) -> None:
    if code not in ERRORS:
        raise ValueError(f"expected a COS error code, got {code!r}")
