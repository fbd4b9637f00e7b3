"""Write the README's table of clients from a run of `test_every_client.py`: `python3 dev.py clients-table`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

from tests.clients.abilities import ABILITIES, PROGRAMS
from tests.support.client_process import ROOT

README = ROOT / "README.md"
BEGIN, END = "<!-- clients: begin -->\n", "<!-- clients: end -->"
SUITE = "tests/clients/test_every_client.py"
MARKS = {"passed": "✓", "failed": "✗", "lacks": "–"}


def main() -> int:
    """The exit code of the run; the table is written whatever it is."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.xml"
        # Only the older of the two formats has properties.
        run = subprocess.run(
            [
                sys.executable, "-m", "pytest", "-q", "-n", "0", SUITE, f"--junitxml={results}",
                "-o", "junit_family=xunit1",
            ],
            cwd=ROOT,
            check=False,
        )  # fmt: skip
        outcomes, versions = read_results(results.read_text(encoding="utf-8"))
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    README.write_text(
        f"{before}{BEGIN}{render_table(outcomes, versions)}{END}{rest.partition(END)[2]}", encoding="utf-8"
    )
    return run.returncode


def read_results(xml: str) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """Outcome by client and ability, and version by client."""
    outcomes: dict[str, dict[str, str]] = defaultdict(dict)
    versions: dict[str, str] = {}
    for case in ElementTree.fromstring(xml).iter("testcase"):
        properties = {item.attrib["name"]: item.attrib["value"] for item in case.iter("property")}
        if "client" not in properties:
            continue
        client = properties["client"]
        versions[client] = properties["version"]
        if case.find("skipped") is not None:
            outcome = "lacks"
        else:
            outcome = "failed" if case.find("failure") is not None or case.find("error") is not None else "passed"
        outcomes[client][properties["ability"]] = outcome
    return outcomes, versions


def render_table(outcomes: dict[str, dict[str, str]], versions: dict[str, str]) -> str:
    """Markdown: one line for each client that was run, and what the dashes mean."""
    lines = [
        f"| client | version | {' | '.join(ABILITIES.values())} |",
        f"|---|---|{'---|' * len(ABILITIES)}",
    ]
    reasons: dict[str, list[str]] = defaultdict(list)
    for program in PROGRAMS:
        found = outcomes.get(program.name)
        if found is None:
            continue
        marks = [MARKS[found[ability]] if ability in found else " " for ability in ABILITIES]
        lines.append(f"| {program.name} | {versions[program.name]} | {' | '.join(marks)} |")
        for ability, reason in program.lacks.items():
            reasons[f"{ABILITIES[ability]}: {reason}"].append(program.name)
    notes = [f"{reason} ({', '.join(names)})" for reason, names in reasons.items()]
    return "\n".join(lines) + f"\n\nDashes: {'; '.join(notes)}.\n"


if __name__ == "__main__":
    sys.exit(main())
