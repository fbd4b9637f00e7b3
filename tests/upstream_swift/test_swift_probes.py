"""What Swift answers, the gateway in front of it answers too; and both as S3 does, but for the deviations by name."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import pytest

from tests.support.names import EXAMPLE
from tests.support.site import Site, fresh_key
from tests.upstream_swift import bucket_probes, copy_probes, object_probes  # noqa: F401  # they fill PROBES
from tests.upstream_swift.deviations import ANSWERS, BEGIN, END, FUTURE, ONE_REGION, PAGE, render_table
from tests.upstream_swift.probe import PROBES, Probe
from tests.upstream_swift.swift_server import SwiftSite

DEVIATIONS = {deviation.name: deviation for deviation in ANSWERS}
AS_PROMISED = [probe for probe in PROBES if probe.name not in DEVIATIONS]


def expected(probe: Probe) -> str:
    return DEVIATIONS[probe.name].swift if probe.name in DEVIATIONS else probe.s3


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
async def test_the_gateway_in_front_of_swift(gateway_site: Site, probe: Probe) -> None:
    assert await probe.ask(gateway_site) == expected(probe)


@pytest.mark.parametrize("name", DEVIATIONS)
async def test_swift_itself_deviates(swift: Site, name: str) -> None:
    (probe,) = (probe for probe in PROBES if probe.name == name)
    assert await probe.ask(swift) == DEVIATIONS[name].swift
    assert probe.s3 == DEVIATIONS[name].s3
    assert probe.s3 != DEVIATIONS[name].swift


@pytest.mark.slow
@pytest.mark.parametrize("probe", AS_PROMISED, ids=lambda probe: probe.name)
async def test_swift_itself_does_as_s3(swift: Site, probe: Probe) -> None:
    assert await probe.ask(swift) == probe.s3


async def test_swift_itself_dates_ahead(swift: Site) -> None:
    # A server that tells the truth is never ahead; this one is, but in the first instant of a second.
    assert FUTURE.swift == "made up to one second from now"
    ahead = []
    for _ in range(5):
        key = await swift.seed(EXAMPLE, b"x", key=fresh_key("dated"))
        after = time.time()
        made = (await swift.get(EXAMPLE, "", {"prefix": key})).text("Contents/LastModified")
        ahead.append(made >= time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(math.floor(after) + 1)))
    assert any(ahead)


async def test_swift_itself_knows_one_region(swift: SwiftSite, gateway_site: SwiftSite) -> None:
    assert ONE_REGION.swift.startswith("400 AuthorizationHeaderMalformed")
    elsewhere = replace(swift, client=replace(swift.client, region="ap-singapore"))
    answer = await elsewhere.get(EXAMPLE, "")
    assert (answer.status, answer.text("Code")) == (400, "AuthorizationHeaderMalformed")
    # Callers of the gateway may sign for any.
    elsewhere = replace(gateway_site, client=replace(gateway_site.client, region="ap-singapore"))
    assert (await elsewhere.get(EXAMPLE, "")).status == 200


def test_every_probe_has_a_name_of_its_own() -> None:
    assert len({probe.name for probe in PROBES}) == len(PROBES)


def test_the_page_lists_the_deviations_there_are() -> None:
    assert PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0] == render_table()
