"""A document is read statement by statement, and what it repeats once: neither shows in what it means or is told."""

from __future__ import annotations

import pytest

from policies.nodes import Mapping, Node, Scalar, Sequence, parse_nodes
from policies.problems import PolicyErrors
from tests.policies.building import RAW, document, errors_of, load, on, pair

TERRITORIES = "territories: {overseas: [me-jeddah]}\n"


def streamed(text: str) -> tuple[Node, list[tuple[list[str], Node]]]:
    """The tree of a text whose `items` are streamed, and each item with the keys that were there by then."""
    taken: list[tuple[list[str], Node]] = []

    def take(root: Mapping, item: Node) -> None:
        taken.append(([key.text for key, _ in root.entries], item))

    return parse_nodes("a.yaml", text, streamed="items", take=take), taken


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("a: 1\nitems: [x, [y], {z: 1}]\nb: 2\n", ["'x'", "a list", "a mapping"]),
        ("items:\n- x\n- items: [1]\n", ["'x'", "a mapping"]),
        ("items: []\n", []),
        ("items: x\n", []),
        ("items: {items: [x]}\n", []),
        ("a: {items: [x]}\n", []),
        ("[items, [x]]\n", []),
        ("items: [x]\nitems: [y]\n", ["'x'"]),
    ],
    ids=["three", "an equal key inside", "none", "a word", "a mapping", "another's", "no mapping", "twice"],
)
def test_the_items_of_one_list_of_the_root_are_streamed(text: str, items: list[str]) -> None:
    _, taken = streamed(text)
    assert [str(item) for _, item in taken] == items


def test_what_is_streamed_is_not_kept_and_everything_else_is() -> None:
    root, taken = streamed("a: 1\nitems: [x, [y, [z]]]\nb: [2, [3]]\n")
    assert isinstance(root, Mapping)
    values = {key.text: value for key, value in root.entries}
    assert list(values) == ["a", "items", "b"]
    assert isinstance(values["items"], Sequence)
    assert values["items"].items == []
    assert isinstance(values["b"], Sequence)
    assert len(values["b"].items) == 2
    assert [above for above, _ in taken] == [["a", "items"], ["a", "items"]]
    inner = taken[1][1]
    assert isinstance(inner, Sequence)
    assert [(item.line, item.column) for item in inner.items] == [(2, 13), (2, 16)]


def test_nodes_of_one_kind_share_nothing() -> None:
    root = parse_nodes("a.yaml", "a: []\nb: []\nc: {}\nd: {}\n")
    assert isinstance(root, Mapping)
    a, b, c, d = [value for _, value in root.entries]
    assert isinstance(a, Sequence)
    assert isinstance(c, Mapping)
    a.items.append(Scalar("x", True, 1, 1))
    c.entries.append((Scalar("x", True, 1, 1), a))
    assert (b.items, d.entries) == ([], [])  # type: ignore[union-attr]  # of the text above


def test_what_is_no_yaml_below_the_statements_refuses_them() -> None:
    with pytest.raises(PolicyErrors) as refused:
        load(document(pair()) + "tests: [\n")
    (error,) = refused.value.errors
    assert error.expected == "well-formed YAML"


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        (pair("s{}", when="{range: {max: 1GB}}"), "when.range.max"),
        (pair("s{}", principals='["*", ""]'), "principals[1]"),
        (pair("s{}", source="{bucket: Nobody}"), "source.bucket"),
        (pair("s{}", source=f"{{bucket: {RAW}, key: ['']}}"), "source.key[0]"),
        (pair("s{}", source=f"{{bucket: {RAW}, regions: [Nowhere]}}"), "source.regions[0]"),
        (pair("s{}", source=f"{{bucket: {RAW}, account: x}}"), "source.account"),
        (on("s{}", actions="['cos:NoSuch']"), "actions[0]"),
    ],
)
def test_the_same_mistake_is_told_wherever_it_stands(statement: str, place: str) -> None:
    written = [statement.replace("s{}", f"s{number}") for number in range(3)]
    errors = errors_of(document(*written))
    assert [(error.line, error.path) for error in errors] == [
        (3 + number, f"statements[{number}].{place}") for number in range(3)
    ]


def test_equal_words_mean_what_they_mean_where_they_stand() -> None:
    """The same rule is right about a copy and wrong about a resource, whichever is read first."""
    right, wrong = pair("a", when="{same_region: true}"), on("b", when="{same_region: true}")
    for written in ((right, wrong), (wrong, right)):
        (error,) = errors_of(document(*written))
        assert error.path == f"statements[{written.index(wrong)}].when.same_region"


def test_territories_below_the_statements_hold_for_them() -> None:
    rule = pair(when="{territory: mainland->overseas}")
    above, below = TERRITORIES + document(rule), document(rule) + TERRITORIES
    (first,), (second,) = load(above).statements, load(below).statements
    assert first.rules == second.rules
    assert load(document(rule)).statements[0].rules != first.rules


def test_what_statements_repeat_is_one_object() -> None:
    first, second = load(
        document(pair("a", when="{same_region: true}"), pair("b", when="{same_region: true}"))
    ).statements
    assert first.rules is second.rules
    assert first.principals is second.principals
    assert first.actions is second.actions
    assert first.source is not None
    assert second.source is not None
    assert first.source.buckets is second.source.buckets
