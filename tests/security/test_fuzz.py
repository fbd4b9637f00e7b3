"""Short runs of the fuzzers; `docs/security.md` records the long ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.fuzz import differential
from benchmarks.fuzz.run import fuzz
from benchmarks.fuzz.targets import TARGETS, PromiseBroken, Target
from tests.security.fixture_gateway import running_site
from tests.security.stream_fuzz import QUICK, find_smuggled, requests_h11_sees, samples, send_streams
from tests.support.servers import in_background


@pytest.mark.parametrize("name", TARGETS)
def test_a_short_run_finds_nothing_and_is_not_all_noise(name: str) -> None:
    result = fuzz(TARGETS[name], seed=20_260_801, executions=1000 if name == "policy" else 4000)
    assert result.finding is None, result.finding
    assert result.accepted > 0


def test_a_broken_promise_is_found() -> None:
    def feed(data: bytes) -> bool:
        if b"%2e" in data:
            raise PromiseBroken
        return True

    result = fuzz(Target("broken", feed, [b"a"], [b"%2e"]), seed=1, executions=1000)
    assert result.finding is not None
    assert b"%2e" in result.finding.data


@pytest.mark.filterwarnings("ignore")
def test_what_the_sdk_signs_is_accepted_and_refused_once_a_covered_byte_differs() -> None:
    result = differential.run(seed=20_260_801, count=1000)
    assert result["flips_that_changed_nothing"] < 50


async def test_mutated_streams_end_by_themselves_without_a_fault_or_a_smuggled_request(tmp_path: Path) -> None:
    with in_background(running_site(tmp_path, log_level="error", data={"port": 0, **QUICK})) as site:
        outcome = await send_streams(site.port, seed=20_260_801, count=600, at_once=60)
        assert not outcome.findings, outcome.findings[0]
        assert outcome.answers[200] > 50
        assert outcome.answers[400] > 50
        hidden = [request for request in site.upstream.requests if request.target.startswith(b"/up/hidden-")]
    assert len(hidden) < 20


def test_a_hidden_request_is_hidden_and_one_in_the_open_is_seen() -> None:
    good = samples()
    assert find_smuggled(good, 0) == []
    assert find_smuggled(good, 1)
    opened = good[1].replace(b"Content-Length: ", b"Content-Length: 0\r\nX-Was: ", 1)
    assert b"/up/hidden-x" in requests_h11_sees(opened)
    assert find_smuggled([opened], 1) == []
