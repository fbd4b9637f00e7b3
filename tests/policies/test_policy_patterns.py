"""Patterns match byte for byte, in linear time, and never let dot segments widen a grant."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.patterns import Pattern, has_dot_segment

KEYS = st.text(alphabet="ab./*", min_size=1, max_size=12)
PATTERNS = st.text(alphabet="ab./*", min_size=1, max_size=10)


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        pytest.param("a", "a", True, id="literal"),
        pytest.param("a", "b", False, id="another literal"),
        pytest.param("a", "aa", False, id="literal and more"),
        pytest.param("*", "anything/at all", True, id="star crosses slashes"),
        pytest.param("public/*", "public/", True, id="star matches nothing"),
        pytest.param("public/*", "public", False, id="prefix incomplete"),
        pytest.param("public/*", "/public/a", False, id="leading slash is a character"),
        pytest.param("public/*", "publicx/a", False, id="prefix differs"),
        pytest.param("public/*", "Public/a", False, id="case differs"),
        pytest.param("*.mov", "a/b.mov", True, id="suffix"),
        pytest.param("*.mov", "a/b.mov.exe", False, id="suffix inside"),
        pytest.param("a*a", "a", False, id="prefix and suffix may not overlap"),
        pytest.param("a*a", "aa", True, id="prefix and suffix may touch"),
        pytest.param("a*b*c", "a-b-b-c", True, id="middle"),
        pytest.param("a*b*c", "a-c-b", False, id="middle out of order"),
        pytest.param("*a*a*", "a", False, id="middles are not reused"),
        pytest.param("*a*", "a", True, id="a middle alone"),
        pytest.param("*a*b*", "aba", True, id="the first of a middle is taken, not the last"),
        pytest.param("*a*a", "ba", False, id="a middle may not overlap the suffix"),
        pytest.param("*a*a", "aa", True, id="a middle may touch the suffix"),
        pytest.param("b*a*a", "ba", False, id="a middle needs its own room"),
        pytest.param("a**b", "a-b", True, id="run of stars"),
        pytest.param("a?c", "abc", False, id="question mark is literal"),
        pytest.param("a?c", "a?c", True, id="question mark matches itself"),
        pytest.param("[ab]", "a", False, id="brackets are literal"),
        pytest.param("a.c", "abc", False, id="dot is literal"),
        pytest.param("caf\u00e9/*", "cafe\u0301/a", False, id="no Unicode normalisation"),
        pytest.param("\uff0e\uff0e/*", "../a", False, id="no width folding"),
        pytest.param("%2e/*", "./a", False, id="no percent decoding"),
    ],
)
def test_a_pattern_matches_the_whole_text_and_nothing_is_folded(pattern: str, text: str, matches: bool) -> None:
    assert Pattern(pattern).matches(text) is matches


@given(PATTERNS, KEYS)
def test_matching_agrees_with_the_same_pattern_as_a_regular_expression(pattern: str, text: str) -> None:
    expected = re.fullmatch(".*".join(re.escape(piece) for piece in pattern.split("*")), text, re.DOTALL)
    assert Pattern(pattern).matches(text) is (expected is not None)


@pytest.mark.parametrize(
    ("key", "dotted"),
    [
        ("a/b", False), ("a.b/c.d", False), ("..a/b", False), ("a/b..", False), ("a/.../b", False), ("a./b", False),
        (".hidden", False), ("a.", False),
        (".", True), ("..", True), ("./a", True), ("../a", True), ("a/./b", True), ("a/../b", True), ("a/.", True),
        ("a/..", True), ("//../a", True),
    ],
)  # fmt: skip
def test_dot_segments_are_recognised_and_nothing_else(key: str, dotted: bool) -> None:
    assert has_dot_segment(key) is dotted


@pytest.mark.parametrize(
    ("pattern", "key", "grants"),
    [
        pytest.param("public/*", "public/a", True, id="no dots"),
        pytest.param("public/*", "public/../private/a", False, id="out of the prefix"),
        pytest.param("public/*", "public/./a", False, id="within the prefix"),
        pytest.param("public/*", "public/..", False, id="at the end"),
        pytest.param("public/*", "public/.../a", True, id="three dots are a name"),
        pytest.param("*", "public/../private/a", True, id="the whole bucket"),
        pytest.param("**", "../a", True, id="the whole bucket, two stars"),
        pytest.param("public/../private/*", "public/../private/a", True, id="spelled before the star"),
        pytest.param("public/../private/*", "public/../private/../a", False, id="one spelled, one not"),
        pytest.param("*/../private", "a/../private", True, id="spelled after the star"),
        pytest.param("*/../private", "a/../b/../private", False, id="one after the star, one not"),
        pytest.param("a/.*", "a/..", False, id="half spelled"),
        pytest.param("a/..*", "a/../b", False, id="the slash is not spelled"),
        pytest.param("a/..*", "a/..", False, id="the end is not spelled"),
        pytest.param("*../b", "a/../b", False, id="the slash before is not spelled"),
        pytest.param("a/../b", "a/../b", True, id="literal"),
        pytest.param("*/../*", "a/../b", False, id="between stars does not count"),
    ],
)
def test_a_grant_covers_dot_segments_only_when_it_spells_them(pattern: str, key: str, grants: bool) -> None:
    assert Pattern(pattern).grants(key) is grants


@given(PATTERNS, KEYS)
def test_a_grant_never_exceeds_the_plain_match(pattern: str, key: str) -> None:
    compiled = Pattern(pattern)
    assert not compiled.grants(key) or compiled.matches(key)
    if not has_dot_segment(key):
        assert compiled.grants(key) is compiled.matches(key)


@given(KEYS.filter(has_dot_segment), st.sampled_from(["a/*", "a*", "*a", "a/b/*", "*b*"]))
def test_a_glob_without_dots_grants_no_key_with_dot_segments(key: str, pattern: str) -> None:
    assert not Pattern(pattern).grants(key)


@given(PATTERNS, KEYS)
def test_a_deny_never_falls_short_of_the_plain_match(pattern: str, key: str) -> None:
    assert Pattern(pattern).forbids(key) is (Pattern(pattern).matches(key) or has_dot_segment(key))


def test_many_stars_stay_fast_on_a_long_key() -> None:
    assert not Pattern("*a" * 200 + "*b").matches("a" * 1024)


@pytest.mark.parametrize("text", ["", "a\x00", "a\nb", "\x7f"], ids=["empty", "nul", "newline", "delete"])
def test_a_pattern_without_text_or_with_control_characters_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a pattern"):
        Pattern(text)
