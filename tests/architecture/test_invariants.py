"""Every invariant of ARCHITECTURE.md is held by tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
INVARIANTS = range(1, 10)


def test_every_invariant_names_tests_that_exist() -> None:
    rows = re.findall(
        r"^\| (\d) \|.*\| (test_\w+) \|$", (TESTS / "architecture/invariants.md").read_text("utf-8"), re.MULTILINE
    )
    defined = {
        node.name
        for path in TESTS.rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {int(number) for number, _ in rows} == set(INVARIANTS)
    assert {name for _, name in rows} <= defined, {name for _, name in rows} - defined
