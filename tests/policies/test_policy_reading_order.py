"""A document is read statement by statement, and means the same in whatever order its keys stand."""

from __future__ import annotations

from itertools import permutations

import pytest

from policies.nodes import Mapping, Node, Scalar, Sequence, parse_nodes
from policies.patterns import Pattern
from policies.problems import PolicyErrors
from policies.statement import COPYING_ACTIONS, PLAIN_ACTIONS, Selector
from tests.policies.building import MEDIA, RAW, copy, document, end, errors_of, load, on, pair

SECTIONS = {
    "version": "version: 1\n",
    "mode": "mode: enforce\n",
    "sets": "sets: {buckets: {origins: [raw-1250000000]}, regions: {far: [me-jeddah]}}\n",
    "territories": 'territories: {overseas: "@far"}\n',
    "statements": """\
statements:
  - id: home
    effect: allow
    principals: ["team:media"]
    actions: ["cos:UploadPartCopy"]
    source: {bucket: "@origins", regions: "@far"}
    destination: {bucket: media-1250000000}
    when: {territory: overseas->mainland}
  - {id: trial, effect: deny, mode: shadow, principals: ["*"], actions: ["cos:GetObject"], resource: {bucket: "*"}}
  - {id: last, effect: allow, principals: ["q"], actions: ["cos:GetObject"], resource: {bucket: "@origins"}}
""",
    "tests": """\
tests:
  - name: from afar
    request:
      {principal: "team:media", action: "cos:UploadPartCopy", source: raw-1250000000/a@me-jeddah,
       destination: media-1250000000/a@ap-beijing}
    expect: allow
    statement: home
""",
}
FROM_AFAR = copy(source=end(RAW, region="me-jeddah"), destination=end(MEDIA, "a", "ap-beijing"))
ORDERS = [order for index, order in enumerate(permutations(SECTIONS)) if index % 29 == 0]


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_the_order_of_keys_means_nothing(order: tuple[str, ...]) -> None:
    policy_set = load("".join(SECTIONS[name] for name in order))
    assert [statement.id for statement in policy_set.statements] == ["home", "trial", "last"]
    assert [document.name for document in policy_set.documents] == ["a.yaml"]
    assert [outcome.passed for outcome in policy_set.run_tests()] == [True]
    assert policy_set.decide(FROM_AFAR).statement_id == "home"
    assert not policy_set.decide(copy()).allowed


@pytest.mark.parametrize("order", ORDERS[::5], ids="-".join)
def test_a_document_on_trial_is_on_trial_wherever_it_says_so(order: tuple[str, ...]) -> None:
    sections = {**SECTIONS, "mode": "mode: shadow\n", "tests": ""}
    policy_set = load("".join(sections[name] for name in order))
    assert {str(statement.mode) for statement in policy_set.statements} == {"shadow"}
    decision = policy_set.decide(FROM_AFAR)
    assert (decision.allowed, decision.rehearsed) == (False, "allow")


@pytest.mark.parametrize("order", ORDERS[::5], ids="-".join)
def test_errors_are_told_in_the_order_of_their_places(order: tuple[str, ...]) -> None:
    wrong = {
        **SECTIONS,
        "version": "version: 2\n",
        "statements": SECTIONS["statements"]
        .replace('bucket: "@origins", regions', 'bucket: "@origin", regions')
        .replace("effect: deny", "effect: no")
        .replace('["q"]', "[]"),
        "tests": SECTIONS["tests"].replace("statement: home", "statement: away").replace("expect: allow", "expect: x"),
    }
    errors = errors_of("".join(wrong[name] for name in order))
    assert [error.line for error in errors] == sorted(error.line for error in errors)
    assert {error.document for error in errors} == {"a.yaml"}
    assert {error.path for error in errors} == {
        "version", "statements[0].source.bucket", "statements[1].effect", "statements[2].principals",
        "tests[0].statement", "tests[0].expect",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["sets", "territories", "statements", "mode", "tests"])
@pytest.mark.parametrize("last", [True, False], ids=["at the end", "at the start"])
def test_a_key_given_twice_is_refused_wherever_it_stands(name: str, last: bool) -> None:
    whole = "".join(SECTIONS.values())
    again = SECTIONS[name].replace("from afar", "again") if name != "statements" else "statements: [{id: x}]\n"
    text = whole + again if last else again + whole
    errors = errors_of(text)
    assert [error.found for error in errors if error.path == name] == [f"{name!r} again"]


# --- what is read once for all the statements that say it ------------------------------------------------------


@pytest.mark.parametrize("order", [1, -1], ids=["pair first", "resource first"])
def test_the_same_glob_of_actions_means_copies_in_a_pair_and_none_on_a_resource(order: int) -> None:
    statements = [pair().replace("'cos:UploadPartCopy'", "'cos:*'"), on(actions="['cos:*']")][::order]
    actions = {statement.id: statement.actions for statement in load(document(*statements)).statements}
    assert actions == {"copy": COPYING_ACTIONS, "read": PLAIN_ACTIONS}


@pytest.mark.parametrize(
    ("first", "second", "error"),
    [
        (
            pair("a", when="{same_region: true}"),
            on("b", when="{same_region: true}"),
            "when.same_region: found 'same_region', expected a rule about a resource",
        ),
        (
            pair("a", when="{same_region: true}"),
            pair("b", when="{same_region: 'true'}"),
            "when.same_region: found 'true', expected true or false",
        ),
        (
            pair("a", when="{part_number: {max: 3}}"),
            pair("b", when="{part_number: {max: '3'}}"),
            "when.part_number.max: found '3', expected an integer",
        ),
        (
            pair("a", when="{part_number: {max: 3}}"),
            pair("b", when="{part_number: {max: [3]}}"),
            "when.part_number.max: found a list, expected an integer",
        ),
        (
            on("a", resource="{bucket: '*', key: RAW*}"),
            on("b", resource="{bucket: RAW*, key: '*'}"),
            "resource.bucket: found 'RAW*', expected a glob of lower-case letters",
        ),
        (
            on("a", resource="{bucket: '*', account: '1'}"),
            on("b", resource="{bucket: '*', region: '1_'}"),
            "resource.region: found '1_', expected a region",
        ),
    ],
)
def test_what_was_sound_in_one_place_is_read_again_in_another(first: str, second: str, error: str) -> None:
    (found,) = errors_of(document(first, second))
    assert f"{found}".partition(": statements[1].")[2].startswith(error)


def test_a_mistake_is_told_wherever_it_is_made() -> None:
    wrong = [pair(name, source="{bucket: raw}", when="{range: {max: 1GB}}") for name in ("a", "b")]
    assert [(error.line, error.path) for error in errors_of(document(*wrong))] == [
        (3, "statements[0].source.bucket"),
        (3, "statements[0].when.range.max"),
        (4, "statements[1].source.bucket"),
        (4, "statements[1].when.range.max"),
    ]


def test_lists_of_equal_words_are_lists_of_what_they_stand_for() -> None:
    text = document(
        on("a", principals="[x-1250000000]", resource="{bucket: [x-1250000000], key: [x-1250000000]}"),
        on("b", principals="x-1250000000", resource="{bucket: x-1250000000, key: [y]}"),
    )
    first, second = load(text).statements
    assert first.principals == second.principals == (Pattern("x-1250000000"),)
    assert first.resource == Selector("resource", (Pattern("x-1250000000"),), (Pattern("x-1250000000"),))
    assert second.resource == Selector("resource", (Pattern("x-1250000000"),), (Pattern("y"),))


# --- the list that is given away as it is read ---------------------------------------------------------------


def taken(text: str) -> tuple[Node, list[tuple[list[str], str]]]:
    """The root, and what was taken from it: the keys that were there, and the item."""
    seen: list[tuple[list[str], str]] = []

    def take(root: Mapping, item: Node) -> None:
        seen.append(([key.text for key, _ in root.entries], item.text if isinstance(item, Scalar) else str(item)))

    return parse_nodes("a.yaml", text, streamed="list", take=take), seen


@pytest.mark.parametrize(
    ("text", "expected", "left"),
    [
        ("list: [a, [b], {c: d}]", ["a", "a list", "a mapping"], 0),
        ("list: []", [], 0),
        ("list: word", [], 0),
        ("other: [a]", [], 0),
        ("list: [[a, b], {list: [c]}]", ["a list", "a mapping"], 0),
        ("inner: {list: [a]}", [], 0),
        ("list: [a]\nlist: [b]", ["a"], 1),
        ("[list, a]", [], 0),
        ("list: {list: [a]}", [], 0),
    ],
)
def test_each_item_of_the_one_list_is_given_once(text: str, expected: list[str], left: int) -> None:
    root, seen = taken(text)
    assert [item for _, item in seen] == expected
    lists = [value for key, value in getattr(root, "entries", []) if key.text == "list" and isinstance(value, Sequence)]
    assert [len(value.items) for value in lists] == [0, left][: len(lists)]


def test_what_stands_above_is_there_when_an_item_is_given() -> None:
    root, seen = taken("a: 1\nlist: [x, {y: [z]}]\nb: [2]")
    assert seen == [(["a", "list"], "x"), (["a", "list"], "a mapping")]
    assert isinstance(root, Mapping)
    assert [key.text for key, _ in root.entries] == ["a", "list", "b"]


def test_without_a_taker_everything_is_kept() -> None:
    root = parse_nodes("a.yaml", "list: [a, [b, c]]")
    assert root == Mapping(
        1,
        1,
        [
            (
                Scalar("list", True, 1, 1),
                Sequence(
                    1,
                    7,
                    [Scalar("a", True, 1, 8), Sequence(1, 11, [Scalar("b", True, 1, 12), Scalar("c", True, 1, 15)])],
                ),
            )
        ],
    )


def test_what_is_no_yaml_below_an_item_is_refused_all_the_same() -> None:
    with pytest.raises(PolicyErrors):
        taken("list: [a]\nb: [")


@pytest.mark.parametrize(("depth", "refused"), [(16, False), (17, True)])
def test_sixteen_levels_are_read(depth: int, refused: bool) -> None:
    text = "[" * depth + "]" * depth
    if refused:
        with pytest.raises(PolicyErrors, match="1:17: found a deeper level"):
            parse_nodes("a.yaml", text)
    else:
        assert parse_nodes("a.yaml", text)
