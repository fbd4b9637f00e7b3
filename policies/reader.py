"""Reading nodes as values, noting everything that is wrong instead of stopping at the first.

Each `read_` method answers None after noting a problem, so that a caller goes on with what is sound. A document
with a single noted problem is never used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Hashable
from collections.abc import Mapping as Table
from enum import StrEnum
from typing import Any, TypeVar

from policies.nodes import Mapping, Node, Scalar, Sequence
from policies.problems import DocumentError, did_you_mean

T = TypeVar("T")
HashableT = TypeVar("HashableT", bound=Hashable)
EnumT = TypeVar("EnumT", bound=StrEnum)

_INTEGER = re.compile(r"-?[0-9]{1,18}", re.ASCII)


class Reader:
    """The reading of one document: its name, its named sets, and the problems noted so far."""

    def __init__(self, document: str) -> None:
        self.document = document
        self.errors: list[DocumentError] = []
        self.sets: dict[str, Table[str, tuple[Scalar, ...]]] = {}
        """Named lists by kind (`buckets`) and name, referred to as `@name` inside lists of that kind."""

        self._shared: dict[Hashable, Any] = {}
        self._read: dict[Hashable, Any] = {}

    def share(self, value: HashableT) -> HashableT:
        """An equal value that was met before, or this one: policies say the same thing in many statements."""
        shared: HashableT = self._shared.setdefault(value, value)
        return shared

    def read_once(self, node: Node, path: str, what: Hashable, read: Callable[[Reader, Node, str], T]) -> T:
        """What `read` makes of a node, or what it made of an equal one: policies repeat themselves.

        `what` names the reading and everything beside the node that it depends on. A node with a problem is read
        wherever it stands, so that each place is noted. Values must be immutable.
        """
        key = (what, content_of(node))
        if key in self._read:
            known: T = self._read[key]
            return known
        noted = len(self.errors)
        value = read(self, node, path)
        if len(self.errors) == noted:
            self._read[key] = value
        return value

    def note(self, node: Node, path: str, expected: str, *, found: str | None = None, hint: str = "") -> None:
        """Note a problem at a node; `found` defaults to the node's own text."""
        self.errors.append(
            DocumentError(self.document, node.line, node.column, path, found or str(node), expected, hint)
        )

    def read_mapping(
        self, node: Node, path: str, *, known: Collection[str], required: Collection[str] = ()
    ) -> dict[str, tuple[Scalar, Node]]:
        """A mapping's sound entries by key. Unknown, repeated and missing keys are noted."""
        if not isinstance(node, Mapping):
            self.note(node, path, f"a mapping with {_listed(required or known)}")
            return {}
        entries: dict[str, tuple[Scalar, Node]] = {}
        hints: set[str] = set()
        for key, value in node.entries:
            where = join(path, key.text)
            if key.text in entries:
                first = entries[key.text][0]
                self.note(key, where, "each key once", found=f"{key} again", hint=f"first on line {first.line}")
            elif key.text not in known:
                hint = did_you_mean(key.text, known)
                hints.add(hint)
                self.note(key, where, f"one of {_listed(known)}", found=f"the unknown key {key}", hint=hint)
            else:
                entries[key.text] = (key, value)
        for name in required:
            # A misspelt key is one mistake, not two.
            if name not in entries and not any(repr(name) in hint for hint in hints):
                self.note(node, path, f"the key {name!r}", found=f"{node} without {name!r}")
        return entries

    def read_items(self, node: Node, path: str, *, kind: str | None = None) -> list[tuple[Node, str]]:
        """A list's items, each with its path; a lone value is a list of one. `kind`: where `@name` is looked up."""
        if not isinstance(node, Sequence):
            return self._expanded(node, path, kind)
        items = []
        for index, item in enumerate(node.items):
            items += self._expanded(item, f"{path}[{index}]", kind)
        return items

    def read_some(self, node: Node, path: str, *, kind: str | None = None) -> list[tuple[Node, str]]:
        """As `read_items`; an empty list is noted."""
        if isinstance(node, Sequence) and not node.items:
            self.note(node, path, "at least one", found="an empty list")
        return self.read_items(node, path, kind=kind)

    def _expanded(self, item: Node, path: str, kind: str | None) -> list[tuple[Node, str]]:
        if kind is None or not isinstance(item, Scalar) or not item.text.startswith("@"):
            return [(item, path)]
        table = self.sets.get(kind, {})
        members = table.get(item.text[1:])
        if members is None:
            self.note(item, path, f"a set defined under sets.{kind}", hint=did_you_mean(item.text[1:], table))
            return []
        # Members are placed where they are used, so that a problem with one names the use.
        return [(Scalar(member.text, member.plain, item.line, item.column), path) for member in members]

    def read_text(self, node: Node, path: str, *, expected: str = "a text") -> str | None:
        """A scalar that is not empty."""
        if isinstance(node, Scalar) and node.text:
            return node.text
        self.note(node, path, expected)
        return None

    def read_parsed(self, node: Node, path: str, parse: Callable[[str], T], *, expected: str) -> T | None:
        """A text that `parse` accepts; its ValueError says what it expected."""
        text = self.read_text(node, path, expected=expected)
        if text is None:
            return None
        try:
            return parse(text)
        except ValueError as exc:
            self.note(node, path, _expectation(exc))
            return None

    def read_bool(self, node: Node, path: str) -> bool | None:
        """`true` or `false`, unquoted; YAML 1.1's `yes` and `on` are not taken for either."""
        if isinstance(node, Scalar) and node.plain and node.text in ("true", "false"):
            return node.text == "true"
        self.note(node, path, "true or false")
        return None

    def read_int(self, node: Node, path: str) -> int | None:
        """A decimal integer, unquoted."""
        if isinstance(node, Scalar) and node.plain and _INTEGER.fullmatch(node.text):
            return int(node.text)
        self.note(node, path, "an integer")
        return None

    def read_choice(self, node: Node, path: str, choices: type[EnumT]) -> EnumT | None:
        """One of an enumeration's values."""
        words = [str(choice) for choice in choices]
        if isinstance(node, Scalar) and node.text in words:
            return choices(node.text)
        hint = did_you_mean(node.text, words) if isinstance(node, Scalar) else ""
        self.note(node, path, f"one of {_listed(words)}", hint=hint)
        return None


def content_of(node: Node) -> Hashable:
    """A node without its place: equal for nodes that say the same in the same way."""
    if isinstance(node, Scalar):
        return (node.text, node.plain)
    if isinstance(node, Sequence):
        return ("[", *[content_of(item) for item in node.items])
    return ("{", *[(key.text, content_of(value)) for key, value in node.entries])


def join(path: str, key: str) -> str:
    """`statements[0]` and `when` → `statements[0].when`."""
    return f"{path}.{key}" if path else key


def _listed(words: Collection[str]) -> str:
    return ", ".join(words)


def _expectation(exc: ValueError) -> str:
    return str(exc).removeprefix("expected ")
