"""What is allowed in a document but is probably not what its author meant.

Errors are the reader's business (`policies.document`); these findings never keep a set from being activated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cos.address import Level
from cos.operations import OPERATIONS
from policies.decision import Effect, Mode
from policies.loading import PolicySet
from policies.regions import Territories
from policies.rules.regions import RegionsRule, SameRegionRule, TerritoryRule
from policies.statement import Selector, Statement


@dataclass(frozen=True, slots=True)
class Finding:
    """One doubt: which check raised it, where, and why."""

    check: str
    document: str
    line: int
    statement_id: str
    message: str

    def __str__(self) -> str:
        statement = f"{self.statement_id}: " if self.statement_id else ""
        return f"{self.document}:{self.line}: {statement}{self.message} [{self.check}]"


_Check = Callable[[Statement], Iterator[tuple[str, str]]]

# Judged once for each key of its body, so a selector with keys does reach it.
_KEYED_BUCKET_ACTIONS = frozenset({"cos:DeleteMultipleObjects"})
_OBJECT_ACTIONS = frozenset(op.action for op in OPERATIONS if op.level is Level.OBJECT) | _KEYED_BUCKET_ACTIONS
_SERVICE_ACTIONS = frozenset(op.action for op in OPERATIONS if op.level is Level.SERVICE)


def lint(policy_set: PolicySet) -> list[Finding]:
    """Every doubt about a set, by document and line."""
    findings = []
    for document in policy_set.documents:
        if not document.statements:
            findings.append(
                Finding("empty", document.name, 1, "", "the document holds no statement: it allows nothing")
            )
        elif not document.tests:
            findings.append(Finding("untested", document.name, 1, "", "the document has no tests of its own"))
        for statement in document.statements:
            findings += [
                Finding(name, document.name, statement.line, statement.id, message)
                for check in _CHECKS
                for name, message in check(statement)
            ]
    return findings


def _wide(statement: Statement) -> Iterator[tuple[str, str]]:
    if statement.effect is not Effect.ALLOW:
        return
    everybody = any(principal.matches_all for principal in statement.principals)
    for selector in _selectors(statement):
        if _every_object(selector) and not statement.actions <= _SERVICE_ACTIONS:
            whom = "everybody" if everybody else "its principals"
            yield "wide", f"{selector.end} is every object of every bucket, for {whom}"
    if everybody:
        yield "everybody", "it allows something to every principal"


def _unreachable_level(statement: Statement) -> Iterator[tuple[str, str]]:
    selector = statement.resource
    if selector is None:
        return
    on_keys = bool(selector.keys) and not any(pattern.matches_all for pattern in selector.keys)
    if on_keys and statement.actions.isdisjoint(_OBJECT_ACTIONS):
        yield "never", "its actions are on buckets, which have no key: it can never match with a key pattern"
    every_bucket = any(pattern.matches_all for pattern in selector.buckets)
    if statement.actions <= _SERVICE_ACTIONS and not every_bucket:
        yield "never", "listing buckets is on no bucket: it can only match bucket '*'"


def _unreachable_regions(statement: Statement) -> Iterator[tuple[str, str]]:
    if statement.source is None or statement.destination is None:
        return
    sources, destinations = statement.source.regions, statement.destination.regions
    if sources is None or destinations is None:
        return
    for rule in statement.rules:
        if isinstance(rule, SameRegionRule):
            if rule.expected and sources.isdisjoint(destinations):
                yield "never", "same_region: true, but source and destination name no common region"
            if not rule.expected and len(sources | destinations) == 1:
                yield "never", "same_region: false, but source and destination name the same one region"
        elif isinstance(rule, RegionsRule) and not any(a in sources and b in destinations for a, b in rule.pairs):
            yield "never", "regions: no pair leads from the source's regions to the destination's"


def _unknown_regions(statement: Statement) -> Iterator[tuple[str, str]]:
    own = [rule.territories for rule in statement.rules if isinstance(rule, TerritoryRule)]
    tables = own[0] if own else Territories()
    for selector in _selectors(statement):
        for region in sorted(selector.regions or ()):
            if tables.of(region) is None:
                yield "region", f"{selector.end} names {region}, a region the tables do not know"


def _shadow(statement: Statement) -> Iterator[tuple[str, str]]:
    if statement.mode is Mode.SHADOW:
        yield "shadow", f"it is judged and recorded, but it does not {statement.effect} anything"


_CHECKS: tuple[_Check, ...] = (_wide, _unreachable_level, _unreachable_regions, _unknown_regions, _shadow)


def _selectors(statement: Statement) -> tuple[Selector, ...]:
    ends = (statement.resource, statement.source, statement.destination)
    return tuple(end for end in ends if end is not None)


def _every_object(selector: Selector) -> bool:
    every_bucket = any(pattern.matches_all for pattern in selector.buckets)
    every_key = not selector.keys or any(pattern.matches_all for pattern in selector.keys)
    return every_bucket and every_key and selector.regions is None and selector.accounts is None
