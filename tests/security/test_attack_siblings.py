"""The siblings of the attack corpus, against the running gateway and a recording upstream."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.security import attack_siblings as inside
from tests.security import attack_siblings_edge as edge
from tests.security.attack_client import attack
from tests.security.attack_recipe import build, variables
from tests.security.attack_siblings import Case
from tests.security.attack_verdict import Judge
from tests.security.fixture_gateway import FIXTURE, Site

FAMILIES = {
    family.__name__: list(family())
    for family in (
        inside.coverage, inside.claims, inside.sources, inside.ranges,
        edge.addresses, edge.operations, edge.framing, edge.documents, edge.leaks,
    )
}  # fmt: skip
AT_ONCE = 40
"""Cases per test: thousands of test items would cost more than the requests."""


def portions() -> list[tuple[str, list[Case]]]:
    return [
        (f"{name}-{start // AT_ONCE}", cases[start : start + AT_ONCE])
        for name, cases in FAMILIES.items()
        for start in range(0, len(cases), AT_ONCE)
    ]


@pytest.mark.parametrize(("name", "cases"), portions(), ids=[name for name, _ in portions()])
async def test_every_sibling_ends_as_it_must(name: str, cases: list[Case], corpus_site: Site) -> None:
    found = []
    upstream = corpus_site.upstream
    for number, case in enumerate(cases):
        names = variables(FIXTURE, f"sib-{name}-{number}")
        recipe = build(case["request"], names, FIXTURE["keys"])
        # What is sent late is seen by the next case, or after the last one.
        seen = await attack(corpus_site.port, upstream, recipe, settle_seconds=0.003)
        complaints = Judge(names, FIXTURE).complaints(case["expect"], recipe, seen)
        found += [f"{case['id']!r}: {complaint} ({seen.status} {seen.code})" for complaint in complaints]
    count = len(upstream.requests)
    await asyncio.sleep(0.1)
    assert len(upstream.requests) == count
    assert not found, "\n".join(found)


async def test_nothing_secret_was_written_down(corpus_site: Site) -> None:
    """Runs last: the logs of every case before it."""
    await asyncio.sleep(0.1)
    written = corpus_site.written()
    for key in (*FIXTURE["keys"].values(), FIXTURE["upstream"]):
        assert key["sk"].encode() not in written
    assert b"\x1b" not in written
    assert all(isinstance(json.loads(line), dict) for line in written.split(b"\n") if line)
