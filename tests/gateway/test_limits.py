"""Shares: of the requests in flight, and of the explanations that failed signatures get."""

from __future__ import annotations

import time

import pytest

from cos.errors import COSError
from gateway.authenticate import Authenticator
from gateway.limits import FailedProofs, InFlight
from gateway.ports import UpstreamUnreachable
from tests.support.fakes import Bench


def test_a_place_is_taken_until_it_is_given_back() -> None:
    places = InFlight(max_requests=1, max_per_principal=1)
    for _ in range(2):
        places.admit("a")
        assert (places.count, places.by_principal) == (1, {"a": 1})
        places.leave("a")
        assert (places.count, places.by_principal) == (0, {})


@pytest.mark.parametrize(
    "failure", [UpstreamUnreachable("refused", sent=False), ValueError("a fault of ours")], ids=repr
)
async def test_a_place_is_given_back_whatever_happens(failure: Exception) -> None:
    bench = Bench(failure)
    assert (await bench.copy_part()).status >= 500
    assert (bench.in_flight.count, bench.in_flight.by_principal) == (0, {})


async def test_a_refused_request_holds_no_place() -> None:
    bench = Bench(max_requests=0)
    assert (await bench.copy_part()).status == 503
    assert (bench.in_flight.count, bench.in_flight.by_principal) == (0, {})


def _refused(places: InFlight, principal: str) -> COSError:
    with pytest.raises(COSError) as refused:
        places.admit(principal)
    return refused.value


def test_no_principal_takes_every_place() -> None:
    places = InFlight(max_requests=3, max_per_principal=2)
    places.admit("a")
    places.admit("a")
    assert _refused(places, "a").code == "SlowDown"
    places.admit("b")
    places.leave("a")
    places.admit("a")


def test_all_principals_together_have_so_many_places() -> None:
    places = InFlight(max_requests=2, max_per_principal=2)
    places.admit("a")
    places.admit("b")
    refused = _refused(places, "c")
    assert (refused.code, refused.status) == ("SlowDown", 503)
    assert places.count == 2


@pytest.mark.parametrize(("seconds", "forgiven"), [(0.0, 0), (5.9, 0), (6.0, 1), (36.0, 6), (6000.0, 10)])
def test_failures_leak_away_at_their_rate(seconds: float, forgiven: int) -> None:
    failed = FailedProofs(per_minute=10)
    assert [failed.are_too_many("192.0.2.1", now=1000.0) for _ in range(10)] == [False] * 10
    later = [failed.are_too_many("192.0.2.1", now=1000.0 + seconds) for _ in range(11)]
    assert later.count(False) == forgiven


def test_one_address_does_not_pay_for_another() -> None:
    failed = FailedProofs(per_minute=1)
    assert not failed.are_too_many("192.0.2.1", now=0.0)
    assert failed.are_too_many("192.0.2.1", now=0.0)
    assert not failed.are_too_many("192.0.2.2", now=0.0)


def test_only_so_many_addresses_are_remembered() -> None:
    failed = FailedProofs(per_minute=1, max_addresses=100)
    for number in range(1000):
        failed.are_too_many(f"192.0.2.{number}", now=0.0)
    assert len(failed._by_address) == 100


def test_a_clock_that_steps_back_forgives_nothing_and_breaks_nothing() -> None:
    failed = FailedProofs(per_minute=1)
    failed.are_too_many("192.0.2.1", now=100.0)
    assert failed.are_too_many("192.0.2.1", now=50.0)


async def test_after_too_many_failures_a_wrong_secret_and_an_unknown_key_look_the_same() -> None:
    bench = Bench()
    keys = bench.pipeline._authenticator._keys
    limits = bench.pipeline._authenticator._limits
    bench.pipeline._authenticator = Authenticator(keys, limits=limits, failed=FailedProofs(per_minute=2))
    wrong, unknown = {"secret_key": "wrong"}, {"secret_id": "nobody", "secret_key": "wrong"}
    told = [await bench.ask("GET", **asked) for asked in (wrong, unknown)]
    assert [answer.element("Code") for answer in told] == ["SignatureDoesNotMatch", "InvalidAccessKeyId"]
    silent = [await bench.ask("GET", **asked) for asked in (wrong, unknown)]
    assert [answer.element("Code") for answer in silent] == ["AccessDenied", "AccessDenied"]
    assert len({answer.element("Message") for answer in silent}) == 1
    assert bench.upstream.requests == []


async def test_after_too_many_failures_the_right_secret_is_still_let_in() -> None:
    bench = Bench()
    authenticator = bench.pipeline._authenticator
    authenticator._failed = FailedProofs(per_minute=1)
    for _ in range(3):
        await bench.ask("GET", secret_key="wrong")
    assert (await bench.ask("GET", "/up/film.mov")).status == 200


@pytest.mark.parametrize("secret", ["", "no such key: this secret only costs time", "wrong"])
async def test_nobody_has_a_secret_for_unknown_keys(secret: str) -> None:
    bench = Bench()
    for age in range(3):
        answer = await bench.ask("GET", secret_id="nobody", secret_key=secret, now=int(time.time()) - age)
        assert answer.element("Code") == "InvalidAccessKeyId"
    # Otherwise anyone could fill the memory for sign keys that have proved right.
    assert len(bench.pipeline._authenticator._sign_keys) == 0
