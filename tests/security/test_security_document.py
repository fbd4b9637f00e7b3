"""What docs/security.md says of files and numbers is so."""

from __future__ import annotations

import re
from pathlib import Path

from gateway.limits import FAILURES_PER_MINUTE
from gateway.server.data_protocol import MAX_PIPELINED
from gateway.server.deadlines import Deadlines
from gateway.settings import DataSettings
from tests.security.faulty_upstream import MODES
from tests.security.test_attack_siblings import FAMILIES

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def test_every_file_it_names_exists() -> None:
    names = set(re.findall(r"`([A-Za-z0-9_./-]+(?:\.py|\.json|\.lock|/))`", TEXT))
    everywhere = {path.name for path in (ROOT / "tests").rglob("*") if "__pycache__" not in path.parts}
    missing = [name for name in names if not (ROOT / name).exists() and name not in everywhere]
    assert not missing


def test_its_numbers_are_those_of_the_code() -> None:
    data = DataSettings()
    for said in (
        f"add {sum(map(len, FAMILIES.values())):,} cases",
        f"{len(MODES)} modes",
        f"{data.max_connections:,}; {data.max_connections_per_address:,}",
        f"{data.max_in_flight:,}; {data.max_in_flight_per_principal:,}",
        f"on one connection | {MAX_PIPELINED} |",
        f"| {FAILURES_PER_MINUTE} a minute |",
        f"so that it arrives | {Deadlines(0, 0, 0).linger_seconds:g} s |",
        f"request head | {data.header_timeout_seconds:g} s |",
        f"does not read | {data.body_idle_timeout_seconds:g} s |",
        f"idle connection | {data.keepalive_seconds:g} s |",
    ):
        assert said in TEXT, said
