"""The control listener: faults and the log over HTTP, apart from the data port."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from emulator.control import parse_rule, render_rule
from emulator.faults import Delay, ErrorInside200, ExtraBytes, FaultRule, Refuse, Reset, Truncate
from tests.emulator.emulators import own_site
from tests.support.expect import assert_error
from tests.support.http1 import Response, exchange, render_request
from tests.support.names import SOURCE
from tests.support.site import Site

SLOW = {"action": "refuse", "code": "SlowDown", "operation": "PutObject"}


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with own_site(control=True) as opened:
        yield opened


async def control(site: Site, method: str, path: str, body: object = None) -> Response:
    assert site.emulator.control_port is not None
    raw = b"" if body is None else json.dumps(body).encode()
    headers = [("host", "localhost"), ("content-length", str(len(raw))), ("connection", "close")]
    return await exchange(site.emulator.control_port, render_request(method, path, headers, raw))


async def test_it_says_that_it_is_well(site: Site) -> None:
    answer = await control(site, "GET", "/health")
    assert (answer.status, json.loads(answer.body)) == (200, {"status": "ok"})


async def test_rules_come_into_force_and_go(site: Site) -> None:
    assert (await site.put(SOURCE, "k", b"x")).status == 200
    assert (await control(site, "PUT", "/faults", [SLOW])).status == 200
    assert_error(await site.put(SOURCE, "k", b"x"), 503, "SlowDown")
    (rule,) = json.loads((await control(site, "GET", "/faults")).body)
    assert parse_rule(rule) == FaultRule(Refuse("SlowDown"), operation="PutObject")
    assert (await control(site, "DELETE", "/faults")).status == 200
    assert (await site.put(SOURCE, "k", b"x")).status == 200


async def test_a_posted_rule_joins_the_others(site: Site) -> None:
    await control(site, "PUT", "/faults", [SLOW])
    await control(site, "POST", "/faults", {"action": "delay", "seconds": 0})
    assert len(json.loads((await control(site, "GET", "/faults")).body)) == 2


async def test_the_log_is_read_and_cleared(site: Site) -> None:
    await site.put(SOURCE, "k", b"x")
    (entry,) = json.loads((await control(site, "GET", "/requests")).body)
    assert (entry["operation"], entry["key"], entry["status"]) == ("PutObject", "k", 200)
    await control(site, "DELETE", "/requests")
    assert json.loads((await control(site, "GET", "/requests")).body) == []


@pytest.mark.parametrize(
    "body",
    [
        {"not": "a list"},
        ["delay"],
        [{"action": "explode"}],
        [{"action": "delay"}],
        [{"action": "delay", "seconds": 1, "unknown": 1}],
        [{"action": "refuse", "code": "NoSuchCode"}],
        [{"action": "delay", "seconds": 1, "nth": 0}],
    ],
)
async def test_what_is_no_rule_is_refused_and_changes_nothing(site: Site, body: object) -> None:
    await control(site, "PUT", "/faults", [SLOW])
    answer = await control(site, "PUT", "/faults", body)
    assert answer.status == 400
    assert "expected" in json.loads(answer.body)["error"]
    assert len(json.loads((await control(site, "GET", "/faults")).body)) == 1


async def test_an_unknown_path_is_404(site: Site) -> None:
    assert (await control(site, "GET", "/other")).status == 404


async def test_the_data_port_has_no_control_paths(site: Site) -> None:
    await site.put(SOURCE, "health", b"an object")
    assert (await site.get(SOURCE, "health")).body == b"an object"
    raw = render_request("GET", "/health", [("host", SOURCE.host), ("connection", "close")])
    assert_error(await exchange(site.port, raw), 403, "AccessDenied")


@pytest.mark.parametrize(
    "action",
    [
        Delay(1.5),
        Refuse("SlowDown", "m"),
        ErrorInside200("InternalError"),
        Reset(),
        Reset(5),
        Truncate(7),
        ExtraBytes(b"x"),
    ],
    ids=lambda action: type(action).__name__,
)
def test_a_rule_comes_back_from_json(action: Delay) -> None:
    rule = FaultRule(action, operation="GetObject", bucket="b", key_prefix="k", nth=2, times=3)
    assert parse_rule(json.loads(json.dumps(render_rule(rule)))) == rule
