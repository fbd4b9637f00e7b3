"""Running a command-line client once."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.support.client_process import clean_environment

SECONDS = 60


def run(arguments: list[str], *, environment: Mapping[str, str] | None = None, stdin: str | None = None) -> str:
    """Standard output. Raises RuntimeError with everything it printed when the command fails."""
    with Path(stdin or "/dev/null").open("rb") as source:
        done = subprocess.run(
            arguments,
            env=clean_environment(**(environment or {})),
            stdin=source,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    if done.returncode != 0:
        printed = (done.stdout + done.stderr).decode(errors="replace")
        raise RuntimeError(f"{arguments[0]} ended with {done.returncode}: {printed}")
    return done.stdout.decode()
