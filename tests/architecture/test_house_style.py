"""Habits of the house that a reader relies on and no linter checks."""

from __future__ import annotations

import ast
import re
import tomllib

import pytest

from gateway.secret import Secret
from tests.architecture.sources import PRODUCT, ROOT, imported_packages, python_files, text_files, tree

MAX_LINES = 400
VAGUE_NAMES = {"util", "utils", "helper", "helpers", "common", "misc", "manager", "base"}
BROAD = {"Exception", "BaseException"}
BROAD_HANDLERS = ["gateway/pipeline.py", "policies/engine.py", "policies/engine.py"]
"""The pipeline refuses whatever went wrong; the engine denies when a rule raises, and reports the fault. A rule of a
remembered decision that raises is asked again, in that place."""
SECRET_FIELD = re.compile(r"^(secret|secret_key|security_token|token|signature|password|master_key|sign_key)$")
# Spelled in pieces, so that this file does not hold what it looks for.
MACHINE_PATHS = re.compile("(?<![A-Za-z0-9_.-])/(?:" + "|".join(("work", "root", "home/[a-z]+")) + ")/[A-Za-z.]")

ALL_PYTHON = python_files(*PRODUCT, "tests", "benchmarks")
PRODUCT_PYTHON = python_files(*PRODUCT)


def test_a_file_holds_one_topic() -> None:
    for path in ALL_PYTHON:
        lines = (ROOT / path).read_text(encoding="utf-8").count("\n")
        assert lines < MAX_LINES, f"{path} has {lines} lines"
        assert path.stem not in VAGUE_NAMES, f"{path} does not say what it holds"


def test_a_module_says_what_it_holds() -> None:
    silent = [str(path) for path in PRODUCT_PYTHON if not ast.get_docstring(tree(path))]
    assert not silent


def test_the_broad_exception_handlers_are_known() -> None:
    handlers = [
        (path, node)
        for path in PRODUCT_PYTHON
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler) and _is_broad(node)
    ]
    # Cleaning up and raising again hides nothing.
    hiding = [str(path) for path, node in handlers if not _raises_again(node)]
    assert sorted(hiding) == sorted(BROAD_HANDLERS)


def _is_broad(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    return bool({name.id for name in ast.walk(handler.type) if isinstance(name, ast.Name)} & BROAD)


def _raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_work_is_finished_or_not_begun() -> None:
    for path in PRODUCT_PYTHON:
        text = (ROOT / path).read_text(encoding="utf-8")
        for word in ("TODO", "FIXME", "XXX:", "HACK:"):
            assert word not in text, f"{path} holds {word}"


def test_a_field_that_holds_a_secret_is_not_printed() -> None:
    shown = [
        f"{path}:{field.lineno} {cls.name}: {ast.unparse(field)}"
        for path in PRODUCT_PYTHON
        for cls in ast.walk(tree(path))
        if isinstance(cls, ast.ClassDef) and _prints_its_fields(cls)
        for field in cls.body
        if isinstance(field, ast.AnnAssign) and _shows_a_secret(field)
    ]
    assert not shown, "\n".join(shown)


def _prints_its_fields(cls: ast.ClassDef) -> bool:
    decorators = " ".join(ast.unparse(decorator) for decorator in cls.decorator_list)
    if "dataclass" not in decorators or "repr=False" in decorators:
        return False
    return not any(isinstance(node, ast.FunctionDef) and node.name == "__repr__" for node in cls.body)


def _shows_a_secret(field: ast.AnnAssign) -> bool:
    if not isinstance(field.target, ast.Name) or not SECRET_FIELD.match(field.target.id):
        return False
    annotation = ast.unparse(field.annotation)
    default = ast.unparse(field.value) if field.value is not None else ""
    harmless = annotation in ("bool", "int", "Path", "Path | None")
    return "Secret" not in annotation and "repr=False" not in default and not harmless


def test_a_secret_shows_nowhere() -> None:
    secret = Secret("canary-value")
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>20}",
        repr([secret]),
        repr({"k": secret}),
    ]
    assert not [text for text in shown if "canary" in text]
    assert secret.reveal() == "canary-value"


def test_no_file_names_a_machine_it_was_written_on() -> None:
    strays = []
    for path in text_files():
        for number, line in enumerate(
            (ROOT / path).read_text(encoding="utf-8", errors="replace").splitlines(), start=1
        ):
            if MACHINE_PATHS.search(line):
                strays.append(f"{path}:{number}: {line.strip()[:120]}")
    assert not strays, "\n".join(strays)


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_the_locks_pin_hashes_and_name_no_registry(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "://" not in text
    assert "index-url" not in text
    pinned = re.findall(r"^[a-z0-9][\w.-]*(?:\[[\w,]+\])?==", text, re.MULTILINE)
    assert len(pinned) > 10
    assert text.count("--hash=sha256:") >= len(pinned)


def test_every_dependency_is_used() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    module_of = {"pyyaml": "yaml", "prometheus-client": "prometheus_client", "pydantic-settings": "pydantic_settings"}
    names = {re.split(r"[<>=\[;]", line)[0] for line in project["dependencies"]}
    used = set().union(*(imported_packages(path) for path in PRODUCT_PYTHON))
    # A driver that SQLAlchemy loads by the name in its URL.
    unused = {name for name in names - {"aiosqlite"} if module_of.get(name, name) not in used}
    assert not unused, f"in pyproject.toml but imported nowhere: {unused}"
