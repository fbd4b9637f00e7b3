"""The files of the audit log: one for each worker, so that no process can cut off or wait for what another writes.

The first has the name of the setting, `audit.jsonl`; the others have their number in it, `audit.2.jsonl`. A request
is judged by one worker, so all its events stand in one file.
"""

from __future__ import annotations

import re
from pathlib import Path


def worker_file(path: Path, number: int) -> Path:
    """The file of a worker, counted from 1."""
    return path if number == 1 else path.with_name(f"{path.stem}.{number}{path.suffix}")


def audit_files(path: Path) -> list[Path]:
    """The files there are, of workers there were once as well; `path` first, whether it exists or not."""
    numbered = re.compile(rf"{re.escape(path.stem)}\.([1-9][0-9]*){re.escape(path.suffix)}", re.ASCII)
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        names = []
    numbers = [int(found[1]) for name in names if (found := numbered.fullmatch(name)) is not None]
    return [path, *(worker_file(path, number) for number in sorted(numbers) if number > 1)]
