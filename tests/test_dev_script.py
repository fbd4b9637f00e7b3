"""`dev.py`: the parts that need no network. A set-up from nothing is what continuous integration begins with."""

from __future__ import annotations

import ast
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def dev(tmp_path: Path) -> ModuleType:
    """The script as a module whose root is a folder of its own."""
    spec = importlib.util.spec_from_file_location("dev_under_test", ROOT / "dev.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    for kind in module.LOCKS:
        module.LOCKS[kind] = tmp_path / f"{kind}.lock"
        module.LOCKS[kind].write_text(f"{kind}\n")
    module.ROOT, module.VENV, module.STAMP = tmp_path, tmp_path / ".venv", tmp_path / ".venv" / "installed"
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    return module


def stamp(dev: ModuleType, kind: str) -> None:
    dev.STAMP.write_text(f"{kind} {dev.fingerprint(kind)}\n")


def test_it_needs_nothing_but_the_standard_library() -> None:
    tree = ast.parse((ROOT / "dev.py").read_text())
    imported = {
        alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    imported |= {
        node.module.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module
    }
    assert imported <= sys.stdlib_module_names


def test_an_older_python_can_read_it_to_be_told_so() -> None:
    ast.parse((ROOT / "dev.py").read_text(), feature_version=(3, 7))


def test_an_older_python_is_told_which_one_is_needed(dev: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    dev.MINIMUM = (sys.version_info[0], sys.version_info[1] + 1)
    assert dev.main(["run"]) == 1
    assert dev.version(dev.MINIMUM) in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["frobnicate"], ["check", "more"], ["--help"]], ids=str)
def test_anything_else_prints_the_usage(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, ROOT / "dev.py", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "usage: python3 dev.py" in done.stderr


@pytest.mark.parametrize(
    ("installed", "wanted", "fresh"),
    [("runtime", "runtime", True), ("dev", "dev", True), ("dev", "runtime", True), ("runtime", "dev", False)],
    ids=["runtime-runtime", "dev-dev", "dev-serves-runtime", "runtime-serves-no-dev"],
)
def test_a_finished_environment_is_not_made_again(dev: ModuleType, installed: str, wanted: str, fresh: bool) -> None:
    stamp(dev, installed)
    assert dev.up_to_date(wanted) is fresh


@pytest.mark.parametrize("name", ["dev.lock", "pyproject.toml"])
def test_a_changed_input_makes_the_environment_again(dev: ModuleType, name: str) -> None:
    stamp(dev, "dev")
    (dev.ROOT / name).write_text("changed")
    assert not dev.up_to_date("dev")


@pytest.mark.parametrize(
    "content", [None, "", "dev", "dev 0", "a b c"], ids=["none", "empty", "short", "other", "long"]
)
def test_a_stamp_that_says_something_else_makes_it_again(dev: ModuleType, content: str | None) -> None:
    if content is not None:
        dev.STAMP.write_text(content)
    assert not dev.up_to_date("dev")


def test_an_environment_whose_python_is_gone_is_made_again(dev: ModuleType) -> None:
    stamp(dev, "dev")
    (dev.VENV / "bin" / "python").unlink()
    assert not dev.up_to_date("dev")
    assert not dev.usable(dev.VENV / "bin" / "python")


def test_one_set_up_waits_for_another(dev: ModuleType) -> None:
    code = (
        "import importlib.util, pathlib\n"
        f"spec = importlib.util.spec_from_file_location('dev', {str(ROOT / 'dev.py')!r})\n"
        "dev = importlib.util.module_from_spec(spec); spec.loader.exec_module(dev)\n"
        f"dev.ROOT = pathlib.Path({str(dev.ROOT)!r})\n"
        "with dev.only_one_at_a_time():\n    print('entered', flush=True)\n"
    )
    with dev.only_one_at_a_time():
        other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert other.stdout is not None
        assert other.stdout.readline() == "Another set-up is running; waiting for it.\n"
        assert other.poll() is None
    assert other.communicate(timeout=30)[0] == "entered\n"


def test_bytecode_is_written_where_python_is_told_not_to(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    package = dev.ROOT / "cos"
    package.mkdir()
    (package / "__init__.py").write_text("answer = 42\n")
    dev.compile_packages()
    assert list(package.glob("__pycache__/*.pyc"))


def test_cleaning_keeps_stores_and_keys(dev: ModuleType) -> None:
    kept = dev.ROOT / "var" / "demo" / "master.key"
    kept.parent.mkdir(parents=True)
    kept.write_text("key")
    assert dev.main(["clean"]) == 0
    assert kept.exists()
    assert not dev.VENV.exists()


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_names_no_index_and_hashes_everything(name: str) -> None:
    text = (ROOT / name).read_text()
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text
    pins = [line for line in text.splitlines() if line and line[0].isalpha()]
    assert pins
    assert all("==" in pin and pin.endswith("\\") for pin in pins)


def _python_of(*arguments: str) -> str:
    """The interpreter that `make run` begins with."""
    command = ["make", "--dry-run", "--no-print-directory", "run", *arguments]
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHON", "MAKEFLAGS")}
    shown = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    return shown.split()[0]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [("exit 0", "the system's"), ("exit 1", "python3"), (None, "python3")],
    ids=["one program, new enough", "older, or a shared library", "not there"],
)
def test_make_prefers_the_systems_python_where_it_is_good(tmp_path: Path, answer: str | None, expected: str) -> None:
    system = tmp_path / "python3"
    if answer is not None:
        system.write_text(f"#!/bin/sh\n{answer}\n")
        system.chmod(0o755)
    assert _python_of(f"SYSTEM_PYTHON={system}") == (str(system) if expected == "the system's" else expected)


def test_make_takes_the_python_it_is_told() -> None:
    assert _python_of("PYTHON=python9.9") == "python9.9"
