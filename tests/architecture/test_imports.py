"""Imports point one way, and what does input and output is where it belongs.

import-linter holds the layers; this holds what it cannot say. Source: DESIGN, "The house".
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.architecture.sources import PRODUCT, imported_modules, imported_packages, python_files, tree

ALLOWED = {
    "cos": {"cos"},
    "policies": {"policies", "cos"},
    "gateway": {"gateway", "policies", "cos", "emulator"},
    "emulator": {"emulator", "cos"},
}
PURE_LIBRARIES = {
    "__future__", "abc", "array", "ast", "base64", "binascii", "bisect", "calendar", "codecs", "collections",
    "contextlib", "copy", "dataclasses", "datetime", "decimal", "difflib", "email", "enum", "fnmatch", "fractions",
    "functools", "hashlib", "heapq", "hmac", "ipaddress", "itertools", "json", "math", "operator", "re", "string",
    "struct", "textwrap", "types", "typing", "unicodedata", "urllib", "xml", "zlib",
    # Parsers without input and output of their own.
    "fastcrc", "pyexpat", "yaml",
    # Values whose constructor is compiled.
    "msgspec",
}  # fmt: skip
"""What sans-IO code may use besides itself; urllib only for its parse module."""
WORLDLY_CALLS = {
    "open", "print", "input", "exec", "eval", "datetime.now", "datetime.utcnow", "datetime.today", "date.today",
    "datetime.datetime.now", "datetime.date.today",
}  # fmt: skip


@pytest.mark.parametrize("package", PRODUCT)
def test_a_package_imports_only_what_lies_below_it(package: str) -> None:
    for path in python_files(package):
        ours = imported_packages(path) & {*PRODUCT, "tests", "benchmarks"}
        assert ours <= ALLOWED[package], f"{path} imports {ours - ALLOWED[package]}"


def test_protocol_and_rules_import_nothing_that_does_input_or_output() -> None:
    for path in python_files("cos", "policies"):
        foreign = imported_packages(path) - ALLOWED[path.parts[0]] - PURE_LIBRARIES
        assert not foreign, f"{path} imports {foreign}"
        assert not {name for name in imported_modules(path) if name.startswith("urllib") and name != "urllib.parse"}


def test_protocol_and_rules_open_nothing_read_no_clock_and_keep_no_state() -> None:
    strays = []
    for path in python_files("cos", "policies"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in WORLDLY_CALLS:
                strays.append(f"{path}:{node.lineno} calls {ast.unparse(node.func)}")
            if isinstance(node, ast.Global):
                strays.append(f"{path}:{node.lineno} writes a global")
    assert not strays, "\n".join(strays)


def test_httpx_lives_only_in_the_upstreams() -> None:
    users = {path for path in python_files(*PRODUCT) if "httpx" in imported_packages(path)}
    assert users, "nothing uses httpx: this test looks for the wrong name"
    strays = {path for path in users if path.parts[:2] != ("gateway", "upstreams")}
    # The command line asks the admin port with it; requests to COS go through the upstreams.
    assert strays == {Path("gateway/cli/remote.py")}, strays


def test_the_pipeline_and_its_steps_know_no_adapter() -> None:
    steps = [
        path for path in python_files("gateway") if path.stem in ("pipeline", "authenticate", "authorize", "facts")
    ]
    assert len(steps) == 4
    for path in steps:
        foreign = imported_packages(path) & {"sqlalchemy", "httpx", "uvicorn", "redis", "sqlite3", "cryptography"}
        assert not foreign, f"{path} imports {foreign}"
        adapters = {name for name in imported_modules(path) if name.startswith(("gateway.stores", "gateway.upstreams"))}
        assert not adapters, f"{path} imports {adapters}"


def test_only_the_gateway_in_development_knows_the_emulator() -> None:
    users = {str(path) for path in python_files("gateway") if "emulator" in imported_packages(path)}
    request_path = {"gateway/pipeline.py", "gateway/authenticate.py", "gateway/authorize.py", "gateway/relay.py"}
    assert not users & request_path
