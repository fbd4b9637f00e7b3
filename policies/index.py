"""Statements by principal, action and buckets, so that a decision costs nothing for statements about others.

Facts of the structure: with many statements a decision costs what it has to fetch from memory, more than what it
computes. Below a principal that is named literally, a statement that spells out its buckets therefore lies under one
text for each request it can apply to, and what it asks beyond its names is shared by all that ask the same. All others
are few, as a rule: they lie in groups of equal actions, under the bucket that is written, or read. Patterns of
principals are tried one by one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeAlias

from msgspec import Struct

from policies.checks import Checks, Judgement, Place
from policies.decision import Amendment, Effect, Mode
from policies.patterns import Pattern
from policies.request import AccessRequest
from policies.rule import Rule
from policies.statement import Selector, Statement

MAX_NAMES = 64
"""So many texts one statement may lie under below a principal: its buckets, or pairs of them."""


class Judges(Protocol):
    """What a request is held against: a statement, or of it what its place in the index does not settle."""

    @property
    def document(self) -> str: ...

    @property
    def effect(self) -> Effect: ...

    @property
    def mode(self) -> Mode: ...

    @property
    def asked_again(self) -> tuple[Rule, ...] | None:
        """Of its rules, those to ask again of requests with the same ends (see `policies.checks.asked_again`)."""
        ...

    def judge(self, request: AccessRequest) -> Judgement | None:
        """None when it plainly matches."""
        ...

    def amendments(self, request: AccessRequest) -> tuple[Amendment, ...]:
        """What it adds to a request that it allows."""
        ...


class Candidate(Struct, frozen=True, gc=False):
    """A statement that names the principal and the action, and what of it is still to be asked."""

    ordinal: int
    """Its place in the documents."""
    id: str
    actions: frozenset[str]
    checks: Judges
    statement: Statement
    alone: bool = False
    """No other statement that names the principal literally is about one of its buckets."""


_Found: TypeAlias = int | list[int]
"""The place of one statement, as most often, or of several."""


class _Group:
    """Statements with equal actions, by their places in the documents."""

    __slots__ = ("about", "all", "anywhere", "beside")

    def __init__(self) -> None:
        self.all: list[int] = []
        self.anywhere: list[Candidate] = []
        """Those that may be about any bucket."""
        self.about: dict[str, _Found] = {}
        """All others, by the bucket that is written, or read."""
        self.beside: dict[str, list[Candidate]] = {}
        """Of `about`, those that are not found by their names."""

    def add(self, ordinal: int, statement: Statement, about: frozenset[str] | None, *, named: bool) -> None:
        self.all.append(ordinal)
        if about is None:
            self.anywhere.append(_whole(ordinal, statement))
            return
        for bucket in about:
            present = self.about.setdefault(bucket, ordinal)
            if isinstance(present, list):
                present.append(ordinal)
            elif present != ordinal:
                self.about[bucket] = [present, ordinal]
            if not named:
                self.beside.setdefault(bucket, []).append(_whole(ordinal, statement))

    def find_about(self, bucket: str) -> Iterable[int]:
        yield from (candidate.ordinal for candidate in self.anywhere)
        about = self.about.get(bucket)
        if about is not None:
            yield from about if isinstance(about, list) else (about,)


class _Named:
    """Everything that names one principal, or one pattern of principals."""

    __slots__ = ("asked", "by_names", "groups")

    def __init__(self) -> None:
        self.groups: dict[frozenset[str], _Group] = {}
        self.by_names: dict[str, Candidate | list[Candidate]] = {}
        self.asked: list[tuple[frozenset[str], _Group]] = []
        """The groups with something that is not in `by_names`."""

    def add(self, ordinal: int, statement: Statement, *, named: bool) -> None:
        group = self.groups.get(statement.actions)
        if group is None:
            group = self.groups[statement.actions] = _Group()
        about = statement.ends[-1].bucket_names
        group.add(ordinal, statement, about, named=named)

    def name(self, ordinal: int, statement: Statement, names: list[str], checks: Judges) -> None:
        """Put a statement under its names, once all are added."""
        about = [group.about[name] for group in self.groups.values() for name in _about(names) if name in group.about]
        alone = len(about) == len(_about(names)) and not any(isinstance(found, list) for found in about)
        candidate = Candidate(ordinal, statement.id, statement.actions, checks, statement, alone)
        for text in names:
            present = self.by_names.setdefault(text, candidate)
            if isinstance(present, list):
                present.append(candidate)
            elif present is not candidate:
                self.by_names[text] = [present, candidate]

    def settle(self) -> None:
        """Call once everything is there."""
        self.asked = [(actions, group) for actions, group in self.groups.items() if group.anywhere or group.beside]

    def find_beside(self, action: str, bucket: str) -> list[Candidate]:
        """What is not found by its names."""
        found: list[Candidate] = []
        for actions, group in self.asked:
            if action in actions:
                found += group.anywhere
                found += group.beside.get(bucket, ())
        return found


class Index:
    """An immutable look-up from principal, action and buckets to statements, in the order of the documents."""

    __slots__ = ("_exact", "_patterns", "_statements")

    def __init__(self, statements: Iterable[Statement]) -> None:
        self._statements = tuple(statements)
        exact: dict[str, _Named] = {}
        patterns: dict[Pattern, _Named] = {}
        named: list[tuple[_Named, int, list[str]]] = []
        for ordinal, statement in enumerate(self._statements):
            names = _names(statement)
            for principal in dict.fromkeys(statement.principals):
                if principal.literal:
                    below = exact.setdefault(principal.text, _Named())
                    if names:
                        named.append((below, ordinal, names))
                else:
                    below = patterns.setdefault(principal, _Named())
                below.add(ordinal, statement, named=principal.literal and bool(names))
        shared = _SharedChecks()
        for below, ordinal, names in named:
            statement = self._statements[ordinal]
            below.name(ordinal, statement, names, shared.of(statement))
        for below in (*exact.values(), *patterns.values()):
            below.settle()
        self._exact = exact
        self._patterns = tuple(patterns.items())

    def find(self, principal: str, action: str) -> list[Candidate]:
        """Every statement that names the principal and the action, each once, in document order."""
        return self._whole({ordinal for group in self._groups(principal, action) for ordinal in group.all})

    def find_about(self, principal: str, action: str, bucket: str) -> list[Candidate]:
        """Of `find`, those that are not only about other buckets than the one that is written, or read."""
        groups = self._groups(principal, action)
        return self._whole({ordinal for group in groups for ordinal in group.find_about(bucket)})

    def find_selecting(
        self, principal: str, action: str, bucket: str, source: str | None
    ) -> tuple[list[Candidate], bool]:
        """Of `find_about`, those that are not only about another source either; `source` None: nothing is copied.

        Also whether they are known to be all of `find_about`. Statements in shadow mode are there for every source.
        """
        found: list[Candidate] = []
        complete = False
        own = self._exact.get(principal)
        if own is not None:
            hit = own.by_names.get(bucket if source is None else f"{bucket}\n{source}")
            if isinstance(hit, list):
                found += [candidate for candidate in hit if action in candidate.actions]
            elif hit is not None and action in hit.actions:
                found.append(hit)
                complete = hit.alone
            if own.asked:
                found += own.find_beside(action, bucket)
        for pattern, below in self._patterns:
            if pattern.matches(principal):
                found += below.find_beside(action, bucket)
        if len(found) > 1:
            # A statement that names a principal twice, literally and by pattern, is judged once.
            once = {candidate.ordinal: candidate for candidate in found}
            found = [once[ordinal] for ordinal in sorted(once)]
        return found, complete

    def names(self, principal: str) -> bool:
        """Whether any statement is about the principal."""
        return principal in self._exact or any(pattern.matches(principal) for pattern, _ in self._patterns)

    def _groups(self, principal: str, action: str) -> list[_Group]:
        own = self._exact.get(principal)
        named = [own] if own is not None else []
        named += [below for pattern, below in self._patterns if pattern.matches(principal)]
        return [group for below in named for actions, group in below.groups.items() if action in actions]

    def _whole(self, ordinals: set[int]) -> list[Candidate]:
        return [_whole(ordinal, self._statements[ordinal]) for ordinal in sorted(ordinals)]


class _SharedChecks:
    """What statements ask beyond their names: one object for all that ask the same."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, int, int, int], Place] = {}
        self._checks: dict[tuple[object, ...], Checks] = {}

    def of(self, statement: Statement) -> Checks:
        # By identity: reading a document leaves one object of what it says many times, and the statements hold it.
        places = tuple([self._place(selector) for selector in statement.ends])
        key = (statement.document, statement.effect, statement.mode, id(statement.rules), *map(id, places))
        checks = self._checks.get(key)
        if checks is None:
            checks = Checks(statement.document, statement.effect, statement.mode, places, statement.rules)
            self._checks[key] = checks
        return checks

    def _place(self, selector: Selector) -> Place:
        key = (selector.end, id(selector.keys), id(selector.regions), id(selector.accounts))
        place = self._places.get(key)
        if place is None:
            keys = () if any(pattern.matches_all for pattern in selector.keys) else selector.keys
            place = self._places[key] = Place(selector.end, keys, selector.regions, selector.accounts)
        return place


def _whole(ordinal: int, statement: Statement) -> Candidate:
    """A statement that is to be asked everything."""
    return Candidate(ordinal, statement.id, statement.actions, statement, statement)


def _names(statement: Statement) -> list[str]:
    """One text for each bucket, or pair of buckets, when the statement spells out all of them."""
    if statement.mode is Mode.SHADOW:
        # What is only rehearsed is in the trace of every decision about its bucket, whatever the source.
        return []
    ends = [end.bucket_names for end in statement.ends]
    first, about = ends[0], ends[-1]
    if first is None or about is None:
        return []
    names = list(about) if len(ends) == 1 else [_pair(bucket, source) for bucket in about for source in first]
    return names if len(names) <= MAX_NAMES else []


def _pair(bucket: str, source: str) -> str:
    # No bucket's name has a line break.
    return f"{bucket}\n{source}"


def _about(names: Iterable[str]) -> set[str]:
    return {name.partition("\n")[0] for name in names}
