"""Extents: ranges of content by reference."""

from __future__ import annotations

import pytest

from emulator.store.model import Extent, merge_extents, slice_extents

CONTENT = (Extent("a", 10, 5), Extent("b", 0, 3), Extent("c", 7, 4))


@pytest.mark.parametrize(
    ("first", "length", "expected"),
    [
        (0, 12, CONTENT),
        (0, 5, (Extent("a", 10, 5),)),
        (4, 2, (Extent("a", 14, 1), Extent("b", 0, 1))),
        (5, 3, (Extent("b", 0, 3),)),
        (11, 1, (Extent("c", 10, 1),)),
        (3, 0, ()),
    ],
    ids=["whole", "one extent", "over an edge", "the middle", "last byte", "nothing"],
)
def test_a_range_of_extents_covers_exactly_its_bytes(first: int, length: int, expected: tuple[Extent, ...]) -> None:
    assert slice_extents(CONTENT, first, length) == expected


@pytest.mark.parametrize(("first", "length"), [(0, 13), (11, 2), (12, 1)], ids=["longer", "last+1", "beyond"])
def test_a_range_beyond_the_content_is_refused(first: int, length: int) -> None:
    with pytest.raises(ValueError, match="beyond its end"):
        slice_extents(CONTENT, first, length)


def test_adjoining_extents_of_one_blob_are_joined() -> None:
    split = (Extent("a", 0, 3), Extent("a", 3, 2), Extent("a", 6, 1), Extent("b", 7, 1))
    assert merge_extents(split) == (Extent("a", 0, 5), Extent("a", 6, 1), Extent("b", 7, 1))
