"""Microseconds per decision, and memory, with 10, 1,000 and 100,000 statements: the gateway, cel-python, cedarpy.

    python3 -m benchmarks.policies.run

Every engine and size runs in a process of its own. cel-python and cedarpy are installed into a temporary
environment; `--peers PYTHON` uses an environment that has them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

from benchmarks import report

ROOT = Path(__file__).parents[2]
SIZES = (10, 1_000, 100_000)
PEERS = ("cel-python", "cedarpy")
TIMEOUT_SECONDS = 1800
NOTES = """\
CPU time, the lowest of several repeats. The gateway, allowed: {flat:.2f} times as long with 100,000 statements as with
1,000. Its decisions hold the trace and its denials every reason; the others give a verdict. Denied: the caller asks one
byte too many.

cel-python tries the caller's own programs, found by a dictionary; cedarpy gets the whole set."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--peers", type=Path, help="Python of an environment with cel-python and cedarpy.")
    parser.add_argument("--without-peers", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cosgw-benchmark-") as folder:
        peers = None if chosen.without_peers else chosen.peers or _environment(Path(folder))
        found = _measure(peers)
    rows = [_row(engine, size, result) for engine, size, result in found]
    header = ("engine", "statements", "µs, allowed", "µs, denied", "MiB", "load s")
    flat = _microseconds(found, 100_000) / _microseconds(found, 1_000)
    report.write(
        "policies",
        "What a policy decision costs",
        {"results": [{"engine": engine, "statements": size, **result} for engine, size, result in found]},
        [report.table(header, rows)],
        [NOTES.format(flat=flat)],
    )


def _environment(folder: Path) -> Path:
    venv.create(folder / "peers", with_pip=True)
    python = folder / "peers" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", *PEERS], check=True)
    return python


def _measure(peers: Path | None) -> list[tuple[str, int, dict[str, Any]]]:
    found = []
    for size in SIZES:
        found.append(("gateway", size, _run(Path(sys.executable), "gateway_engine", "--statements", str(size))))
        if peers is not None:
            for engine, name in (("cel", "cel-python"), ("cedar", "cedarpy")):
                result = _run(peers, "peer_engines", "--engine", engine, "--statements", str(size))
                found.append((name, size, result))
    return found


def _run(python: Path, module: str, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [python, "-m", f"benchmarks.policies.{module}", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        check=True,
        timeout=TIMEOUT_SECONDS,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _row(engine: str, size: int, result: dict[str, Any]) -> tuple[object, ...]:
    if "skipped" in result:
        return (engine, size, result["skipped"], "-", "-", "-")
    timings = result["microseconds"]
    mebibytes = result["resident_bytes"] / 1024**2
    return (engine, size, timings["allow"], timings["deny"], round(mebibytes, 1), result["load_seconds"])


def _microseconds(found: list[tuple[str, int, dict[str, Any]]], size: int) -> float:
    return next(
        float(result["microseconds"]["allow"]) for engine, found_size, result in found
        if engine == "gateway" and found_size == size
    )  # fmt: skip


if __name__ == "__main__":
    main()
