"""Statements by principal, action and buckets, so that a decision costs nothing for statements about others.

Facts of the structure: a principal named literally leads to its statements through one look-up; statements for
patterns of principals are few and tried one pattern at a time. Below a principal, statements that name the same
actions share one group, because policies repeat the same few sets of actions many times. In a group, a statement
lies under the bucket that is written, or read, when it spells out which, and where several do under the bucket that
is copied from: it cannot apply to a request on others.

With many statements a decision costs what it has to fetch from memory, more than what it computes. So little is kept
of each statement on the way to it, and what it asks beyond its buckets is shared by all that ask the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from policies.checks import Checks, End, Judgement, Place
from policies.decision import Amendment, Mode, StatementTrace
from policies.patterns import Pattern
from policies.request import AccessRequest
from policies.statement import Selector, Statement

MAX_SOURCES = 64
"""Under so many buckets a statement may lie that spells out what is copied from; with more it is always asked."""


class Judges(Protocol):
    """What a request is held against: a statement, or of it what its place in the index does not settle."""

    def judge(self, request: AccessRequest) -> Judgement | None: ...

    def amendments(self, request: AccessRequest) -> tuple[Amendment, ...]: ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """A statement that names the principal and the action, and what of it is still to be asked."""

    ordinal: int
    """Its place in the documents."""
    source: str | None
    """The one bucket that must be copied from before `checks` are asked; None: they ask for it themselves."""
    checks: Judges
    matched: StatementTrace
    statement: Statement

    @property
    def whole(self) -> Candidate:
        """The same statement, to be asked everything."""
        return Candidate(self.ordinal, None, self.statement, self.matched, self.statement)


class _Fan:
    """Several statements about one bucket that is written, or read."""

    __slots__ = ("all", "by_source", "of_any_source")

    def __init__(self) -> None:
        self.all: list[Candidate] = []
        self.of_any_source: list[Candidate] = []
        self.by_source: dict[str, list[Candidate]] = {}

    def add(self, candidate: Candidate) -> None:
        self.all.append(candidate)
        source = candidate.statement.source
        names = source.bucket_names if source is not None else None
        if names is None or len(names) > MAX_SOURCES or candidate.matched.mode is Mode.SHADOW:
            self.of_any_source.append(candidate)
            return
        for name in names:
            self.by_source.setdefault(name, []).append(candidate)

    def find(self, source: str | None) -> list[Candidate]:
        return [*self.by_source.get(source or "", ()), *self.of_any_source]


class _Group:
    """Statements with equal actions."""

    __slots__ = ("about", "all", "anywhere")

    def __init__(self) -> None:
        self.all: list[Candidate] = []
        self.anywhere: list[Candidate] = []
        """Those that may be about any bucket."""
        self.about: dict[str, Candidate | _Fan] = {}
        """All others, by the bucket that is written, or read."""

    def add(self, candidate: Candidate, about: Iterable[str] | None) -> None:
        self.all.append(candidate)
        if about is None:
            self.anywhere.append(candidate)
            return
        for bucket in about:
            present = self.about.setdefault(bucket, candidate)
            if isinstance(present, _Fan):
                present.add(candidate)
            elif present is not candidate:
                fan = self.about[bucket] = _Fan()
                fan.add(present)
                fan.add(candidate)


_Groups: TypeAlias = dict[frozenset[str], _Group]


class Index:
    """An immutable look-up from principal, action and buckets to statements, in the order of the documents."""

    __slots__ = ("_exact", "_patterns")

    def __init__(self, statements: Iterable[Statement]) -> None:
        shared = _SharedChecks()
        exact: dict[str, _Groups] = {}
        patterns: dict[Pattern, _Groups] = {}
        for ordinal, statement in enumerate(statements):
            about = statement.ends[-1].bucket_names
            candidate = shared.candidate(ordinal, statement, about)
            for principal in dict.fromkeys(statement.principals):
                groups = (
                    exact.setdefault(principal.text, {}) if principal.literal else patterns.setdefault(principal, {})
                )
                group = groups.get(statement.actions)
                if group is None:
                    group = groups[statement.actions] = _Group()
                group.add(candidate, about)
        self._exact = exact
        self._patterns = tuple(patterns.items())

    def find(self, principal: str, action: str) -> list[Candidate]:
        """Every statement that names the principal and the action, each once, in document order."""
        return _in_order([candidate.whole for group in self._groups(principal, action) for candidate in group.all])

    def find_about(self, principal: str, action: str, bucket: str) -> list[Candidate]:
        """Of `find`, those that are not only about other buckets than the one that is written, or read."""
        found: list[Candidate] = []
        for group in self._groups(principal, action):
            found += group.anywhere
            about = group.about.get(bucket)
            if about is not None:
                found += about.all if isinstance(about, _Fan) else [about]
        return _in_order([candidate.whole for candidate in found])

    def find_selecting(
        self, principal: str, action: str, bucket: str, source: str | None
    ) -> tuple[list[Candidate], bool]:
        """Of `find_about`, those that are not only about another source either, and whether those are all of them.

        `source` is None when nothing is copied. Statements in shadow mode are there whatever their source.
        """
        found: list[Candidate] = []
        complete = True
        for group in self._groups(principal, action):
            about = group.about.get(bucket)
            if isinstance(about, Candidate):
                if about.source is None or about.source == source:
                    found.append(about)
                else:
                    complete = False
            elif about is not None:
                narrowed = about.find(source)
                complete = complete and len(narrowed) == len(about.all)
                found += narrowed
            found += group.anywhere
        return _in_order(found), complete

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


class _SharedChecks:
    """What statements ask beyond their buckets: one object for all that ask the same."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, int, int, int], Place] = {}
        self._checks: dict[tuple[object, ...], Checks] = {}

    def candidate(self, ordinal: int, statement: Statement, about: frozenset[str] | None) -> Candidate:
        """A statement to lie under the buckets `about`, or, when there is None, under none."""
        if about is None:
            return Candidate(ordinal, None, statement, statement.matched, statement)
        source, ends = self._source(statement)
        ends.append(self._place(statement.ends[-1]))
        # By identity: reading a document leaves one object of what it says many times, and the statements hold it.
        key = (statement.effect, id(statement.rules), *map(id, ends))
        checks = self._checks.get(key)
        if checks is None:
            checks = self._checks[key] = Checks(statement.effect, tuple(ends), statement.rules)
        return Candidate(ordinal, source, checks, statement.matched, statement)

    def _source(self, statement: Statement) -> tuple[str | None, list[End]]:
        """The bucket that is to be told first, and what is asked of the end that is copied from."""
        selector = statement.source
        if selector is None:
            return None, []
        names = selector.bucket_names
        # What is only rehearsed is in the trace of every decision about its bucket: it asks for its source itself.
        if names is None or len(names) > 1 or statement.mode is Mode.SHADOW:
            return None, [selector]
        return min(names), [self._place(selector)]

    def _place(self, selector: Selector) -> Place:
        key = (selector.end, id(selector.keys), id(selector.regions), id(selector.accounts))
        place = self._places.get(key)
        if place is None:
            keys = () if any(pattern.matches_all for pattern in selector.keys) else selector.keys
            place = self._places[key] = Place(selector.end, keys, selector.regions, selector.accounts)
        return place


def _in_order(found: list[Candidate]) -> list[Candidate]:
    if len(found) < 2:
        return found
    # A statement that names a principal twice, literally and by pattern, is judged once.
    once = {candidate.ordinal: candidate for candidate in found}
    return [once[ordinal] for ordinal in sorted(once)]
