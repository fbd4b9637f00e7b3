"""What is allowed in a document but is probably not what its author meant.

Errors are the reader's business (`policies.document`); these findings never keep a set from being activated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from cos.address import Level
from cos.operations import OPERATIONS
from cos.values import Bucket, Region
from policies.containment import contains
from policies.decision import Effect, Mode
from policies.index import Index
from policies.loading import PolicySet
from policies.regions import Territories
from policies.request import Resource
from policies.rule import AmendingRule
from policies.rules.regions import RegionsRule, SameRegion, SameRegionRule, TerritoryRule
from policies.rules.storage import PART_ACTIONS, EncryptionRule, StorageClassRule
from policies.statement import Selector, Statement


@dataclass(frozen=True, slots=True)
class Finding:
    """One doubt: which check raised it, where, and why."""

    check: str
    document: str
    line: int
    statement_id: str
    message: str

    @property
    def is_note(self) -> bool:
        """Said for the record only: it is what the author asked for."""
        return self.check == "shadow"

    def __str__(self) -> str:
        statement = f"{self.statement_id}: " if self.statement_id else ""
        return f"{self.document}:{self.line}: {statement}{self.message} [{self.check}]"


_Check = Callable[[Statement], Iterator[tuple[str, str]]]

# Judged once for each key of its body, so a selector with keys does reach it.
_KEYED_BUCKET_ACTIONS = frozenset({"cos:DeleteMultipleObjects"})
_OBJECT_ACTIONS = frozenset(op.action for op in OPERATIONS if op.level is Level.OBJECT) | _KEYED_BUCKET_ACTIONS
_SERVICE_ACTIONS = frozenset(op.action for op in OPERATIONS if op.level is Level.SERVICE)


def lint(policy_set: PolicySet, *, buckets: Mapping[Bucket, Region] | None = None) -> list[Finding]:
    """Every doubt about a set, by document and line. `buckets` are the registered ones and where they are."""
    index = Index(policy_set.statements)
    checks: list[_Check] = [*_CHECKS, partial(_hidden, index), partial(_settled_elsewhere, policy_set.statements)]
    if buckets is not None:
        checks.append(partial(_unregistered, buckets))
    findings = []
    for document in policy_set.documents:
        if not document.tests:
            findings.append(Finding("untested", document.name, 1, "", "the document has no tests of its own"))
        for statement in document.statements:
            findings += [
                Finding(name, document.name, statement.line, statement.id, message)
                for check in checks
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
        elif isinstance(rule, RegionsRule) and not _leads(rule, sources, destinations):
            yield "never", "regions: no pair or group leads from the source's regions to the destination's"


def _leads(rule: RegionsRule, sources: frozenset[Region], destinations: frozenset[Region]) -> bool:
    return (
        any(a in sources and b in destinations for a, b in rule.pairs)
        or any(group & sources and group & destinations for group in rule.within)
        or (rule.same_region is SameRegion.ALLOW and bool(sources & destinations))
    )


def _unknown_regions(statement: Statement) -> Iterator[tuple[str, str]]:
    own = [rule.territories for rule in statement.rules if isinstance(rule, TerritoryRule)]
    tables = own[0] if own else Territories()
    for selector in _selectors(statement):
        for region in sorted(selector.regions or ()):
            if tables.of(region) is None:
                yield "region", f"{selector.end} names {region}, a region the tables do not know"


def _hidden(index: Index, statement: Statement) -> Iterator[tuple[str, str]]:
    """A statement that changes nothing, because of another."""
    if statement.mode is Mode.SHADOW:
        return
    for candidate in index.find(statement.principals[0].text, min(statement.actions)):
        other = candidate.statement
        if other is statement or other.mode is Mode.SHADOW or not contains(other, statement):
            continue
        name = repr(other.id) if other.document == statement.document else f"{other.id!r} of {other.document}"
        if other.effect is Effect.DENY and statement.effect is Effect.ALLOW:
            yield "unreachable", f"everything it allows is denied by {name}"
            return
        later = (statement.document, statement.line) > (other.document, other.line)
        if other.effect is statement.effect and (later or not contains(statement, other)):
            if any(isinstance(rule, AmendingRule) and rule.amends for rule in statement.rules):
                yield "hidden", f"everything it applies to is taken by {name}, which adds nothing to a request"
            else:
                yield "hidden", f"everything it applies to is taken by {name} already"
            return


def _settled_elsewhere(statements: tuple[Statement, ...], statement: Statement) -> Iterator[tuple[str, str]]:
    if statement.effect is Effect.DENY or statement.actions.isdisjoint(PART_ACTIONS):
        return
    for kind in (EncryptionRule, StorageClassRule):
        if not _has(statement, kind):
            continue
        if not any("cos:InitiateMultipartUpload" in other.actions and _has(other, kind) for other in statements):
            word = "encryption" if kind is EncryptionRule else "storage_class"
            yield "parts", f"{word} of parts is settled by cos:InitiateMultipartUpload, and no statement has it there"


def _has(statement: Statement, kind: type) -> bool:
    return any(isinstance(rule, kind) for rule in statement.rules)


def _unregistered(buckets: Mapping[Bucket, Region], statement: Statement) -> Iterator[tuple[str, str]]:
    if statement.actions <= _SERVICE_ACTIONS:
        return
    for selector in _selectors(statement):
        probes = (Resource(bucket=bucket, region=region) for bucket, region in buckets.items())
        whole = replace(selector, keys=())
        if not any(whole.check(probe, statement.effect) is None for probe in probes):
            yield "never", f"{selector.end} selects no registered bucket"


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
