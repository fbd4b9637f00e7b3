"""A document is read with every error placed by line and key, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.decision import Effect, Mode
from policies.loading import DocumentSource, PolicySet, load_policies
from policies.nodes import MAX_DOCUMENT_CHARACTERS
from policies.problems import DocumentError, PolicyErrors
from policies.statement import COPYING_ACTIONS, PLAIN_ACTIONS
from tests.policies.building import GOOD, MEDIA, RAW, SETS, copy, document, end, errors_of, load, on, pair


def test_a_sound_document_is_compiled() -> None:
    policy_set = load(GOOD)
    (statement,) = policy_set.statements
    assert (statement.id, statement.document, statement.line) == ("copy", "a.yaml", 4)
    assert (statement.effect, statement.mode) == (Effect.ALLOW, Mode.ENFORCE)
    assert [type(rule).__name__ for rule in statement.rules] == ["SameRegionRule", "RangeRule"]
    assert [outcome.passed for outcome in policy_set.run_tests()] == [True]


@pytest.mark.parametrize(
    ("key", "line"),
    [("version: 1\n", 1), ("    effect: allow\n", 4), ("    principals: [team:media]\n", 4), ("    destination:\n", 4)],
)
def test_a_missing_key_is_placed_at_what_lacks_it(key: str, line: int) -> None:
    text = GOOD.replace(key, "")
    assert errors_of(text.replace("      bucket: media-1250000000\n", ""))[0].line in (line, line + 1)


def test_every_error_is_reported_in_order_and_together() -> None:
    text = GOOD.replace("effect: allow", "effect: x", 1).replace("1GiB", "1GB").replace("expect: allow", "expect: y")
    errors = errors_of(text)
    assert [error.path for error in errors] == [
        "statements[0].effect",
        "statements[0].when.range.max",
        "tests[0].expect",
    ]
    assert [error.line for error in errors] == [6, 20, 29]


def test_errors_of_every_document_are_reported() -> None:
    with pytest.raises(PolicyErrors) as caught:
        load(document(pair()).replace("version: 1", "version: 2"), "version: [", GOOD)
    assert [error.document for error in caught.value.errors] == ["a.yaml", "b.yaml"]


def test_an_error_reads_as_one_sentence() -> None:
    error = DocumentError(
        "a.yaml", 3, 7, "statements[0].effect", "'alow'", "one of allow, deny", "did you mean 'allow'?"
    )
    assert str(error) == (
        "a.yaml:3:7: statements[0].effect: found 'alow', expected one of allow, deny (did you mean 'allow'?)"
    )


def test_an_id_is_given_once_in_a_document_but_may_return_in_another() -> None:
    (error,) = errors_of(document(pair("same"), pair("same")))
    assert (error.path, error.line, error.hint) == ("statements[1].id", 4, "also on line 3")
    assert len(load(document(pair("same")), document(pair("same"))).statements) == 2


def test_a_document_name_is_given_once() -> None:
    with pytest.raises(PolicyErrors, match="each name once"):
        load_policies([DocumentSource("a", GOOD), DocumentSource("a", GOOD)])


def test_a_text_beyond_the_limit_is_refused_unread() -> None:
    with pytest.raises(PolicyErrors, match="at most"):
        load_policies([DocumentSource("a", "#" * (MAX_DOCUMENT_CHARACTERS + 1))])


def load_or_errors(text: str) -> PolicySet | tuple[DocumentError, ...]:
    try:
        return load_policies([DocumentSource("a", text)])
    except PolicyErrors as exc:
        return exc.errors


@given(st.text(alphabet="versionstatemts:1[]{}&*!-? \n\"'#|>%@`,\x00é", max_size=60))
def test_any_text_is_a_set_or_policy_errors(text: str) -> None:
    assert load_or_errors(text)


@given(st.integers(0, len(GOOD) - 1), st.sampled_from(["", "x", ":", "[", "}", "\n", "*", "'", "-"]))
def test_a_document_with_one_character_changed_is_a_set_or_placed_errors(position: int, character: str) -> None:
    result = load_or_errors(GOOD[:position] + character + GOOD[position + 1 :])
    if isinstance(result, tuple):
        assert result
        assert all(error.line >= 1 and error.found and error.expected for error in result)


# --- actions, sets, versions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        ("['name/cos:GetObject']", {"cos:GetObject"}),
        ("cos:GetObject", {"cos:GetObject"}),
        ("['cos:*']", set(PLAIN_ACTIONS)),
        ("['name/cos:*Object']", {a for a in PLAIN_ACTIONS if a.endswith("Object")}),
        ("['cos:GetObject', 'cos:Get*']", {a for a in PLAIN_ACTIONS if a.startswith("cos:Get")}),
    ],
)
def test_actions_on_a_resource_are_expanded_without_copies(actions: str, expected: set[str]) -> None:
    (statement,) = load(document(on(actions=actions))).statements
    assert statement.actions == expected
    assert statement.actions.isdisjoint(COPYING_ACTIONS)


def test_actions_of_a_pair_are_expanded_to_copies_only() -> None:
    text = document(pair()).replace("'cos:UploadPartCopy'", "'cos:*'")
    assert load(text).statements[0].actions == COPYING_ACTIONS == {"cos:UploadPartCopy", "cos:PutObjectCopy"}


def test_named_sets_stand_for_their_members() -> None:
    policy_set = load(SETS)
    for request_ in (
        copy(),
        copy(principal="app:x", source=end("old-a-1250000000", region="ap-shenzhen-fsi")),
        copy(source=end("x-1250000000")),
    ):
        assert policy_set.decide(request_).allowed
    assert not policy_set.decide(copy(source=end(RAW, region="ap-beijing"))).allowed
    assert not policy_set.decide(copy(source=end(MEDIA))).allowed


def test_territories_are_extended_by_the_document_for_itself() -> None:
    rule = pair(when="{territory: overseas->mainland}")
    request = copy(source=end(RAW, region="me-jeddah"))
    text = document(rule)
    assert not load(text).decide(request).allowed
    assert (
        load(text.replace("version: 1\n", "version: 1\nterritories: {overseas: [me-jeddah]}\n")).decide(request).allowed
    )
    clash = errors_of(text.replace("version: 1\n", "version: 1\nterritories: {overseas: [ap-beijing]}\n"))
    assert (clash[0].path, "ap-beijing in both" in clash[0].expected) == ("territories", True)


def test_the_version_names_the_content_and_nothing_else() -> None:
    one, again = load(GOOD), load_policies([DocumentSource("other-name", GOOD)])
    changed = load(GOOD.replace("1GiB", "2GiB"))
    assert one.version == again.version != changed.version
    assert len(one.version) == 12
    assert load(GOOD, document(pair())).version != load(document(pair()), GOOD).version


def test_equal_documents_give_equal_decisions() -> None:
    assert load(GOOD).decide(copy()) == load(GOOD).decide(copy())
