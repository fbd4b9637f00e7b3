"""Whether one statement takes in everything another does. A yes is certain; a no may only mean that it is not seen.

What may be missed: patterns that together, but none alone, cover another; rules that are stricter, but not equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from policies.decision import Effect
from policies.patterns import Pattern
from policies.statement import Selector, Statement


def contains(outer: Statement, inner: Statement) -> bool:
    """Whether every request that `inner` applies to is one that `outer` applies to as well."""
    return (
        inner.actions <= outer.actions
        and all(rule in inner.rules for rule in outer.rules)
        and _patterns_contain(outer.principals, inner.principals)
        and _end_contains(outer.resource, inner.resource, outer.effect)
        and _end_contains(outer.source, inner.source, outer.effect)
        and _end_contains(outer.destination, inner.destination, outer.effect)
    )


def _patterns_contain(
    outer: Iterable[Pattern], inner: Iterable[Pattern], covers: Callable[[Pattern, str], bool] = Pattern.matches
) -> bool:
    # The star of an inner pattern is a character like any other here: only a star of an outer one can match it, and
    # that star then matches whatever the inner one stands for.
    outer = tuple(outer)
    return all(any(covers(pattern, item.text) for pattern in outer) for item in inner)


def _end_contains(outer: Selector | None, inner: Selector | None, effect: Effect) -> bool:
    if outer is None or inner is None:
        return outer is inner
    # Dot segments are granted only where they are spelled, and denied wherever they are.
    covers = Pattern.grants if effect is Effect.ALLOW else Pattern.forbids
    return (
        _patterns_contain(outer.buckets, inner.buckets)
        and (not outer.keys or (bool(inner.keys) and _patterns_contain(outer.keys, inner.keys, covers)))
        and (outer.regions is None or (inner.regions is not None and inner.regions <= outer.regions))
        and (outer.accounts is None or (inner.accounts is not None and inner.accounts <= outer.accounts))
    )
