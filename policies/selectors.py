"""Reading the parts of a statement that select: one end of an access, and the actions.

A selector: `bucket` (required; a name, a glob, or a list of them, `@name` for a set), `key` (a glob or a list),
`region` and `account` (one or a list; `regions` and `accounts` are accepted for lists).
"""

from __future__ import annotations

import re

from cos.errors import COSError
from cos.values import Region, parse_bucket
from policies.nodes import Node, Scalar
from policies.parameters import region_of
from policies.patterns import Pattern
from policies.problems import did_you_mean
from policies.reader import Reader, join
from policies.statement import COPYING_ACTIONS, PLAIN_ACTIONS, Selector

_KEYS = ("bucket", "key", "region", "regions", "account", "accounts")
_BUCKET_GLOB = re.compile(r"[a-z0-9*-]{1,128}", re.ASCII)
_ACCOUNT = re.compile(r"[0-9]{1,20}", re.ASCII)
_ACTION_PREFIX = "cos:"


def read_selector(reader: Reader, end: str, node: Node, path: str) -> Selector | None:
    """The selector of one end; None after noting what is wrong with it."""
    noted = len(reader.errors)
    entries = reader.read_mapping(node, path, known=_KEYS, required=("bucket",))
    buckets: tuple[Pattern, ...] = ()
    keys: tuple[Pattern, ...] = ()
    if "bucket" in entries:
        buckets = reader.read_once(entries["bucket"][1], join(path, "bucket"), "buckets", _read_buckets)
    if "key" in entries:
        keys = reader.read_once(entries["key"][1], join(path, "key"), "keys", _read_keys)
    regions = _read_regions(reader, entries, path)
    accounts = _read_accounts(reader, entries, path)
    if len(reader.errors) > noted:
        return None
    return Selector(
        end=end,
        buckets=buckets,
        keys=keys,
        regions=regions,
        accounts=accounts,
    )


def _read_buckets(reader: Reader, node: Node, path: str) -> tuple[Pattern, ...]:
    items = reader.read_some(node, path, kind="buckets")
    found = [reader.read_parsed(item, where, _bucket_pattern, expected="a bucket") for item, where in items]
    return tuple(pattern for pattern in found if pattern is not None)


def _read_keys(reader: Reader, node: Node, path: str) -> tuple[Pattern, ...]:
    items = reader.read_some(node, path)
    found = [reader.read_parsed(item, where, Pattern, expected="a key or a glob") for item, where in items]
    return tuple(pattern for pattern in found if pattern is not None)


def read_actions(reader: Reader, node: Node, path: str, offered: frozenset[str]) -> frozenset[str]:
    """The actions named, globs expanded to those `offered` (copying ones for a pair, the others otherwise)."""
    actions: set[str] = set()
    for item, where in reader.read_some(node, path, kind="actions"):
        text = reader.read_text(item, where, expected="an action such as cos:UploadPartCopy")
        if text is None:
            continue
        name = text.removeprefix("name/")
        pattern = Pattern(name) if _ACTION.fullmatch(name) else None
        if pattern is None:
            reader.note(item, where, "an action such as cos:UploadPartCopy, or a glob such as cos:Get*")
            continue
        found = {action for action in offered if pattern.matches(action)}
        if not found:
            _note_action(reader, item, where, pattern, offered)
        actions |= found
    return reader.share(frozenset(actions))


_ACTION = re.compile(r"cos:[A-Za-z*]+", re.ASCII)


def _note_action(reader: Reader, item: Node, path: str, pattern: Pattern, offered: frozenset[str]) -> None:
    others = PLAIN_ACTIONS if offered is COPYING_ACTIONS else COPYING_ACTIONS
    if any(pattern.matches(action) for action in others):
        if offered is COPYING_ACTIONS:
            reader.note(item, path, "an action that copies", hint="this action takes a resource, not a pair")
        else:
            reader.note(item, path, "an action that does not copy", hint="a copy takes source and destination")
        return
    hint = did_you_mean(pattern.text, offered | others)
    reader.note(item, path, "an action the gateway knows", hint=hint)


def _read_regions(reader: Reader, entries: dict[str, tuple[Scalar, Node]], path: str) -> frozenset[Region] | None:
    entry = _one_of(reader, entries, path, "region", "regions")
    if entry is None:
        return None
    name, node = entry
    return reader.read_once(node, join(path, name), "regions", _regions_of)


def _regions_of(reader: Reader, node: Node, path: str) -> frozenset[Region]:
    items = reader.read_some(node, path, kind="regions")
    regions = [reader.read_parsed(item, where, region_of, expected="a region") for item, where in items]
    return frozenset(region for region in regions if region is not None)


def _read_accounts(reader: Reader, entries: dict[str, tuple[Scalar, Node]], path: str) -> frozenset[str] | None:
    entry = _one_of(reader, entries, path, "account", "accounts")
    if entry is None:
        return None
    name, node = entry
    return reader.read_once(node, join(path, name), "accounts", _accounts_of)


def _accounts_of(reader: Reader, node: Node, path: str) -> frozenset[str]:
    items = reader.read_some(node, path)
    accounts = [reader.read_parsed(item, where, _account, expected="an APPID") for item, where in items]
    return frozenset(account for account in accounts if account is not None)


def _one_of(
    reader: Reader, entries: dict[str, tuple[Scalar, Node]], path: str, one: str, many: str
) -> tuple[str, Node] | None:
    if one in entries and many in entries:
        reader.note(entries[many][0], join(path, many), f"{one} or {many}, not both")
    for name in (one, many):
        if name in entries:
            return name, entries[name][1]
    return None


def _bucket_pattern(text: str) -> Pattern:
    if "*" in text:
        if _BUCKET_GLOB.fullmatch(text) is None:
            raise ValueError("expected a glob of lower-case letters, digits, '-' and '*'")
        return Pattern(text)
    try:
        return Pattern(parse_bucket(text))
    except COSError:
        raise ValueError("expected a bucket with its APPID, such as examplebucket-1250000000, or a glob") from None


def _account(text: str) -> str:
    if _ACCOUNT.fullmatch(text) is None:
        raise ValueError("expected an APPID of digits, such as 1250000000")
    return text
