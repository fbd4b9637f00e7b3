"""The project's own files, for the tests that read them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("cos", "policies", "gateway", "emulator")
"""Packages that are shipped."""
_FOLDERS = (*PRODUCT, "tests", "benchmarks", "config", "docs")
_TEXT = frozenset(
    {".py", ".md", ".yaml", ".yml", ".toml", ".txt", ".lock", ".json", ".html", ".css", ".js", ".cfg", ""}
)
_IGNORED = frozenset({"__pycache__", "var", "node_modules"})


def python_files(*packages: str) -> list[Path]:
    """Every module of these top-level folders, relative to the project."""
    return sorted(
        path.relative_to(ROOT)
        for package in packages
        for path in (ROOT / package).rglob("*.py")
        if not _IGNORED.intersection(path.parts)
    )


def text_files() -> Iterator[Path]:
    """Every text file a reader of the project meets, relative to the project."""
    candidates = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in _FOLDERS:
        candidates += (ROOT / folder).rglob("*")
    for path in sorted(candidates):
        if path.is_file() and path.suffix in _TEXT and path.name != ".git" and not _IGNORED.intersection(path.parts):
            yield path.relative_to(ROOT)


def tree(path: Path) -> ast.Module:
    """A module's syntax tree."""
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), filename=str(path))


def imported_modules(path: Path) -> set[str]:
    """Full names of the modules a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            names.add(node.module or "")
    return names


def imported_packages(path: Path) -> set[str]:
    """Top-level names of what a file imports."""
    return {name.partition(".")[0] for name in imported_modules(path)}
