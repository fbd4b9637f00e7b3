"""A policy document: YAML text to compiled statements and the tests that live beside them.

```yaml
version: 1                       # of this format
description: …                   # optional
mode: enforce                    # or shadow: then every statement is only judged and recorded
sets:                            # optional: lists to refer to as @name; each name once
  principals: {readers: ["team:a", "team:b"]}
  buckets:    {raw: [raw-1250000000, raw2-1250000000]}
  regions:    {north: [ap-beijing, ap-nanjing]}
  actions:    {copying: ["cos:UploadPartCopy", "cos:PutObjectCopy"]}
territories: {overseas: [me-jeddah]}    # optional: regions the built-in tables do not know
statements:
  - id: copy-in-region           # required, unique in the document
    description: …               # optional, shown when the statement denies
    effect: allow                # or deny
    mode: enforce                # or shadow
    principals: ["team:media"]
    actions: ["cos:UploadPartCopy"]
    source: {bucket: …, key: …, region: …, account: …}    # a pair, for operations that copy …
    destination: {…}
    resource: {…}                # … or one end, for all others
    when: {kind: parameters}     # rule kinds: see `policies.rules`
tests: [...]                     # see `policies.self_tests`
```
"""

from __future__ import annotations

import re
from collections.abc import Mapping as Table
from dataclasses import dataclass, replace
from functools import partial

from policies.decision import Effect, Mode
from policies.nodes import Mapping, Node, Scalar, Sequence, parse_nodes
from policies.parameters import read_rule, region_of
from policies.patterns import Pattern
from policies.problems import DocumentError
from policies.reader import Reader, join
from policies.regions import Territories
from policies.rule import KINDS, AmendingRule, Rule
from policies.selectors import read_actions, read_selector
from policies.self_tests import SelfTest, read_test
from policies.statement import COPYING_ACTIONS, PLAIN_ACTIONS, Selector, Statement

FORMAT_VERSION = 1

_KEYS = ("version", "description", "mode", "sets", "territories", "statements", "tests")
_STATEMENT_KEYS = (
    "id", "description", "effect", "mode", "principals", "actions", "source", "destination", "resource", "when",
)  # fmt: skip
_REFERRED = ("sets", "territories")
"""What statements refer to."""
_SET_KINDS = ("principals", "buckets", "regions", "actions")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Document:
    """One document, compiled. Sound only when it was read without errors."""

    name: str
    statements: tuple[Statement, ...]
    tests: tuple[SelfTest, ...]


def parse_document(name: str, text: str, territories: Territories) -> tuple[Document, list[DocumentError]]:
    """The document in a text and everything wrong with it, by place; usable only when nothing is.

    Raises PolicyErrors when the text is not YAML of the kind `policies.nodes` takes.
    """
    reading = _Reading(name, territories)
    root = parse_nodes(name, text, streamed="statements", take=reading.take)
    if reading.is_early(root):
        # Named sets or territories stand below the statements: this once the statements wait for them, all in memory.
        reading, root = _Reading(name, territories), parse_nodes(name, text)
    document = reading.finish(root)
    return document, sorted(reading.reader.errors)


class _Reading:
    """One document being read: every statement at once, so that a long document is never in memory as a tree."""

    def __init__(self, name: str, territories: Territories) -> None:
        self.reader = Reader(name)
        self._territories = territories
        self._statements: list[Statement] = []
        self._lines: dict[str, int] = {}
        self._taken = 0
        self._above: frozenset[str] | None = None
        """The keys above the statements, once what they refer to has been read."""

    def take(self, root: Mapping, item: Node) -> None:
        """Read the next statement. Of the root only what stands above the statements is there."""
        self._prepare(root)
        path = f"statements[{self._taken}]"
        self._taken += 1
        noted = len(self.reader.errors)
        entries = self.reader.read_mapping(
            item, path, known=_STATEMENT_KEYS, required=("id", "effect", "principals", "actions")
        )
        name = _read_id(self.reader, entries, path, self._lines)
        statement = _read_statement(self.reader, name, item, entries, path, self._territories)
        if statement is not None and len(self.reader.errors) == noted:
            self._statements.append(statement)

    def is_early(self, root: Node) -> bool:
        """Whether statements were read before something that they may refer to."""
        if self._above is None or not isinstance(root, Mapping):
            return False
        return any(key.text in _REFERRED and key.text not in self._above for key, _ in root.entries)

    def finish(self, root: Node) -> Document:
        """Read what is left."""
        reader = self.reader
        entries = reader.read_mapping(root, "", known=_KEYS, required=("version", "statements"))
        if "version" in entries:
            _read_version(reader, entries["version"][1])
        mode: Mode | None = None
        if "mode" in entries:
            mode = reader.read_choice(entries["mode"][1], "mode", Mode)
        if self._taken == 0 and isinstance(root, Mapping):
            self._prepare(root)
            for item, _ in _items(reader, entries["statements"][1], "statements") if "statements" in entries else ():
                self.take(root, item)
        if mode is Mode.SHADOW:
            self._statements = [replace(statement, mode=mode) for statement in self._statements]
        tests: list[SelfTest] = []
        if "tests" in entries:
            ids = frozenset(statement.id for statement in self._statements)
            for item, path in _items(reader, entries["tests"][1], "tests"):
                test = read_test(reader, item, path, ids)
                if test is not None:
                    tests.append(test)
        return Document(reader.document, tuple(self._statements), tuple(tests))

    def _prepare(self, root: Mapping) -> None:
        """Read what statements refer to, once."""
        if self._above is not None:
            return
        # The first of a key that is repeated, as everywhere; that it is repeated is noted with the other keys.
        above = {key.text: value for key, value in reversed(root.entries)}
        self._above = frozenset(above)
        if "sets" in above:
            self.reader.sets = _read_sets(self.reader, above["sets"])
        if "territories" in above:
            self._territories = _read_territories(self.reader, above["territories"], self._territories)


def _read_version(reader: Reader, node: Node) -> None:
    version = reader.read_int(node, "version")
    if version is not None and version != FORMAT_VERSION:
        reader.note(node, "version", f"{FORMAT_VERSION}, the only version of this format")


def _read_sets(reader: Reader, node: Node) -> dict[str, Table[str, tuple[Scalar, ...]]]:
    sets: dict[str, Table[str, tuple[Scalar, ...]]] = {}
    kinds: dict[str, str] = {}
    for kind, (_, value) in reader.read_mapping(node, "sets", known=_SET_KINDS).items():
        path = join("sets", kind)
        if not isinstance(value, Mapping):
            reader.note(value, path, "a mapping from a set's name to its list")
            continue
        names = [key.text for key, _ in value.entries]
        table: dict[str, tuple[Scalar, ...]] = {}
        for name, (_, members) in reader.read_mapping(value, path, known=names).items():
            found = []
            for item, where in reader.read_some(members, join(path, name)):
                if isinstance(item, Scalar) and item.text and not item.text.startswith("@"):
                    found.append(item)
                else:
                    reader.note(item, where, "a member, not a set or another list")
            table[name] = tuple(found)
            if kinds.setdefault(name, kind) != kind:
                reader.note(members, join(path, name), "a name of its own", hint=f"also a set of {kinds[name]}")
        sets[kind] = table
    return sets


def _read_territories(reader: Reader, node: Node, base: Territories) -> Territories:
    tables = {}
    for name, (_, value) in reader.read_mapping(node, "territories", known=("mainland", "overseas")).items():
        items = reader.read_items(value, join("territories", name), kind="regions")
        regions = [reader.read_parsed(item, path, region_of, expected="a region") for item, path in items]
        tables[name] = [region for region in regions if region is not None]
    try:
        return base.extended(**tables)
    except ValueError as exc:
        reader.note(node, "territories", str(exc).removeprefix("expected "))
        return base


def _read_id(reader: Reader, entries: dict[str, tuple[Scalar, Node]], path: str, lines: dict[str, int]) -> str:
    if "id" not in entries:
        return ""
    node, where = entries["id"][1], join(path, "id")
    name = reader.read_text(node, where, expected="an id") or ""
    if name and not _ID.fullmatch(name):
        reader.note(node, where, "an id of letters, digits, '.', '_' and '-'")
    elif name in lines:
        reader.note(node, where, "an id of its own", hint=f"also on line {lines[name]}")
    lines.setdefault(name, node.line)
    return name


def _read_statement(
    reader: Reader,
    name: str,
    item: Node,
    entries: dict[str, tuple[Scalar, Node]],
    path: str,
    territories: Territories,
) -> Statement | None:
    """A statement; None when what is missing leaves nothing to build (the problem is noted already)."""
    effect = reader.read_choice(entries["effect"][1], join(path, "effect"), Effect) if "effect" in entries else None
    mode: Mode | None = Mode.ENFORCE
    if "mode" in entries:
        mode = reader.read_choice(entries["mode"][1], join(path, "mode"), Mode)
    description: str | None = ""
    if "description" in entries:
        description = reader.read_text(entries["description"][1], join(path, "description"))
    principals: tuple[Pattern, ...] = ()
    if "principals" in entries:
        node, where = entries["principals"][1], join(path, "principals")
        principals = reader.read_once(node, where, "principals", _read_principals)
    ends = _read_ends(reader, item, entries, path)
    copies = "source" in entries or "destination" in entries
    actions: frozenset[str] = frozenset()
    if "actions" in entries:
        offered = COPYING_ACTIONS if copies else PLAIN_ACTIONS
        if ends is None and copies == ("resource" in entries):
            offered = COPYING_ACTIONS | PLAIN_ACTIONS
        node, where = entries["actions"][1], join(path, "actions")
        actions = reader.read_once(node, where, ("actions", offered), partial(read_actions, offered=offered))
    rules: tuple[Rule, ...] = ()
    if "when" in entries:
        node, where = entries["when"][1], join(path, "when")
        read = partial(_read_when, copies=copies, territories=territories)
        rules = reader.read_once(node, where, ("when", copies), read)
        if effect is Effect.DENY and any(isinstance(rule, AmendingRule) and rule.amends for rule in rules):
            expected = "rules that add nothing to a request"
            reader.note(entries["when"][1], join(path, "when"), expected, hint="pin belongs in an allow statement")
    if effect is None or mode is None or description is None or ends is None or not actions or not principals:
        return None
    return Statement(
        id=name,
        document=reader.document,
        line=item.line,
        effect=effect,
        mode=mode,
        principals=principals,
        actions=actions,
        resource=ends.get("resource"),
        source=ends.get("source"),
        destination=ends.get("destination"),
        rules=rules,
        description=description,
    )


def _read_principals(reader: Reader, node: Node, path: str) -> tuple[Pattern, ...]:
    items = reader.read_some(node, path, kind="principals")
    patterns = [reader.read_parsed(item, where, Pattern, expected="a principal") for item, where in items]
    return reader.share(tuple(pattern for pattern in patterns if pattern is not None))


def _read_ends(
    reader: Reader, item: Node, entries: dict[str, tuple[Scalar, Node]], path: str
) -> dict[str, Selector] | None:
    """The selectors by end; None after noting that they are not one resource or one pair."""
    given = [end for end in ("resource", "source", "destination") if end in entries]
    if given not in (["resource"], ["source", "destination"]):
        reader.note(
            item,
            path,
            "a resource, or both a source and a destination",
            found=f"a statement with {' and '.join(given) or 'neither'}",
            hint="operations that copy take the pair, all others a resource",
        )
        return None
    ends: dict[str, Selector] = {}
    for end in given:
        selector = read_selector(reader, end, entries[end][1], join(path, end))
        if selector is not None:
            ends[end] = selector
    return ends if len(ends) == len(given) else None


def _read_when(reader: Reader, node: Node, path: str, copies: bool, territories: Territories) -> tuple[Rule, ...]:
    if not isinstance(node, Mapping):
        reader.note(node, path, f"a mapping from rule kinds to their parameters: {', '.join(sorted(KINDS))}")
        return ()
    rules = []
    names = [key.text for key, _ in node.entries]
    for name, (key, value) in reader.read_mapping(node, path, known=names).items():
        kind = KINDS.get(name)
        if kind is not None and kind.copies and not copies:
            reader.note(key, join(path, name), "a rule about a resource", hint=f"{name} judges copies: give the pair")
            continue
        rule = read_rule(reader, name, value if kind is not None else key, join(path, name), territories)
        if rule is not None:
            rules.append(reader.share(rule))
    return reader.share(tuple(rules))


def _items(reader: Reader, node: Node, path: str) -> list[tuple[Node, str]]:
    if isinstance(node, Sequence):
        if not node.items:
            reader.note(node, path, "at least one", found="an empty list")
        return [(item, f"{path}[{index}]") for index, item in enumerate(node.items)]
    reader.note(node, path, "a list")
    return []
