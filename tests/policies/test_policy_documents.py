"""A document is read with every error placed by line and key, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cos.values import Region
from policies.decision import Effect, Mode
from policies.loading import DocumentSource, PolicySet, load_policies
from policies.nodes import MAX_DOCUMENT_CHARACTERS
from policies.patterns import Pattern
from policies.problems import DocumentError, PolicyErrors, did_you_mean
from policies.regions import Territories
from policies.statement import COPYING_ACTIONS, PLAIN_ACTIONS, Selector
from tests.policies.building import GOOD, MEDIA, RAW, SETS, copy, document, end, errors_of, load, on, pair


def test_a_sound_document_is_compiled() -> None:
    policy_set = load(GOOD)
    (statement,) = policy_set.statements
    assert (statement.id, statement.document, statement.line) == ("copy", "a.yaml", 4)
    assert (statement.effect, statement.mode) == (Effect.ALLOW, Mode.ENFORCE)
    assert [type(rule).__name__ for rule in statement.rules] == ["SameRegionRule", "RangeRule"]
    assert (statement.description, policy_set.documents[0].name) == ("a statement", "a.yaml")
    assert [pattern.text for pattern in statement.principals] == ["team:media"]
    assert statement.resource is None
    assert statement.source == Selector(
        "source", (Pattern(RAW),), (Pattern("incoming/*"), Pattern("more/*")), frozenset({Region("ap-guangzhou")})
    )
    assert statement.destination == Selector("destination", (Pattern(MEDIA),))
    (outcome,) = policy_set.run_tests()
    assert outcome.passed
    assert (outcome.test, outcome.decision) == (
        policy_set.documents[0].tests[0],
        policy_set.decide(outcome.test.request),
    )


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
    with pytest.raises(PolicyErrors) as caught:
        load("version: [", document(pair()).replace("version: 1", "version: 2"))
    assert [error.document for error in caught.value.errors] == ["a.yaml", "b.yaml"]


def test_an_error_reads_as_one_sentence() -> None:
    error = DocumentError(
        "a.yaml", 3, 7, "statements[0].effect", "'alow'", "one of allow, deny", "did you mean 'allow'?"
    )
    assert str(error) == (
        "a.yaml:3:7: statements[0].effect: found 'alow', expected one of allow, deny (did you mean 'allow'?)"
    )


@pytest.mark.parametrize(
    ("path", "hint", "text"),
    [
        ("", "", "a.yaml:3:7: found x, expected y"),
        ("when", "", "a.yaml:3:7: when: found x, expected y"),
        ("", "or z", "a.yaml:3:7: found x, expected y (or z)"),
    ],
)
def test_what_an_error_does_not_know_is_left_out(path: str, hint: str, text: str) -> None:
    assert str(DocumentError("a.yaml", 3, 7, path, "x", "y", hint)) == text


def test_errors_are_told_one_to_a_line() -> None:
    errors = [DocumentError("a.yaml", line, 1, "", "x", "y") for line in (1, 2)]
    assert str(PolicyErrors(errors)) == "a.yaml:1:1: found x, expected y\na.yaml:2:1: found x, expected y"
    assert PolicyErrors(iter(errors)).errors == tuple(errors)


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("actoin", ["action", "actions", "effect"], "did you mean 'action'?"),
        ("axyz", ["abcd"], ""),
        ("abxyz", ["abcd"], ""),
        ("abxd", ["abcd"], "did you mean 'abcd'?"),
        ("x", [], ""),
    ],
)
def test_the_nearest_word_is_suggested_if_it_is_near(word: str, known: list[str], hint: str) -> None:
    assert did_you_mean(word, iter(known)) == hint


def test_an_id_is_given_once_in_a_document_but_may_return_in_another() -> None:
    (error,) = errors_of(document(pair("same"), pair("same")))
    assert (error.path, error.line, error.hint) == ("statements[1].id", 4, "also on line 3")
    assert len(load(document(pair("same")), document(pair("same"))).statements) == 2


def test_a_document_name_is_given_once() -> None:
    with pytest.raises(PolicyErrors) as caught:
        load_policies([DocumentSource("a", GOOD), DocumentSource("a", GOOD)])
    assert caught.value.errors == (DocumentError("a", 1, 1, "", "a second document of this name", "each name once"),)


def test_a_text_beyond_the_limit_is_refused_unread() -> None:
    with pytest.raises(PolicyErrors) as caught:
        load_policies([DocumentSource("a", "#" * (MAX_DOCUMENT_CHARACTERS + 1))])
    assert str(caught.value) == "a:1:1: found 67108865 characters, expected at most 67108864"


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


def test_a_set_of_regions_serves_the_rules_too() -> None:
    rule = "{regions: {pairs: [['@south', ap-beijing]], within: [['@south', ap-nanjing], ['@south']]}}"
    text = SETS.replace('regions: "@south"', "key: '*'") + f"        when: {rule}\n"
    policy_set = load(text)
    for source, destination, allowed in (
        ("ap-guangzhou", "ap-beijing", True),
        ("ap-shenzhen-fsi", "ap-beijing", True),
        ("ap-shenzhen-fsi", "ap-guangzhou", True),
        ("ap-nanjing", "ap-guangzhou", True),
        ("ap-beijing", "ap-guangzhou", False),
        ("ap-nanjing", "ap-beijing", False),
    ):
        request = copy(source=end(RAW, region=source), destination=end(MEDIA, "a", region=destination))
        assert policy_set.decide(request).allowed is allowed


def test_sets_of_actions_and_accounts_of_a_statement() -> None:
    text = """
    version: 1
    sets: {actions: {reading: ["cos:GetObject", "cos:Head*"]}, principals: {both: [a, b]}}
    statements:
      - {id: x, effect: allow, principals: "@both", actions: "@reading", resource: {bucket: "*", account: "1250000000"}}
    """
    (statement,) = load(text).statements
    assert statement.actions == {"cos:GetObject", "cos:HeadObject", "cos:HeadBucket"}
    assert [pattern.text for pattern in statement.principals] == ["a", "b"]
    assert statement.resource is not None
    assert statement.resource.accounts == {"1250000000"}


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


TABLES = Territories(
    frozenset({Region("ap-beijing"), Region("ap-nanjing")}), frozenset({Region("aa-x"), Region("bb-y")})
)


def test_the_tables_of_regions_may_be_replaced() -> None:
    text = document(pair(when="{territory: overseas->overseas}"))
    request = copy(source=end(RAW, region="aa-x"), destination=end(MEDIA, region="bb-y"))
    source = [DocumentSource("a", text)]
    assert load_policies(source, territories=TABLES).decide(request).allowed
    assert not load_policies(source).decide(request).allowed
    assert load_policies(source, territories=TABLES).version != load_policies(source).version


def test_a_version_stays_what_it_is_from_release_to_release() -> None:
    """Audit logs name it."""
    statement = "{id: a, effect: allow, principals: [p], actions: ['cos:GetObject'], resource: {bucket: '*'}}"
    text = f"version: 1\nstatements:\n  - {statement}\n"
    assert load_policies([DocumentSource("a", text)], territories=TABLES).version == "9755e825cebb"


def test_equal_documents_give_equal_decisions() -> None:
    assert load(GOOD).decide(copy()) == load(GOOD).decide(copy())
