"""Results on disk: one JSON file and one Markdown table per benchmark, with the machine they come from."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    """What the numbers depend on. `load_average` above the number of cores means somebody else was busy."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if "model name" in line), platform.machine())
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": commit.stdout.strip() or None,
        "cpu": f"{os.cpu_count()} cores, {model}",
        "kernel": platform.release(),
        "python": f"{platform.python_version()} {_linkage()}",
        "load_average": round(os.getloadavg()[0], 2),
    }


def _linkage() -> str:
    """Distributions build one optimised program, version managers often a shared library as the compiler makes it."""
    return "(shared library)" if "libpython" in Path("/proc/self/maps").read_text() else "(one program)"


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; the first column is text, the others numbers."""
    lines = [f"| {' | '.join(header)} |", f"|{'|'.join(['---'] + ['---:'] * (len(header) - 1))}|"]
    lines += [f"| {' | '.join(_shown(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines)


def write(name: str, title: str, measured: dict[str, Any], tables: Sequence[str], notes: Sequence[str] = ()) -> None:
    """Write `results/<name>.json` and `.md`, and print the latter."""
    described = machine()
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps({"machine": described, **measured}, indent=1) + "\n")
    facts = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in described.items())
    text = "\n\n".join([f"# {title}", facts, *tables, *notes]) + "\n"
    (RESULTS / f"{name}.md").write_text(text)
    print(text)


def _shown(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.2f}"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)
