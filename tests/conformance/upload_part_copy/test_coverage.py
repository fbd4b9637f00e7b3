"""The table in `coverage.md` names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

FOLDER = Path(__file__).parent


def test_every_test_named_in_the_table_exists() -> None:
    named = re.findall(r"\| (test_\w+) \|$", (FOLDER / "coverage.md").read_text(encoding="utf-8"), re.MULTILINE)
    defined = {
        node.name
        for path in FOLDER.glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert len(named) > 40
    assert set(named) <= defined, set(named) - defined
