"""A document is read with every error placed by line and key, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.decision import Effect, Mode
from policies.loading import DocumentSource, PolicySet, load_policies
from policies.nodes import MAX_DEPTH, MAX_DOCUMENT_CHARACTERS
from policies.problems import DocumentError, PolicyErrors
from policies.statement import COPYING_ACTIONS, PLAIN_ACTIONS
from tests.policies.building import GOOD, MEDIA, RAW, copy, document, end, errors_of, load, on, pair


def line_of(text: str, needle: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if needle in line)


def test_a_sound_document_is_compiled() -> None:
    policy_set = load(GOOD)
    (statement,) = policy_set.statements
    assert (statement.id, statement.document, statement.line) == ("copy", "a.yaml", 4)
    assert (statement.effect, statement.mode) == (Effect.ALLOW, Mode.ENFORCE)
    assert [type(rule).__name__ for rule in statement.rules] == ["SameRegionRule", "RangeRule"]
    assert [outcome.passed for outcome in policy_set.run_tests()] == [True]


@pytest.mark.parametrize(
    ("old", "new", "path", "found", "expected", "hint"),
    [
        ("version: 1", "version: 2", "version", "'2'", "1, the only version", ""),
        ("version: 1", "version: '1'", "version", "'1'", "an integer", ""),
        ("description: a document", "descripton: x", "descripton", "unknown key 'descripton'", "one of", "description"),
        ("- id: copy", "- id: copy it", "statements[0].id", "'copy it'", "an id of letters", ""),
        ("effect: allow", "effect: alow", "statements[0].effect", "'alow'", "allow, deny", "did you mean 'allow'"),
        ("effect: allow", "effect:", "statements[0].effect", "nothing", "allow, deny", ""),
        ("mode: enforce", "mode: shadows", "statements[0].mode", "'shadows'", "enforce, shadow", "'shadow'"),
        ("mode: enforce", "mod: enforce", "statements[0].mod", "unknown key 'mod'", "one of", "'mode'"),
        ("mode: enforce", "effect: deny", "statements[0].effect", "'effect' again", "once", "first on line 6"),
        ("[team:media]", "[]", "statements[0].principals", "empty list", "at least one", ""),
        ("[team:media]", "['']", "statements[0].principals[0]", "''", "a principal", ""),
        ("[team:media]", "[@all]", "", "found character", "YAML", ""),
        ("[team:media]", "['@all']", "statements[0].principals[0]", "'@all'", "sets.principals", ""),
        ("[cos:UploadPartCopy]", "[cos:UploadPartCopi]", "statements[0].actions[0]", "Copi", "knows", "UploadPartCopy"),
        ("[cos:UploadPartCopy]", "[cos:GetObject]", "statements[0].actions[0]", "GetObject", "copies", "a resource"),
        ("[cos:UploadPartCopy]", "[UploadPartCopy]", "statements[0].actions[0]", "'UploadPart", "an action such", ""),
        ("[cos:UploadPartCopy]", "[cos:Zzz*]", "statements[0].actions[0]", "'cos:Zzz*'", "knows", ""),
        ("[cos:UploadPartCopy]", "[]", "statements[0].actions", "empty list", "at least one", ""),
        ("[cos:UploadPartCopy]", "[[a]]", "statements[0].actions[0]", "a list", "an action such", ""),
        ("bucket: raw-1250000000", "bucket: raw", "statements[0].source.bucket", "'raw'", "with its APPID", ""),
        ("bucket: raw-1250000000", "bucket: RAW-*", "statements[0].source.bucket", "'RAW-*'", "a glob", ""),
        ("bucket: raw-1250000000", "bucket: []", "statements[0].source.bucket", "empty list", "at least one", ""),
        ("bucket: raw-1250000000", "buckt: x", "statements[0].source.buckt", "'buckt'", "one of", "'bucket'"),
        ("[incoming/*, more/*]", "''", "statements[0].source.key", "''", "a key or a glob", ""),
        ("[incoming/*, more/*]", '"a\\0"', "statements[0].source.key", "a\\x00", "control characters", ""),
        ("regions: [ap-guangzhou]", "regions: [Guangzhou]", "statements[0].source.regions[0]", "'Guang", "region", ""),
        ("regions: [ap-guangzhou]", "accounts: [abc]", "statements[0].source.accounts[0]", "'abc'", "APPID", ""),
        ("same_region: true", "same_regoin: true", "statements[0].when.same_regoin", "regoin", "a rule kind", "region"),
        ("same_region: true", "same_region: yes", "statements[0].when.same_region", "'yes'", "true or false", ""),
        ("same_region: true", "same_region: 'true'", "statements[0].when.same_region", "'true'", "true or false", ""),
        ("max: 1GiB", "min: 9MiB", "statements[0].when.range.min", "again", "once", "first on line 19"),
        ("min: 1MiB", "min: 1MB", "statements[0].when.range.min", "'1MB'", "write 1MiB", ""),
        ("min: 1MiB", "min: 2GiB", "statements[0].when.range", "a mapping", "min <= max", ""),
        ("min: 1MiB", "mni: 1MiB", "statements[0].when.range.mni", "'mni'", "one of", "'min'"),
        ("min: 1MiB", "small_last_part: yes", "statements[0].when.range.small_last_part", "'yes'", "allow, deny", ""),
        ("- name: it works", "- nam: it works", "tests[0].nam", "'nam'", "one of", "'name'"),
        ("bytes=0-1048575", "bytes=9-0", "tests[0].request.range", "'bytes=9-0'", "first <= last", ""),
        ("raw-1250000000/incoming/a@", "raw/incoming/a@", "tests[0].request.source", "'raw/inc", "bucket name", ""),
        ("name/cos:UploadPartCopy", "cos:Copy", "tests[0].request.action", "'cos:Copy'", "knows", ""),
        ("expect: allow", "expect: maybe", "tests[0].expect", "'maybe'", "allow, deny, needs_facts", ""),
    ],
)  # fmt: skip
def test_an_error_names_line_key_found_and_expected(
    old: str, new: str, path: str, found: str, expected: str, hint: str
) -> None:
    assert GOOD.count(old) >= 1
    text = GOOD.replace(old, new, 1)
    error = errors_of(text)[0]
    assert error.document == "a.yaml"
    assert error.line == line_of(text, new.splitlines()[0])
    assert error.path == path
    assert found in error.found
    assert expected in error.expected
    assert hint in error.hint


@pytest.mark.parametrize(
    ("key", "line"),
    [("version: 1\n", 1), ("    effect: allow\n", 4), ("    principals: [team:media]\n", 4), ("    destination:\n", 4)],
)
def test_a_missing_key_is_placed_at_what_lacks_it(key: str, line: int) -> None:
    text = GOOD.replace(key, "")
    assert errors_of(text.replace("      bucket: media-1250000000\n", ""))[0].line in (line, line + 1)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (on(actions="['cos:UploadPartCopy']"), "an action that does not copy"),
        (on(actions="['cos:*Copy']"), "an action that does not copy"),
        (on(when="{same_region: true}"), "a rule about a resource"),
        (on(when="{range: {max: 1}}"), "a rule about a resource"),
        (on(when="{networks: []}"), "at least one"),
        (on(when="[range]"), "a mapping from rule kinds"),
        (pair(when="{territory: []}"), "at least one"),
        (pair(when="{territory: mainland}"), "a route such as"),
        (pair(when="{regions: [ap-beijing, ap-shanghai]}"), "a list of 2"),
        (pair(when="{regions: ap-beijing}"), "a list of pairs"),
        (pair(when="{regions: {pairs: [[ap-beijing, '']]}}"), "a region"),
        (pair(when="{range: 5}"), "a mapping with"),
        (pair(when="{part_number: {max: 1.5}}"), "an integer"),
        (pair(when="{part_number: {max: 20000}}"), "1 <= min <= max <= 10000"),
        (pair(source=f"{{bucket: {RAW}, region: ap-beijing, regions: [ap-beijing]}}"), "region or regions, not both"),
        (pair(source="[]"), "a mapping with"),
        ("- {id: a, effect: allow, principals: [a], actions: ['cos:GetObject']}", "a resource, or both"),
        (
            on().replace("when: {}", f"source: {{bucket: {RAW}}}, destination: {{bucket: {RAW}}}"),
            "a resource, or both",
        ),
        (
            f"- {{id: a, effect: allow, principals: [a], actions: ['cos:PutObjectCopy'], source: {{bucket: {RAW}}}}}",
            "a resource, or both",
        ),
    ],
)
def test_a_statement_that_could_never_hold_is_refused(statement: str, expected: str) -> None:
    errors = errors_of(document(statement))
    assert [error.line for error in errors] == [3] * len(errors)
    assert any(expected in error.expected for error in errors)


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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", "a mapping with version", id="empty"),
        pytest.param("# only a comment\n", "a mapping with version", id="comment"),
        pytest.param("[]", "a mapping with", id="a list"),
        pytest.param("version", "a mapping with", id="a word"),
        pytest.param("version: 1\nstatements: {}\n", "a list", id="statements a mapping"),
        pytest.param("version: 1\nstatements:\n", "a list", id="statements nothing"),
        pytest.param("version: 1\nstatements: [x]\n", "a mapping with", id="a statement a word"),
        pytest.param("version: &a 1\nstatements: []\n", "no anchors", id="anchor"),
        pytest.param("version: *a\nstatements: []\n", "the text itself", id="alias"),
        pytest.param("version: !!int 1\nstatements: []\n", "no tags", id="tag"),
        pytest.param("version: !!python/object/apply:os.system [x]\n", "no tags", id="python tag"),
        pytest.param("version: 1\nstatements: []\n---\nversion: 1\n", "one document", id="two documents"),
        pytest.param("? [a]\n: 1\n", "a word as a key", id="a list as a key"),
        pytest.param("version: 1\n\tstatements: []\n", "well-formed YAML", id="tab"),
        pytest.param("version: [1\n", "well-formed YAML", id="unclosed"),
        pytest.param("version: \x00\n", "well-formed YAML", id="nul"),
        pytest.param("[" * (MAX_DEPTH + 1), f"at most {MAX_DEPTH} levels", id="deep"),
        pytest.param("[" * 100_000, f"at most {MAX_DEPTH} levels", id="very deep"),
    ],
)
def test_what_is_not_a_document_is_refused(text: str, expected: str) -> None:
    assert expected in errors_of(text)[0].expected


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


SETS = """
    version: 1
    sets:
      principals: {editors: ["team:media", "app:*"]}
      buckets: {origins: [raw-1250000000, "old-*"]}
      regions: {south: [ap-guangzhou, ap-shenzhen-fsi]}
    statements:
      - id: a
        effect: allow
        principals: ["@editors"]
        actions: [cos:UploadPartCopy]
        source: {bucket: ["@origins", x-1250000000], regions: "@south"}
        destination: {bucket: media-1250000000}
"""


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


@pytest.mark.parametrize(
    ("old", "new", "path", "hint"),
    [
        ('["@editors"]', '["@editor"]', "statements[0].principals[0]", "did you mean 'editors'?"),
        ('["@editors"]', '["@origins"]', "statements[0].principals[0]", ""),
        ("[ap-guangzhou, ap-shenzhen-fsi]", '["@south"]', "sets.regions.south[0]", ""),
        ("[ap-guangzhou, ap-shenzhen-fsi]", "[]", "sets.regions.south", ""),
        ("[ap-guangzhou, ap-shenzhen-fsi]", "[nowhere_]", "statements[0].source.regions", ""),
        ("regions: {south: ", "zones: {south: ", "sets.zones", ""),
        ("{editors: [", "[{editors: [", "", ""),
        ('{editors: ["team:media", "app:*"]}', "[a]", "sets.principals", ""),
    ],
)
def test_a_set_that_is_unknown_or_broken_is_refused(old: str, new: str, path: str, hint: str) -> None:
    error = errors_of(SETS.replace(old, new))[0]
    assert (error.path, error.hint) == (path, hint)


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
