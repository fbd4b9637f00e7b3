"""Every invariant of ARCHITECTURE.md, and every promise about credentials, is held by tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
INVARIANTS = range(1, 10)


def test_every_invariant_names_tests_that_exist() -> None:
    rows = re.findall(
        r"^\| (\d) \|.*\| (test_\w+) \|$", (TESTS / "architecture/invariants.md").read_text("utf-8"), re.MULTILINE
    )
    defined = defined_tests()
    assert {int(number) for number, _ in rows} == set(INVARIANTS)
    assert {name for _, name in rows} <= defined, {name for _, name in rows} - defined


def test_every_promise_about_credentials_names_a_test_that_exists() -> None:
    text = (TESTS / "architecture/credentials.md").read_text("utf-8")
    rows = re.findall(r"^\| [^|]+ \| [^|]+ \| (test_\w+) \|$", text, re.MULTILINE)
    assert len(rows) == text.count("\n|") - 2, "a row without a test"
    assert set(rows) <= defined_tests(), set(rows) - defined_tests()


def test_the_walk_of_a_secret_names_what_exists() -> None:
    text = (ROOT / "docs/credentials.md").read_text("utf-8").partition("## Follow one secret")[2]
    steps = re.findall(r"^\| [^|]+ \| `([\w/]+\.py)` \| `([\w.]+)` \| [^|]+ \|$", text, re.MULTILINE)
    assert len(steps) >= 10
    for file, name in steps:
        body: list[ast.stmt] = ast.parse((ROOT / file).read_text("utf-8")).body
        for part in name.split("."):
            found = [item for item in body if getattr(item, "name", None) == part]
            assert found, f"{file} has no {name}"
            body = getattr(found[0], "body", [])


def defined_tests() -> set[str]:
    return {
        node.name
        for path in TESTS.rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
