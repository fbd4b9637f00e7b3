"""The register of rule kinds: what a dataclass says about itself is what documents, errors and guides say of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, is_dataclass

import pytest

from policies import rule as registry
from policies.decision import Outcome
from policies.request import AccessRequest
from policies.rule import KINDS, Parameter, RuleKind, rule
from policies.sizes import Size


@dataclass(frozen=True, slots=True)
class Sample:
    """Holds on most days.

    A second paragraph, which no list shows.
    """

    days: frozenset[int] = field(metadata={"doc": "Which days."})
    most: Size | None = None
    names: tuple[str, ...] = field(default_factory=tuple, metadata={"doc": "Whose."})

    def check(self, request: AccessRequest) -> Outcome:
        return None


PARAMETERS = {
    "days": Parameter("days", frozenset[int], required=True, doc="Which days."),
    "most": Parameter("most", Size | None, required=False, doc=""),
    "names": Parameter("names", tuple[str, ...], required=False, doc="Whose."),
}


@pytest.fixture(autouse=True)
def _kinds_as_they_were() -> Iterator[None]:
    before = dict(KINDS)
    yield
    registry._KINDS.clear()
    registry._KINDS.update(before)


def test_a_kind_says_what_its_class_says() -> None:
    assert rule("sample")(Sample) is Sample
    assert KINDS["sample"] == RuleKind("sample", Sample, PARAMETERS, False, None, "Holds on most days.")


def test_a_kind_says_what_it_is_registered_with() -> None:
    rule("sample", copies=True, shorthand="most")(Sample)
    assert KINDS["sample"] == RuleKind("sample", Sample, PARAMETERS, True, "most", "Holds on most days.")


def test_a_kind_without_a_docstring_has_no_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sample, "__doc__", None)
    rule("sample")(Sample)
    assert KINDS["sample"].summary == ""


def test_a_kind_is_registered_once() -> None:
    with pytest.raises(ValueError) as second:
        rule("range")(Sample)
    assert str(second.value) == "expected one rule of kind 'range', got a second: Sample"
    with pytest.raises(ValueError) as shorthand:
        rule("other", shorthand="nothing")(Sample)
    assert str(shorthand.value) == "expected the shorthand of 'other' to be a parameter, got 'nothing'"
    assert "other" not in KINDS


def test_every_parameter_of_every_kind_is_documented() -> None:
    missing = [
        f"{kind.name}.{name}"
        for kind in KINDS.values()
        for name, parameter in kind.parameters.items()
        if not parameter.doc and name != "territories"
    ]
    assert missing == []
    assert [kind.name for kind in KINDS.values() if not kind.summary] == []


def test_which_rules_judge_copies_only_is_settled() -> None:
    assert {name for name, kind in KINDS.items() if kind.copies} == {
        "alignment", "range", "regions", "same_region", "source_conditions", "source_size", "source_version",
        "territory",
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_rule_is_a_frozen_value(name: str) -> None:
    build = KINDS[name].build
    assert is_dataclass(build)
    assert build.__dataclass_params__.frozen  # type: ignore[attr-defined]  # what dataclass() was given
    assert hasattr(build, "__slots__")
