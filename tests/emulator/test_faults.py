"""Faults: each happens when asked for, at the request asked for, and not otherwise (the control run)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from emulator.faults import (
    Delay,
    ErrorInside200,
    ExtraBytes,
    FaultRule,
    Faults,
    Refuse,
    Reset,
    Truncate,
)
from tests.emulator.emulators import own_site
from tests.support.expect import assert_error, assert_success
from tests.support.http1 import MalformedAnswer
from tests.support.names import EXAMPLE, SOURCE
from tests.support.site import Site, fresh_key
from tests.support.waiting import turns

BODY = b"0123456789" * 1000


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with own_site(faults=Faults()) as opened:
        await opened.seed(SOURCE, BODY, key="object")
        yield opened


def arm(site: Site, *rules: FaultRule) -> None:
    site.emulator.emulator.faults.add(*rules)


async def get_whole(site: Site) -> None:
    """The control run: without a fault the very same request succeeds."""
    answer = await site.get(SOURCE, "object")
    assert_success(answer)
    assert answer.body == BODY


async def test_a_delay_is_kept_before_the_answer(site: Site) -> None:
    await get_whole(site)
    arm(site, FaultRule(Delay(0.3), operation="GetObject", times=1))
    started = time.monotonic()
    await get_whole(site)
    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize(
    ("code", "status"), [("InternalError", 500), ("SlowDown", 503), ("ServiceUnavailable", 503), ("AccessDenied", 403)]
)
async def test_a_refusal_is_an_error_as_cos_sends_it(site: Site, code: str, status: int) -> None:
    await get_whole(site)
    arm(site, FaultRule(Refuse(code), times=1))
    assert_error(await site.get(SOURCE, "object"), status, code)
    await get_whole(site)


async def test_a_refused_write_changes_nothing(site: Site) -> None:
    arm(site, FaultRule(Refuse("InternalError"), operation="PutObject", times=1))
    assert_error(await site.put(SOURCE, "object", b"new"), 500, "InternalError")
    await get_whole(site)


async def test_an_error_inside_200_hides_in_the_body(site: Site) -> None:
    upload = await site.initiate(EXAMPLE)
    assert (await site.copy_part(upload, SOURCE.source("object"))).xml().tag == "CopyPartResult"
    arm(site, FaultRule(ErrorInside200("InternalError", "half way"), operation="UploadPartCopy", times=1))
    answer = await site.copy_part(upload, SOURCE.source("object"), number=2)
    assert (answer.status, answer.xml().tag) == (200, "Error")
    assert (answer.text("Code"), answer.text("Message")) == ("InternalError", "half way")
    listed = (await site.list_parts(upload)).xml().findall("Part/PartNumber")
    assert [number.text for number in listed] == ["1"]


async def test_a_reset_before_the_head_leaves_no_answer_but_the_work_done(site: Site) -> None:
    key = fresh_key()
    assert (await site.put(SOURCE, key, b"one")).status == 200
    arm(site, FaultRule(Reset(), operation="PutObject", times=1))
    with pytest.raises((ConnectionResetError, MalformedAnswer), match=r"reset|closed after b''"):
        await site.put(SOURCE, key, b"two")
    assert (await site.get(SOURCE, key)).body == b"two"


async def test_a_reset_in_mid_body_cuts_the_answer(site: Site) -> None:
    await get_whole(site)
    arm(site, FaultRule(Reset(after_bytes=100), operation="GetObject", times=1))
    with pytest.raises((ConnectionResetError, MalformedAnswer)):
        await site.get(SOURCE, "object")
    await get_whole(site)


async def test_a_truncation_ends_the_connection_short_of_the_declared_length(site: Site) -> None:
    await get_whole(site)
    arm(site, FaultRule(Truncate(after_bytes=100), operation="GetObject", times=1))
    with pytest.raises(MalformedAnswer, match="the body ended after 100 bytes"):
        await site.get(SOURCE, "object")
    await get_whole(site)


async def test_extra_bytes_follow_a_complete_answer(site: Site) -> None:
    extra = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison"
    assert not (await bytes_after_answer(site)).endswith(b"poison")
    arm(site, FaultRule(ExtraBytes(extra), operation="GetObject", times=1))
    received = await bytes_after_answer(site)
    assert received == BODY + extra


async def bytes_after_answer(site: Site) -> bytes:
    """What a kept-alive connection brings after the head of one answer, the emulator having nothing more to do."""
    raw = site.client.render("GET", SOURCE.host, "/object").replace(b"connection: close", b"connection: keep-alive")
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(raw)
    await reader.readuntil(b"\r\n\r\n")
    received = bytearray(await reader.readexactly(len(BODY)))
    # It has been sent by now, as answers of this loop are.
    await turns(200)
    writer.write_eof()
    received += await reader.read()
    writer.close()
    return bytes(received)


async def test_faults_may_be_in_the_settings() -> None:
    async with own_site(settings_faults=(FaultRule(Refuse("SlowDown"), times=1),)) as site:
        assert_error(await site.put(SOURCE, "k", b"x"), 503, "SlowDown")
        assert_success(await site.put(SOURCE, "k", b"x"))


@pytest.mark.parametrize("action", [Reset(), Reset(after_bytes=100), Truncate(after_bytes=100)], ids=repr)
async def test_a_broken_connection_is_no_error_of_the_server(
    site: Site, action: Reset | Truncate, caplog: pytest.LogCaptureFixture
) -> None:
    arm(site, FaultRule(action, operation="GetObject", times=1))
    with pytest.raises((ConnectionResetError, MalformedAnswer)):
        await site.get(SOURCE, "object")
    await get_whole(site)
    assert caplog.records == []


@pytest.mark.parametrize(
    ("rule", "struck"),
    [
        (FaultRule(Delay(0), nth=2), [False, True, False, False]),
        (FaultRule(Delay(0), times=2), [True, True, False, False]),
        (FaultRule(Delay(0)), [True, True, True, True]),
        (FaultRule(Delay(0), operation="PutObject"), [False] * 4),
        (FaultRule(Delay(0), bucket="other-1250000000"), [False] * 4),
        (FaultRule(Delay(0), key_prefix="dir/"), [True] * 4),
        (FaultRule(Delay(0), key_prefix="dirs"), [False] * 4),
    ],
    ids=["the second", "the first two", "every one", "other operation", "other bucket", "prefix", "other prefix"],
)
def test_a_rule_strikes_the_requests_it_says(rule: FaultRule, struck: list[bool]) -> None:
    faults = Faults([rule])
    assert [faults.take("GetObject", "bucket-1250000000", "dir/key") is not None for _ in struck] == struck


def test_the_first_rule_that_takes_a_request_decides() -> None:
    faults = Faults([FaultRule(Delay(1), nth=2), FaultRule(Delay(2))])
    assert [faults.take("GetObject", "b", "k") for _ in range(3)] == [Delay(2), Delay(1), Delay(2)]


@pytest.mark.parametrize(("nth", "times"), [(0, None), (-1, None), (None, 0)])
def test_a_rule_that_can_never_strike_is_refused(nth: int | None, times: int | None) -> None:
    with pytest.raises(ValueError, match="expected nth and times of 1 or more"):
        FaultRule(Delay(1), nth=nth, times=times)


@pytest.mark.parametrize("action", [Refuse, ErrorInside200])
def test_an_unknown_error_code_is_refused(action: type[Refuse] | type[ErrorInside200]) -> None:
    with pytest.raises(ValueError, match="expected a COS error code"):
        action("NoSuchCode")
