"""Every case of the attack corpus, as raw bytes, against the running gateway and a recording upstream."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from tests.security.attack_client import attack
from tests.security.attack_recipe import build, variables
from tests.security.attack_verdict import Judge
from tests.security.fixture_gateway import CORPUS, FIXTURE, Site

CASES = json.loads((CORPUS / "attack-corpus.json").read_text(encoding="utf-8"))["cases"]


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
async def test_every_case_of_the_corpus_ends_as_it_must(case: Mapping[str, Any], corpus_site: Site) -> None:
    names = variables(FIXTURE, case["id"])
    recipe = build(case["request"], names, FIXTURE["keys"])
    seen = await attack(corpus_site.port, corpus_site.upstream, recipe)
    complaints = Judge(names, FIXTURE).complaints(case["expect"], recipe, seen)
    assert not complaints, f"{case['title']}: {complaints}\n{seen.raw[:600]!r}"


def test_nothing_secret_was_written_down(corpus_site: Site) -> None:
    """Runs last: the logs of every case before it."""
    written = corpus_site.written()
    assert written.count(b"\n") > len(CASES)
    for key in (*FIXTURE["keys"].values(), FIXTURE["upstream"]):
        assert key["sk"].encode() not in written
    assert not re.search(rb"q-signature(=|\\u003d)[0-9a-f]{40}", written)
    assert b"\x1b" not in written
    for line in written.splitlines():
        json.loads(line)
