"""A provider's keys: cached, fetched anew for a new key, one fetch at a time, and only what fits its use."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.ports import UpstreamUnreachable
from gateway.sessions.jwks import (
    COOLDOWN_SECONDS,
    MAX_KEYS,
    MAX_SET_BYTES,
    REFRESH_SECONDS,
    STALE_SECONDS,
    ProviderUnavailable,
    SigningKeys,
    parse_key_set,
)
from gateway.sessions.jwt import Algorithm, RefusedToken
from gateway.sessions.providers import fetch_key_set
from gateway.upstreams.http import HttpUpstream
from gateway.upstreams.settings import UpstreamSettings
from tests.support.fakes import RecordingUpstream, ScriptedResponse
from tests.support.identity_provider import IdentityProvider, as_jwk, b64, identity_provider, new_key

ES256, ED = Algorithm.ES256, Algorithm.EDDSA
KEY = new_key("ES256")


def key_set(*items: Any) -> bytes:
    return json.dumps({"keys": list(items)}).encode()


class Place:
    """Where keys are fetched from, and a clock."""

    def __init__(self, *kids: str) -> None:
        self.now = 0.0
        self.fetched = 0
        self.failing = False
        self.publish(*kids)
        self.keys = SigningKeys(self.fetch, list(Algorithm), clock=lambda: self.now)

    def publish(self, *kids: str) -> None:
        self.text = key_set(*(as_jwk(KEY, kid=kid) for kid in kids))

    async def fetch(self) -> bytes:
        self.fetched += 1
        await asyncio.sleep(0.01)
        if self.failing:
            raise UpstreamUnreachable("nobody there", sent=False)
        return self.text


async def test_keys_are_fetched_once_and_kept() -> None:
    place = Place("a")
    for _ in range(5):
        await place.keys.find("a", ES256)
    assert place.fetched == 1


async def test_many_at_once_wait_for_one_fetch() -> None:
    place = Place("a")
    await asyncio.gather(*(place.keys.find("a", ES256) for _ in range(50)))
    assert place.fetched == 1


async def test_who_gives_up_does_not_take_the_fetch_from_the_others() -> None:
    place = Place("a")
    first = asyncio.create_task(place.keys.find("a", ES256))
    second = asyncio.create_task(place.keys.find("a", ES256))
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert place.fetched == 1


async def test_a_new_key_is_fetched_when_it_is_first_met() -> None:
    place = Place("a")
    await place.keys.find("a", ES256)
    place.publish("a", "b")
    place.now += COOLDOWN_SECONDS
    await place.keys.find("b", ES256)
    assert place.fetched == 2


async def test_made_up_key_ids_do_not_storm_the_provider() -> None:
    place = Place("a")
    await place.keys.find("a", ES256)
    place.now += COOLDOWN_SECONDS
    for number in range(50):
        with pytest.raises(RefusedToken):
            await place.keys.find(f"made-up-{number}", ES256)
    assert place.fetched == 2


async def test_a_withdrawn_key_is_not_used_after_the_next_fetch() -> None:
    place = Place("a", "b")
    await place.keys.find("b", ES256)
    place.publish("a")
    place.now += REFRESH_SECONDS + 1
    with pytest.raises(RefusedToken):
        await place.keys.find("b", ES256)


@pytest.mark.parametrize(
    ("age", "good"), [(REFRESH_SECONDS + 1, True), (STALE_SECONDS, True), (STALE_SECONDS + 1, False)]
)
async def test_keys_that_cannot_be_fetched_again_are_used_for_a_while(age: float, good: bool) -> None:
    place = Place("a")
    await place.keys.find("a", ES256)
    place.failing = True
    place.now += age
    if good:
        await place.keys.find("a", ES256)
    else:
        with pytest.raises(ProviderUnavailable):
            await place.keys.find("a", ES256)
    assert place.fetched == 2


@pytest.mark.parametrize(
    "text", [b"", b"null", b"{}", b'{"keys": {}}', b"\xff", b"[" * 9999, key_set(*[{}] * (MAX_KEYS + 1))]
)
async def test_a_set_that_cannot_be_read_leaves_the_last_one(text: bytes) -> None:
    place = Place("a")
    await place.keys.find("a", ES256)
    place.text = text
    place.now += REFRESH_SECONDS + 1
    await place.keys.find("a", ES256)
    assert place.fetched == 2


async def test_without_any_keys_nobody_can_be_told() -> None:
    place = Place("a")
    place.failing = True
    with pytest.raises(ProviderUnavailable):
        await place.keys.find("a", ES256)


async def test_an_algorithm_that_is_not_configured_is_refused_before_any_fetch() -> None:
    place = Place("a")
    place.keys = SigningKeys(place.fetch, [ED], clock=lambda: place.now)
    with pytest.raises(RefusedToken):
        await place.keys.find("a", ES256)
    assert place.fetched == 0


@pytest.mark.parametrize(("kids", "found"), [(("a",), True), (("a", "b"), False)], ids=["the only one", "two"])
async def test_without_a_key_id_there_must_be_one_key(kids: tuple[str, ...], found: bool) -> None:
    place = Place(*kids)
    if found:
        await place.keys.find(None, ES256)
    else:
        with pytest.raises(RefusedToken):
            await place.keys.find(None, ES256)


def jwk(**changes: Any) -> dict[str, Any]:
    item = {**as_jwk(KEY, kid="k"), **changes}
    return {name: value for name, value in item.items() if value is not None}


WEAK = rsa.generate_private_key(65537, 1024)


@pytest.mark.parametrize(
    "item",
    [
        pytest.param(jwk(use="enc"), id="for encryption"),
        pytest.param(jwk(key_ops=["sign"]), id="for signing only"),
        pytest.param(jwk(key_ops="verify"), id="uses that are no list"),
        pytest.param(jwk(alg="ES384"), id="for another algorithm"),
        pytest.param(jwk(alg="HS256"), id="for an HMAC"),
        pytest.param(jwk(kid=7), id="an id that is no text"),
        pytest.param(jwk(kty="RSA"), id="another kind than its numbers"),
        pytest.param(jwk(kty=None), id="no kind"),
        pytest.param(jwk(crv="P-384"), id="another curve"),
        pytest.param(jwk(x=None), id="half a point"),
        pytest.param(jwk(x=b64(b"\1" * 32)), id="a point beside the curve"),
        pytest.param(jwk(x=7), id="a number that is none"),
        pytest.param(jwk(x="=" * 4), id="no base64"),
        pytest.param({"kty": "oct", "k": "c2VjcmV0", "kid": "k"}, id="a shared secret"),
        pytest.param(as_jwk(WEAK, kid="k"), id="RSA of 1024 bits"),
        pytest.param({"kty": "RSA", "n": b64(b"\xff" * 1025), "e": "AQAB", "kid": "k"}, id="RSA without end"),
        pytest.param({"kty": "RSA", "n": b64(b"\xff" * 256), "e": b64(b"\1" * 9), "kid": "k"}, id="a huge exponent"),
        pytest.param({"kty": "OKP", "crv": "Ed25519", "x": b64(b"\1" * 31), "kid": "k"}, id="Ed25519, a byte short"),
        pytest.param({"kty": "OKP", "crv": "X25519", "x": b64(b"\1" * 32), "kid": "k"}, id="a key to agree on keys"),
        pytest.param("k", id="no object"),
    ],
)
def test_a_key_that_does_not_fit_is_left_out(item: Any) -> None:
    good = as_jwk(KEY, kid="good")
    assert set(parse_key_set(key_set(item, good))) == {("good", ES256)}


def test_an_id_that_two_keys_have_names_neither() -> None:
    other = new_key("ES256")
    assert parse_key_set(key_set(as_jwk(KEY, kid="k"), as_jwk(other, kid="k"))) == {}
    assert len(parse_key_set(key_set(as_jwk(KEY, kid="k"), as_jwk(new_key("EdDSA"), kid="k", alg="Ed25519")))) == 2


def test_a_set_of_the_greatest_size_is_read() -> None:
    text = key_set(as_jwk(KEY, kid="k"))
    assert parse_key_set(text + b" " * (MAX_SET_BYTES - len(text)))
    with pytest.raises(ValueError, match="at most"):
        parse_key_set(text + b" " * (MAX_SET_BYTES + 1 - len(text)))


async def test_a_set_is_fetched_over_http() -> None:
    with identity_provider() as provider:
        assert await fetched(provider) == provider.key_set
        provider.status = 404
        with pytest.raises(ProviderUnavailable, match="404"):
            await fetched(provider)


async def fetched(provider: IdentityProvider) -> bytes:
    upstream = HttpUpstream(UpstreamSettings(endpoint=f"http://127.0.0.1:{provider.port}"))
    try:
        return await fetch_key_set(upstream, provider.jwks_url)
    finally:
        await upstream.aclose()


@pytest.mark.parametrize(
    "answer",
    [
        ScriptedResponse(status=302, headers=[(b"location", b"https://elsewhere.example.com/keys")]),
        ScriptedResponse(status=500),
        ScriptedResponse(pieces=[b"x" * 65536] * 5),
    ],
    ids=["a redirect", "a failure", "a set without end"],
)
async def test_an_answer_that_is_no_key_set(answer: ScriptedResponse) -> None:
    with pytest.raises(ProviderUnavailable):
        await fetch_key_set(RecordingUpstream(answer), "https://idp.example.com/keys")
    assert answer.closed
