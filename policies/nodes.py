"""YAML text as a tree of nodes that remember their lines: the strict part of YAML that policies use.

Refused: aliases and anchors (one small text would become a huge document), tags (a document makes no objects),
keys that are not plain words, several documents in one text, depth and size beyond the constants below. Scalars
stay text: what `yes` or `1:30` means is decided where they are read, not by YAML 1.1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NoReturn, Protocol, TypeAlias

import yaml

from policies.problems import DocumentError, PolicyErrors

MAX_DOCUMENT_CHARACTERS = 64 * 1024**2
"""Room for some hundred thousand statements."""
MAX_DEPTH = 16

# libyaml when it is there: the same events, some ten times faster.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text as written. `plain` tells that it was not quoted."""

    text: str
    plain: bool
    line: int
    column: int

    def __str__(self) -> str:
        return repr(self.text) if self.text or not self.plain else "nothing"


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    line: int
    column: int
    items: list[Node] = field(default_factory=list)

    def __str__(self) -> str:
        return "a list"


@dataclass(frozen=True, slots=True)
class Mapping:
    """A mapping; repeated keys are kept, whoever reads it refuses them."""

    line: int
    column: int
    entries: list[tuple[Scalar, Node]] = field(default_factory=list)

    def __str__(self) -> str:
        return "a mapping"


Node: TypeAlias = Scalar | Sequence | Mapping


def parse_nodes(name: str, text: str) -> Node:
    """The one document in a text. Raises PolicyErrors with the place of the first thing that is not YAML."""
    if len(text) > MAX_DOCUMENT_CHARACTERS:
        raise _error(name, 1, 1, f"{len(text)} characters", f"at most {MAX_DOCUMENT_CHARACTERS}")
    builder = _Builder(name)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.add(event)
    except yaml.MarkedYAMLError as exc:
        line, column = _place_of(exc.problem_mark or exc.context_mark)
        raise _error(name, line, column, exc.problem or "broken YAML", "well-formed YAML") from exc
    except yaml.YAMLError as exc:
        raise _error(name, 1, 1, "a character that YAML does not allow", "well-formed YAML") from exc
    if builder.root is None:
        raise _error(name, 1, 1, "an empty document", "a mapping with version and statements")
    return builder.root


def nodes_of(value: object) -> Node:
    """A value as JSON has them, as the tree a reader takes: texts as if quoted, numbers and truths as if plain."""
    match value:
        case dict():
            return Mapping(1, 1, [(Scalar(str(name), False, 1, 1), nodes_of(member)) for name, member in value.items()])
        case list() | tuple():
            return Sequence(1, 1, [nodes_of(item) for item in value])
        case str():
            return Scalar(value, plain=False, line=1, column=1)
        case bool():
            return Scalar("true" if value else "false", plain=True, line=1, column=1)
    return Scalar(str(value), plain=True, line=1, column=1)


class Mark(Protocol):
    """A place in the text, as libyaml and PyYAML both describe it; counted from 0."""

    line: int
    column: int


class _Builder:
    """Turns the parser's events into nodes, iteratively: depth is a number here, never the stack's."""

    def __init__(self, name: str) -> None:
        self.root: Node | None = None
        self._name = name
        self._open: list[Sequence | Mapping] = []
        self._keys: list[Scalar | None] = []
        """Beside each open node: the key that waits for its value."""

    def add(self, event: yaml.Event) -> None:
        # The most frequent kinds first: a large document is a few million events.
        if isinstance(event, yaml.ScalarEvent):
            if event.tag is not None or event.anchor is not None:
                self._refuse(event)
            self._place(Scalar(event.value, event.implicit[0], *_place_of(event.start_mark)))
        elif isinstance(event, yaml.CollectionEndEvent):
            self._open.pop()
            self._keys.pop()
        elif isinstance(event, yaml.CollectionStartEvent):
            if event.tag is not None or event.anchor is not None or len(self._open) >= MAX_DEPTH:
                self._refuse(event)
            shape = Sequence if isinstance(event, yaml.SequenceStartEvent) else Mapping
            node = shape(*_place_of(event.start_mark))
            self._place(node)
            self._open.append(node)
            self._keys.append(None)
        elif isinstance(event, yaml.AliasEvent) or (isinstance(event, yaml.DocumentStartEvent) and self.root):
            self._refuse(event)

    def _refuse(self, event: yaml.Event) -> NoReturn:
        """Raises PolicyErrors for an event that is YAML, but not of the strict part."""
        line, column = _place_of(event.start_mark)
        if isinstance(event, yaml.DocumentStartEvent):
            raise _error(self._name, line, column, "a second document", "one document in a text")
        if isinstance(event, yaml.AliasEvent):
            raise _error(self._name, line, column, f"the alias *{event.anchor}", "the text itself")
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            raise _error(self._name, line, column, f"the anchor &{event.anchor}", "no anchors")
        # `tag` is set exactly when the author wrote one.
        if isinstance(event, (yaml.ScalarEvent, yaml.CollectionStartEvent)) and event.tag is not None:
            raise _error(self._name, line, column, f"the tag {event.tag}", "no tags")
        raise _error(self._name, line, column, "a deeper level", f"at most {MAX_DEPTH} levels")

    def _place(self, node: Node) -> None:
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        if isinstance(parent, Sequence):
            parent.items.append(node)
            return
        key = self._keys[-1]
        if key is not None:
            parent.entries.append((key, node))
            self._keys[-1] = None
        elif isinstance(node, Scalar):
            self._keys[-1] = node
        else:
            raise _error(self._name, node.line, node.column, f"{node} as a key", "a word as a key")


def _place_of(mark: Mark | None) -> tuple[int, int]:
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)


def _error(name: str, line: int, column: int, found: str, expected: str) -> PolicyErrors:
    return PolicyErrors([DocumentError(name, line, column, "", found, expected)])
