"""YAML text as a tree of nodes that remember their lines: the strict part of YAML that policies use.

Refused: aliases and anchors (one small text would become a huge document), tags (a document makes no objects),
keys that are not plain words, several documents in one text, depth and size beyond the constants below. Scalars
stay text: what `yes` or `1:30` means is decided where they are read, not by YAML 1.1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, Protocol, TypeAlias

import yaml
from msgspec import Struct

from policies.problems import DocumentError, PolicyErrors

MAX_DOCUMENT_CHARACTERS = 64 * 1024**2
"""Room for some hundred thousand statements."""
MAX_DEPTH = 16

# libyaml when it is there: the same events, some ten times faster.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Scalar(Struct, frozen=True, gc=False):
    """A text as written. `plain` tells that it was not quoted."""

    text: str
    plain: bool
    line: int
    column: int

    def __str__(self) -> str:
        return repr(self.text) if self.text or not self.plain else "nothing"


class Sequence(Struct, frozen=True, gc=False):
    """A list."""

    line: int
    column: int
    items: list[Node] = []

    def __str__(self) -> str:
        return "a list"


class Mapping(Struct, frozen=True, gc=False):
    """A mapping; repeated keys are kept, whoever reads it refuses them."""

    line: int
    column: int
    entries: list[tuple[Scalar, Node]] = []

    def __str__(self) -> str:
        return "a mapping"


Node: TypeAlias = Scalar | Sequence | Mapping


Take: TypeAlias = "Callable[[Mapping, Node], None]"
"""Is given the root as far as it was read, and one item of the list that is streamed."""


def parse_nodes(name: str, text: str, *, streamed: str | None = None, take: Take | None = None) -> Node:
    """The one document in a text. Raises PolicyErrors with the place of the first thing that is not YAML.

    Where the root is a mapping and `streamed` its key of a list, every item of that list is given to `take` as soon as
    it is whole, and not kept: the list stays empty. Of a key that is repeated only the first is streamed.
    """
    if len(text) > MAX_DOCUMENT_CHARACTERS:
        raise _error(name, 1, 1, f"{len(text)} characters", f"at most {MAX_DOCUMENT_CHARACTERS}")
    builder = _Builder(name, streamed, take)
    try:
        loader = _LOADER(text)
        try:
            builder.build(loader.get_event)
        finally:
            loader.dispose()
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

    def __init__(self, name: str, streamed: str | None, take: Take | None) -> None:
        self.root: Node | None = None
        self._name = name
        self._streamed = streamed
        self._take = take
        self._stream: Sequence | None = None
        self._open: list[Sequence | Mapping] = []
        self._keys: list[Scalar | None] = []
        """Beside each open node: the key that waits for its value."""

    def build(self, next_event: Callable[[], yaml.Event | None]) -> None:
        """Take every event up to the end."""
        opened, keys = self._open, self._keys
        while (event := next_event()) is not None:
            # A large document is a few million events: the most frequent kinds first, and no calls for them.
            if isinstance(event, yaml.ScalarEvent):
                if event.tag is not None or event.anchor is not None:
                    self._refuse(event)
                scalar = Scalar(event.value, event.implicit[0], *_place_of(event.start_mark))
                if not opened:
                    self.root = scalar
                elif isinstance(parent := opened[-1], Sequence):
                    parent.items.append(scalar)
                    if parent is self._stream:
                        self._give(parent)
                elif (key := keys[-1]) is None:
                    keys[-1] = scalar
                else:
                    parent.entries.append((key, scalar))
                    keys[-1] = None
            elif isinstance(event, yaml.CollectionEndEvent):
                opened.pop()
                keys.pop()
                if opened and opened[-1] is self._stream:
                    self._give(self._stream)
            elif isinstance(event, yaml.CollectionStartEvent):
                self._begin(event)
            elif isinstance(event, yaml.AliasEvent) or (isinstance(event, yaml.DocumentStartEvent) and self.root):
                self._refuse(event)

    def _begin(self, event: yaml.CollectionStartEvent) -> None:
        if event.tag is not None or event.anchor is not None or len(self._open) >= MAX_DEPTH:
            self._refuse(event)
        shape = Sequence if isinstance(event, yaml.SequenceStartEvent) else Mapping
        node = shape(*_place_of(event.start_mark))
        if not self._open:
            self.root = node
        elif isinstance(parent := self._open[-1], Sequence):
            parent.items.append(node)
        elif (key := self._keys[-1]) is None:
            raise _error(self._name, node.line, node.column, f"{node} as a key", "a word as a key")
        else:
            parent.entries.append((key, node))
            self._keys[-1] = None
            if key.text == self._streamed and len(self._open) == 1 and self._stream is None:
                self._stream = node if isinstance(node, Sequence) else None
        self._open.append(node)
        self._keys.append(None)

    def _give(self, stream: Sequence) -> None:
        """Hand over the item that is whole now, and keep nothing of it."""
        if self._take is not None and isinstance(self.root, Mapping):
            self._take(self.root, stream.items.pop())

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


def _place_of(mark: Mark | None) -> tuple[int, int]:
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)


def _error(name: str, line: int, column: int, found: str, expected: str) -> PolicyErrors:
    return PolicyErrors([DocumentError(name, line, column, "", found, expected)])
