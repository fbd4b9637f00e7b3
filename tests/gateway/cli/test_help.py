"""Every command explains itself."""

from __future__ import annotations

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from gateway.cli.main import app


def commands() -> list[list[str]]:
    """The words of every command and group."""
    found: list[list[str]] = []

    def walk(command: object, words: list[str]) -> None:
        found.append(words)
        for name, inner in getattr(command, "commands", {}).items():
            walk(inner, [*words, name])

    walk(get_command(app), [])
    return found


@pytest.mark.parametrize("words", commands(), ids=lambda words: " ".join(words) or "cos-gateway")
def test_help_is_shown(words: list[str]) -> None:
    result = CliRunner().invoke(app, [*words, "--help"])
    assert result.exit_code == 0, result.output
    assert "Usage:" in result.output


def test_there_are_as_many_commands_as_the_readme_promises() -> None:
    assert {"serve", "demo", "check", "env", "emulator", "keys", "credentials", "policy", "audit", "config"} <= {
        words[0] for words in commands() if words
    }
