"""Statements by principal and action, so that a decision costs nothing for statements about others.

Facts of the structure: a principal named literally leads to its statements through one look-up; statements for
patterns of principals are few and tried one pattern at a time. Below a principal, statements that name the same
actions share one group, because policies repeat the same few sets of actions many times.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TypeAlias

from policies.patterns import Pattern
from policies.statement import Statement

_Entry: TypeAlias = tuple[int, Statement]
_Groups: TypeAlias = dict[frozenset[str], list[_Entry]]


class Index:
    """An immutable look-up from principal and action to statements, in the order of the documents."""

    __slots__ = ("_exact", "_patterns")

    def __init__(self, statements: Iterable[Statement]) -> None:
        exact: dict[str, _Groups] = {}
        patterns: dict[Pattern, _Groups] = {}
        for ordinal, statement in enumerate(statements):
            for principal in dict.fromkeys(statement.principals):
                groups = (
                    exact.setdefault(principal.text, defaultdict(list))
                    if principal.literal
                    else patterns.setdefault(principal, defaultdict(list))
                )
                groups[statement.actions].append((ordinal, statement))
        self._exact = exact
        self._patterns = tuple(patterns.items())

    def find(self, principal: str, action: str) -> list[Statement]:
        """Every statement that names the principal and the action, each once, in document order."""
        found: list[_Entry] = []
        groups = self._exact.get(principal)
        if groups is not None:
            for actions, entries in groups.items():
                if action in actions:
                    found += entries
        for pattern, groups in self._patterns:
            if pattern.matches(principal):
                for actions, entries in groups.items():
                    if action in actions:
                        found += entries
        if len(found) > 1:
            # A statement that names a principal twice, literally and by pattern, is judged once.
            return [statement for _, statement in sorted(dict(found).items())]
        return [statement for _, statement in found]

    def names(self, principal: str) -> bool:
        """Whether any statement is about the principal."""
        return principal in self._exact or any(pattern.matches(principal) for pattern, _ in self._patterns)
