"""What the README tells people to type exists."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.architecture.sources import ROOT
from tests.support.gateway_program import COS_GATEWAY

README = ROOT / "README.md"
_BLOCK = re.compile(r"^```(?:\w+)?\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(pattern: str) -> set[str]:
    """First words after a program's name, in the README's code: fenced, indented and inline."""
    text = README.read_text(encoding="utf-8")
    indented = re.findall(r"^ {4}(\S.*)$", text, re.MULTILINE)
    code = "\n".join([*_BLOCK.findall(text), *indented, *re.findall(r"`([^`\n]+)`", text)])
    return set(re.findall(pattern, code, re.MULTILINE))


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    mentioned = commands(r"(?:^|\s)make ([a-z][\w-]*)")
    assert {"run", "test"} <= mentioned
    assert mentioned <= targets, mentioned - targets


def test_dev_commands_exist() -> None:
    mentioned = commands(r"dev\.py ([a-z][\w-]*)")
    source = (ROOT / "dev.py").read_text(encoding="utf-8")
    assert not {name for name in mentioned if f'"{name}"' not in source}


def test_gateway_commands_exist() -> None:
    mentioned = commands(r"cos-gateway ([a-z][\w-]*)")
    assert mentioned
    shown = subprocess.run(
        [*COS_GATEWAY, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout
    assert not {name for name in mentioned if not re.search(rf"\b{name}\b", shown)}


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_between_documents_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", text):
        assert (ROOT / link).exists(), f"{name} links to {link}"
