"""What the audit events of one request say of it: as much as is known, once and in the same words."""

from __future__ import annotations

from typing import Any

from tests.support.fakes import Bench

ASKED = {"request_id", "client", "signature", "principal", "access_key_id", "action", "resource"}
COPIED = {"source", "conditions", "part_number", "upload_id", "range"}
JUDGED = {"decision_id", "policy", "asked"}
ENDED = {
    "result", "status", "code", "upstream_status", "upstream_request_id", "bytes_in", "bytes_out", "seconds",
}  # fmt: skip


async def test_a_copy_is_described_whole() -> None:
    bench = Bench()
    await bench.copy_part(headers={"x-cos-copy-source-if-match": '"e"', "x-cos-copy-source-range": "bytes=0-9"})
    [intent] = bench.audit.of_type("intent")
    assert intent.keys() == {"type"} | ASKED | COPIED | JUDGED
    assert intent["resource"].keys() == {"bucket", "key", "region", "access"}
    assert intent["source"].keys() == {"bucket", "key", "version_id", "region", "access"}
    assert intent["source"]["version_id"] is None
    assert intent["policy"].keys() == {"verdict", "version", "document", "statement"}
    assert (intent["conditions"], intent["range"]) == (["if-match"], "bytes=0-9")
    assert (intent["signature"], intent["policy"]["verdict"]) == ("q-sign", "allow")


async def test_the_outcome_says_what_the_intent_said() -> None:
    bench = Bench()
    await bench.copy_part()
    intent, outcome = bench.audit.events
    assert {name: value for name, value in outcome.items() if name not in ENDED | {"type"}} == {
        name: value for name, value in intent.items() if name != "type"
    }
    assert outcome.keys() - intent.keys() == ENDED


async def test_a_range_that_was_not_given_is_said_to_be_none() -> None:
    bench = Bench()
    await bench.copy_part(headers={"x-cos-copy-source-range": ""})
    [outcome] = bench.audit.of_type("outcome")
    assert (outcome["range"], outcome["conditions"]) == (None, [])


async def test_what_copies_nothing_has_no_source_and_no_access_of_two_ends() -> None:
    bench = Bench()
    await bench.ask("GET", "/up/a", query={"versionId": "v1"})
    [intent] = bench.audit.of_type("intent")
    assert intent.keys() == {"type"} | ASKED | JUDGED | {"version_id"}
    assert (intent["resource"]["access"], intent["version_id"]) == (None, "v1")


async def _refused(bench: Bench, **request: Any) -> dict[str, Any]:
    await bench.ask(**request)
    [outcome] = bench.audit.events
    assert outcome["type"] == "outcome"
    return {name: value for name, value in outcome.items() if name not in ENDED | {"type"}}


async def test_of_what_could_not_be_read_only_the_caller_is_known() -> None:
    described = await _refused(Bench(), raw_target=b"/a%zz")
    assert described.keys() == {"request_id", "client"}


async def test_of_an_unproved_request_no_principal_is_said() -> None:
    described = await _refused(Bench(), method="GET", secret_key="guessed")
    assert described.keys() == {"request_id", "client", "signature", "action", "resource"}
    assert described["resource"]["region"] is None, "the registry was not asked"


async def test_a_measurement_says_what_was_asked_before_it_is_judged() -> None:
    bench = Bench()
    await bench.copy_part("measured/x", headers={"x-cos-copy-source-range": ""})
    assert bench.audit.events[0].keys() == {"type"} | ASKED | COPIED
