"""A rule whose field has a type documents cannot write is noticed where it is read, not skipped."""

from __future__ import annotations

import pytest

from policies.nodes import parse_nodes
from policies.parameters import read_value
from policies.reader import Reader
from policies.sizes import Size
from tests.policies.building import MIB


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (bool, "true", True),
        (int, "-3", -3),
        (Size, "1MiB", MIB),
        (Size | None, "1MiB", MIB),
        (tuple[int, ...], "[2, 1, 2]", (2, 1, 2)),
        (tuple[int, ...], "7", (7,)),
        (frozenset[int], "[2, 1, 2]", frozenset({1, 2})),
        (frozenset[tuple[int, int]], "[[1, 2]]", frozenset({(1, 2)})),
    ],
)
def test_a_value_is_read_as_its_type(annotation: object, text: str, value: object) -> None:
    reader = Reader("a.yaml")
    assert read_value(reader, annotation, parse_nodes("a.yaml", text), "x") == value
    assert reader.errors == []


@pytest.mark.parametrize("annotation", [dict, tuple[int, int], object()])
def test_a_type_without_a_reading_is_a_mistake_in_the_rule(annotation: object) -> None:
    with pytest.raises(TypeError) as caught:
        read_value(Reader("a.yaml"), annotation, parse_nodes("a.yaml", "[1, 2]"), "x")
    assert str(caught.value) == f"expected a type that documents can write, got {annotation!r}"
