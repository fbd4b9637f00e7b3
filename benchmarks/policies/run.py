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
from benchmarks.policies.gateway_engine import ROUNDS

ROOT = Path(__file__).parents[2]
SIZES = (10, 1_000, 100_000)
PEERS = ("cel-python", "cedarpy")
TIMEOUT_SECONDS = 1800
NOTES = """\
CPU time, medians of rounds; *spread* is (highest − lowest) / median of the gateway's {rounds} rounds, which are
interleaved over its three sets in one process. With 100,000 statements an allowed decision takes {allow:.2f} times as
long as with 1,000, a denied one {deny:.2f} times. Each of these asks about an object of its own, as the first part of a
copy does. *The same again*, as its other parts do, is remembered: {again:.2f} times. The gateway's decisions hold the
trace and its denials every reason; the others give a verdict. Denied: the caller asks one byte too many.

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
    header = (
        "engine",
        "statements",
        "µs, allowed",
        "spread",
        "µs, denied",
        "spread",
        "µs, the same again",
        "MiB",
        "load s",
    )
    grown = {
        way: _microseconds(found, 100_000, way) / _microseconds(found, 1_000, way) for way in ("allow", "deny", "again")
    }
    report.write(
        "policies",
        "What a policy decision costs",
        {"results": [{"engine": engine, "statements": size, **result} for engine, size, result in found]},
        [report.table(header, rows)],
        [NOTES.format(rounds=ROUNDS, **grown)],
    )


def _environment(folder: Path) -> Path:
    venv.create(folder / "peers", with_pip=True)
    python = folder / "peers" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", *PEERS], check=True)
    return python


def _measure(peers: Path | None) -> list[tuple[str, int, dict[str, Any]]]:
    own = _run(Path(sys.executable), "gateway_engine", "--statements", *map(str, SIZES))
    found = []
    for size in SIZES:
        found.append(("gateway", size, own[str(size)]))
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
        return (engine, size, result["skipped"], *["-"] * 6)
    timings, spread = result["microseconds"], result.get("spread")
    mebibytes = result["resident_bytes"] / 1024**2
    return (
        engine,
        size,
        timings["allow"],
        f"{spread['allow']:.0%}" if spread else "-",
        timings["deny"],
        f"{spread['deny']:.0%}" if spread else "-",
        timings.get("again", "-"),
        round(mebibytes, 1),
        result["load_seconds"],
    )


def _microseconds(found: list[tuple[str, int, dict[str, Any]]], size: int, way: str) -> float:
    return next(
        float(result["microseconds"][way]) for engine, found_size, result in found
        if engine == "gateway" and found_size == size
    )  # fmt: skip


if __name__ == "__main__":
    main()
