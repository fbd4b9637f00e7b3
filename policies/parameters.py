"""How a rule's parameters are read: by the types of its fields.

| type of the field                 | the document writes                                        |
|-----------------------------------|------------------------------------------------------------|
| bool, int                         | true or false, an integer                                  |
| Size                              | bytes, or KiB, MiB, GiB, TiB                               |
| Region                            | ap-guangzhou; in a list also @name, a set of regions       |
| a StrEnum                         | one of its values                                          |
| a class with `parse`              | a text it parses, ValueError saying what it expected       |
| frozenset[X], tuple[X, ...]       | a list of X, never empty; a lone X is a list of one        |
| frozenset[tuple[X, X]]            | a list of lists of two; a side may be a list or @name      |
| X or None                         | X; None is the default only, never written                 |
| Territories                       | nothing: the document's own tables are filled in           |
"""

from __future__ import annotations

from enum import StrEnum
from itertools import product
from types import NoneType, UnionType
from typing import Protocol, Self, Union, get_args, get_origin

from cos.errors import COSError
from cos.values import Region, parse_region
from policies.nodes import Mapping, Node, Sequence
from policies.problems import did_you_mean
from policies.reader import Reader, join
from policies.regions import Territories
from policies.rule import KINDS, Parameter, Rule, RuleKind
from policies.sizes import Size, parse_size


class Parsed(Protocol):
    """A value with a text form of its own."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError with a sentence that starts with `expected`."""
        ...


def read_rule(reader: Reader, name: str, node: Node, path: str, territories: Territories) -> Rule | None:
    """One entry of a `when`, as the rule of its kind; None after noting what is wrong with it."""
    kind = KINDS.get(name)
    if kind is None:
        reader.note(node, path, f"a rule kind: {', '.join(sorted(KINDS))}", found=repr(name),
                    hint=did_you_mean(name, KINDS))  # fmt: skip
        return None
    noted = len(reader.errors)
    values = _read_values(reader, kind, node, path, territories)
    if len(reader.errors) > noted:
        return None
    try:
        return kind.build(**values)
    except ValueError as exc:
        reader.note(node, path, str(exc).removeprefix("expected "))
        return None


def _read_values(reader: Reader, kind: RuleKind, node: Node, path: str, territories: Territories) -> dict[str, object]:
    written = {name: item for name, item in kind.parameters.items() if item.annotation is not Territories}
    values: dict[str, object] = {
        name: territories for name, item in kind.parameters.items() if item.annotation is Territories
    }
    if kind.shorthand is not None and not isinstance(node, Mapping):
        values[kind.shorthand] = _read_parameter(reader, kind.parameters[kind.shorthand], node, path)
        return values
    required = [name for name, item in written.items() if item.required]
    for name, (_, value) in reader.read_mapping(node, path, known=written, required=required).items():
        values[name] = _read_parameter(reader, written[name], value, join(path, name))
    return values


def _read_parameter(reader: Reader, parameter: Parameter, node: Node, path: str) -> object:
    # An empty list would refuse everything in an allow, and nothing in a deny: it is noted wherever it stands.
    return read_value(reader, parameter.annotation, node, path)


def read_value(reader: Reader, annotation: object, node: Node, path: str) -> object:
    """A node as a value of a field's type; problems are noted. Raises TypeError for a type it has no reading of."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        inner = [argument for argument in arguments if argument is not NoneType]
        return read_value(reader, inner[0], node, path)
    if origin is frozenset or (origin is tuple and arguments[1:] == (Ellipsis,)):
        return _read_collection(reader, origin, arguments[0], node, path)
    return _read_scalar(reader, annotation, node, path)


def _read_collection(reader: Reader, origin: object, item_type: object, node: Node, path: str) -> object:
    kind = "regions" if item_type is Region else None
    if get_origin(item_type) is tuple and not isinstance(node, Sequence):
        reader.note(node, path, "a list of pairs")
        return frozenset()
    if get_origin(item_type) is tuple:
        nodes = reader.read_some(node, path)
        return frozenset(
            pair for item, where in nodes for pair in _read_pairs(reader, get_args(item_type), item, where)
        )
    items = [read_value(reader, item_type, item, where) for item, where in reader.read_some(node, path, kind=kind)]
    return frozenset(items) if origin is frozenset else tuple(items)


def _read_pairs(reader: Reader, types: tuple[object, ...], node: Node, path: str) -> list[tuple[object, ...]]:
    """The pairs that one entry stands for: a side that is a set or a list stands for each of its members."""
    if not isinstance(node, Sequence) or len(node.items) != len(types):
        reader.note(node, path, f"a list of {len(types)}")
        return []
    sides: list[list[object]] = []
    for index, (side_type, side) in enumerate(zip(types, node.items, strict=True)):
        kind = "regions" if side_type is Region else None
        items = reader.read_some(side, f"{path}[{index}]", kind=kind)
        sides.append([read_value(reader, side_type, item, where) for item, where in items])
    return list(product(*sides))


def _read_scalar(reader: Reader, annotation: object, node: Node, path: str) -> object:
    if annotation is bool:
        return reader.read_bool(node, path)
    if annotation is int:
        return reader.read_int(node, path)
    if annotation is Size:
        return reader.read_parsed(node, path, parse_size, expected="a size")
    if annotation is Region:
        return reader.read_parsed(node, path, region_of, expected="a region such as ap-guangzhou")
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return reader.read_choice(node, path, annotation)
    parse = getattr(annotation, "parse", None)
    if parse is not None:
        return reader.read_parsed(node, path, parse, expected="a text")
    raise TypeError(f"expected a type that documents can write, got {annotation!r}")


def region_of(text: str) -> Region:
    """A region's name. Raises ValueError, as every parser of a document does."""
    try:
        return parse_region(text)
    except COSError:
        raise ValueError("expected a region such as ap-guangzhou") from None
