"""What a change would do, for people: one line for each thing that would become different."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.admin.operations import WouldChange, would_change
from gateway.cli.output import say, say_json
from gateway.credentials.changes import Outcome

_UNSHOWN = frozenset({"etag", "last_used_at"})


def would_change_of(outcome: object) -> WouldChange:
    """A local dry run as a gateway answers it. Of a rotated key it tells of the old one, as the gateway does."""
    last = outcome[-1] if isinstance(outcome, tuple) else outcome
    body = would_change(last).body if isinstance(last, Outcome) else None
    if not isinstance(body, WouldChange):
        raise TypeError("a change gives its outcome")
    return body


def say_would_change(would: WouldChange, *, as_json: bool = False) -> None:
    """Print what would change."""
    if as_json:
        say_json(would.model_dump(mode="json"))
        return
    before, after = dict(_flat(would.before or {})), dict(_flat(would.after or {}))
    differing = [name for name in dict.fromkeys([*before, *after]) if before.get(name) != after.get(name)]
    say("Nothing is changed. " + _heading(would, bool(differing)))
    for name in differing:
        if would.before is None:
            say(f"  {name}: {after[name]}")
        elif would.after is None:
            say(f"  {name}: {before[name]}")
        else:
            say(f"  {name}: {before.get(name, '-')} -> {after.get(name, '-')}")


def _heading(would: WouldChange, differs: bool) -> str:
    if would.before is None:
        return "This would be created:"
    if would.after is None:
        return "This would be removed:"
    return "This would become different:" if differs else "Nothing would become different."


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every leaf by its path; versions by their number. What is empty has no line of its own."""
    for name, member in value.items():
        path = f"{prefix}{name}"
        if name in _UNSHOWN or member is None or member in ("", [], {}):
            continue
        if isinstance(member, Mapping):
            yield from _flat(member, f"{path}.")
        elif isinstance(member, list) and all(isinstance(item, Mapping) for item in member):
            for number, item in enumerate(member, start=1):
                yield from _flat(item, f"version {item.get('version', number)} " if name == "versions" else f"{path}.")
        else:
            yield path, ", ".join(map(str, member)) if isinstance(member, list) else str(member)
