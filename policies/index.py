"""Statements by principal, action and bucket, so that a decision costs nothing for statements about others.

Facts of the structure: a principal named literally leads to its statements through one look-up; statements for
patterns of principals are few and tried one pattern at a time. Below a principal, statements that name the same
actions share one group, because policies repeat the same few sets of actions many times. In a group, a statement
whose buckets are all spelled out lies under each of them: it cannot apply to a request on another one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from policies.patterns import Pattern
from policies.statement import Statement

_Entry: TypeAlias = tuple[int, Statement]


class _Group:
    """Statements with equal actions, each with its place in the documents."""

    __slots__ = ("by_bucket", "entries", "of_any_bucket")

    def __init__(self) -> None:
        self.entries: list[_Entry] = []
        self.of_any_bucket: list[_Entry] = []
        self.by_bucket: dict[str, list[_Entry]] = {}

    def add(self, entry: _Entry) -> None:
        self.entries.append(entry)
        names = entry[1].bucket_names
        if names is None:
            self.of_any_bucket.append(entry)
            return
        for name in names:
            self.by_bucket.setdefault(name, []).append(entry)


_Groups: TypeAlias = dict[frozenset[str], _Group]


class Index:
    """An immutable look-up from principal, action and bucket to statements, in the order of the documents."""

    __slots__ = ("_exact", "_patterns")

    def __init__(self, statements: Iterable[Statement]) -> None:
        exact: dict[str, _Groups] = {}
        patterns: dict[Pattern, _Groups] = {}
        for ordinal, statement in enumerate(statements):
            for principal in dict.fromkeys(statement.principals):
                groups = (
                    exact.setdefault(principal.text, {}) if principal.literal else patterns.setdefault(principal, {})
                )
                group = groups.get(statement.actions)
                if group is None:
                    group = groups[statement.actions] = _Group()
                group.add((ordinal, statement))
        self._exact = exact
        self._patterns = tuple(patterns.items())

    def find(self, principal: str, action: str) -> list[Statement]:
        """Every statement that names the principal and the action, each once, in document order."""
        return _in_order([entry for group in self._groups(principal, action) for entry in group.entries])

    def find_about(self, principal: str, action: str, bucket: str) -> list[Statement]:
        """Of `find`, those that are not only about other buckets than the one that is written, or read."""
        found: list[_Entry] = []
        for group in self._groups(principal, action):
            found += group.by_bucket.get(bucket, ())
            found += group.of_any_bucket
        return _in_order(found)

    def names(self, principal: str) -> bool:
        """Whether any statement is about the principal."""
        return principal in self._exact or any(pattern.matches(principal) for pattern, _ in self._patterns)

    def _groups(self, principal: str, action: str) -> list[_Group]:
        own = self._exact.get(principal)
        found = [group for actions, group in own.items() if action in actions] if own is not None else []
        for pattern, groups in self._patterns:
            if pattern.matches(principal):
                found += [group for actions, group in groups.items() if action in actions]
        return found


def _in_order(found: list[_Entry]) -> list[Statement]:
    if len(found) > 1:
        # A statement that names a principal twice, literally and by pattern, is judged once.
        return [statement for _, statement in sorted(dict(found).items())]
    return [statement for _, statement in found]
