"""The guide, in both languages, names every rule and shows documents that really load."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from policies.rule import KINDS
from tests.policies.building import document, load

GUIDES = [Path(__file__).parents[2] / "docs" / name for name in ("policies.md", "policies.zh.md")]


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_the_guide_names_every_rule_and_parameter(guide: Path) -> None:
    rows = {
        match[1]: line
        for line in guide.read_text(encoding="utf-8").splitlines()
        if (match := re.match(r"\| `([a-z_]+): ", line))
    }
    assert set(rows) == set(KINDS)
    missing = [
        f"{kind.name}.{name}"
        for kind in KINDS.values()
        for name in kind.parameters
        if name != "territories" and f"`{name}" not in rows[kind.name]
    ]
    assert missing == []


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_the_document_the_guide_shows_passes_its_test(guide: Path) -> None:
    shown = re.findall(r"```yaml\n(version: 1\n.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL)
    assert len(shown) == 1
    assert [outcome.passed for outcome in load(shown[0]).run_tests()] == [True]


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_the_shorthands_the_guide_shows_load(guide: Path) -> None:
    for match in re.finditer(r"\| `([a-z_]+): (?!\{…\})(.+?)` \|", guide.read_text(encoding="utf-8")):
        kind, parameters = match[1], match[2]
        ends = (
            "source: {bucket: raw-1250000000}, destination: {bucket: media-1250000000}, actions: ['cos:*']"
            if KINDS[kind].copies
            else "resource: {bucket: raw-1250000000}, actions: ['cos:*']"
        )
        statement = f"- {{id: a, effect: allow, principals: [a], {ends}, when: {{{kind}: {parameters}}}}}"
        assert load(document(statement)).statements[0].rules
