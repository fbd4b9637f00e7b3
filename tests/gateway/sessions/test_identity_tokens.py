"""What proves an identity and what does not: claims, signatures, keys and the tricks known of JOSE."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.gateway.sessions.conftest import SessionSite, key_of
from tests.support.expect import assert_success
from tests.support.identity_provider import (
    SUBJECT,
    as_jwk,
    b64,
    claims,
    new_key,
    render_token,
)
from tests.support.names import EXAMPLE

HEADER = {"alg": "ES256", "kid": "ES256", "typ": "JWT"}


class In(float):
    """A claim about a time, in seconds from when the test runs: what is written here is read minutes earlier."""


def at_this_time(changes: dict[str, Any]) -> dict[str, Any]:
    """The claims with their times filled in, whole seconds where they were whole."""
    now = int(time.time())
    return {
        name: now + (int(value) if value.is_integer() else float(value)) if isinstance(value, In) else value
        for name, value in changes.items()
    }


def code_of(answer: Any) -> str:
    assert b"TmpSecret" not in answer.body
    return str(json.loads(answer.body)["Error"]["Code"])


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_an_identity_gets_a_session_that_works(session_site: SessionSite, algorithm: str) -> None:
    key = key_of(await session_site.exchange(session_site.issuer.token(algorithm), DurationSeconds=900))
    holder = session_site.holder(key)
    assert_success(await holder.send("PUT", EXAMPLE.host, f"/ci/{algorithm}", body=b"x"))
    lines = (session_site.folder / "audit.jsonl").read_text().splitlines()
    issued = [event for event in map(json.loads, lines) if event.get("session_id") == key.secret_id]
    assert [(event["parent"], event["subject"]) for event in issued] == [("oidc:ci", SUBJECT)]


async def test_the_first_pattern_that_fits_tells_the_principal(session_site: SessionSite) -> None:
    key = key_of(await session_site.exchange(session_site.issuer.token(sub="repo:example/other:x")))
    answer = await session_site.holder(key).send("PUT", EXAMPLE.host, "/ci/a", body=b"x")
    assert answer.status == 403
    assert "team:nobody" in answer.text("Message")


async def test_an_identitys_session_may_be_narrower(session_site: SessionSite) -> None:
    policy = {
        "statements": [
            {"id": "a", "effect": "allow", "actions": ["cos:PutObject"], "resource": {"bucket": "*", "key": "ci/a/*"}}
        ]
    }
    key = key_of(await session_site.exchange(session_site.issuer.token(), Policy=policy))
    assert_success(await session_site.holder(key).send("PUT", EXAMPLE.host, "/ci/a/1", body=b"x"))
    assert (await session_site.holder(key).send("PUT", EXAMPLE.host, "/ci/b/1", body=b"x")).status == 403


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["others", "cos-gateway"]},
        {"exp": In(30), "iat": In(-200)},
        {"exp": In(-30), "iat": In(-200)},
        {"nbf": In(-10)},
        {"nbf": In(30)},
        {"iat": In(30), "exp": In(600)},
        {"exp": In(300.5)},
        {"extra": {"nested": [1, 2]}},
    ],
    ids=str,
)
async def test_claims_that_are_good_enough(session_site: SessionSite, changes: dict[str, Any]) -> None:
    assert (await session_site.exchange(session_site.issuer.token(**at_this_time(changes)))).status == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": None},
        {"iss": "https://issuer.example.com/"},
        {"iss": "https://ISSUER.example.com"},
        {"iss": ["https://issuer.example.com"]},
        {"iss": ""},
        {"aud": None},
        {"aud": "others"},
        {"aud": []},
        {"aud": ["cos-gateway", 7]},
        {"aud": {"cos-gateway": 1}},
        {"aud": "cos-gateway "},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "repo:elsewhere/media:x"},
        {"sub": "xrepo:example/media:x"},
        {"sub": "r" * 1025},
        {"exp": None},
        {"exp": In(-120)},
        {"exp": "1900000000"},
        {"exp": True},
        {"exp": In(-400), "iat": In(-300)},
        {"iat": None},
        {"iat": In(200), "exp": In(600)},
        {"iat": In(10), "exp": In(5)},
        {"iat": In(-90_000)},
        {"nbf": In(200)},
        {"nbf": "now"},
        {"nbf": [0]},
    ],
    ids=str,
)
async def test_claims_that_prove_nothing_here(session_site: SessionSite, changes: dict[str, Any]) -> None:
    answer = await session_site.exchange(session_site.issuer.token(**at_this_time(changes)))
    assert answer.status == 403, answer.body
    assert code_of(answer) == "InvalidIdentityToken"


def of_the_public_key_as_a_secret(site: SessionSite) -> str:
    pem = site.issuer.keys["RS256"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return render_token(pem, claims(), {"alg": "HS256", "kid": "RS256", "typ": "JWT"})


def with_header(**changes: Any) -> Any:
    """A good signature under a header that is changed; None leaves a member out."""

    def token(site: SessionSite) -> str:
        header = {name: value for name, value in {**HEADER, **changes}.items() if value is not None}
        return render_token(site.issuer.keys["ES256"], claims(), header)

    return token


def with_own_key(**header: Any) -> Any:
    def token(_: SessionSite) -> str:
        key = new_key("ES256")
        return render_token(key, claims(), {**HEADER, "jwk": as_jwk(key), **header})

    return token


def without_signature(alg: str) -> Any:
    def token(_: SessionSite) -> str:
        header = b64(json.dumps({"alg": alg, "typ": "JWT"}).encode())
        return f"{header}.{b64(json.dumps(claims()).encode())}."

    return token


def repeated_claim(site: SessionSite) -> str:
    text = json.dumps(claims())[:-1] + f', "sub": "{SUBJECT}"}}'
    return render_token(site.issuer.keys["ES256"], text, HEADER)


def respelled(site: SessionSite) -> str:
    head, body, signature = site.issuer.token().split(".")
    return f"{head}.{body}.{signature}="


def der_signature(site: SessionSite) -> str:
    signed = site.issuer.token().rpartition(".")[0]
    key = site.issuer.keys["ES256"]
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return f"{signed}.{b64(key.sign(signed.encode(), ec.ECDSA(SHA256())))}"


def swapped(part: int) -> Any:
    def token(site: SessionSite) -> str:
        one = site.issuer.token(sub="repo:example/other:x").split(".")
        other = site.issuer.token().split(".")
        one[part] = other[part]
        return ".".join(one)

    return token


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(without_signature("none"), id="alg none"),
        pytest.param(without_signature("None"), id="alg None"),
        pytest.param(without_signature("ES256"), id="no signature"),
        pytest.param(of_the_public_key_as_a_secret, id="the public key as an HMAC secret"),
        pytest.param(with_header(alg="RS256"), id="another algorithm than the key's"),
        pytest.param(with_header(alg="RS256", kid="RS256"), id="another key than the signature's"),
        pytest.param(with_header(alg="ES384"), id="an algorithm nobody asked for"),
        pytest.param(with_header(alg="es256"), id="an algorithm in small letters"),
        pytest.param(with_header(alg=["ES256"]), id="a list of algorithms"),
        pytest.param(with_header(alg=None), id="no algorithm"),
        pytest.param(with_header(kid="nobody's"), id="a key nobody publishes"),
        pytest.param(with_header(kid="../../../../dev/null"), id="a key id that is a path"),
        pytest.param(with_header(kid="' OR 1=1 --"), id="a key id that is a query"),
        pytest.param(with_header(kid="k" * 1025), id="a key id without end"),
        pytest.param(with_header(kid=["ES256"]), id="a list of key ids"),
        pytest.param(with_header(kid=""), id="an empty key id"),
        pytest.param(with_header(crit=["exp"]), id="a critical extension"),
        pytest.param(with_header(b64=False), id="an unencoded payload"),
        pytest.param(with_header(typ="logout+jwt"), id="a token for another end"),
        pytest.param(with_header(typ=7), id="a type that is no text"),
        pytest.param(with_own_key(), id="a key of its own in the header"),
        pytest.param(with_own_key(kid=None), id="a key of its own and no id"),
        pytest.param(with_own_key(jku="https://attacker.example.com/keys"), id="a key set of its own"),
        pytest.param(repeated_claim, id="a claim twice"),
        pytest.param(respelled, id="padded base64"),
        pytest.param(der_signature, id="a signature in DER"),
        pytest.param(swapped(1), id="another token's claims"),
        pytest.param(swapped(2), id="another token's signature"),
        pytest.param(lambda _: "", id="nothing"),
        pytest.param(lambda _: "..", id="three times nothing"),
        pytest.param(lambda _: "a.b", id="two parts"),
        pytest.param(lambda site: site.issuer.token() + ".x.y", id="five parts, as if encrypted"),
        pytest.param(lambda site: " " + site.issuer.token(), id="a space before it"),
        pytest.param(lambda _: b64(b"[]") + "." + b64(b"{}") + ".AA", id="a list for a header"),
        pytest.param(lambda _: b64(b"\xff") + "." + b64(b"{}") + ".AA", id="not UTF-8"),
        pytest.param(lambda _: b64(b"[" * 9000) + "." + b64(b"{}") + ".AA", id="nested without end"),
        pytest.param(lambda _: "é.é.é", id="not ASCII"),
        pytest.param(lambda _: "A" * 17_000, id="too long"),
    ],
)
async def test_a_forged_token_is_refused(session_site: SessionSite, forge: Any) -> None:
    answer = await session_site.exchange(forge(session_site))
    assert answer.status == 403, answer.body
    assert code_of(answer) == "InvalidIdentityToken"


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b'"x"', b"{", b'{"Token": 7}', b'{"Token": null}', b'{"Token": "a", "Token": "b"}',
     b'{"Token": "a", "More": 1}', b"\xff", b"[" * 20_000, b'{"Token": "a", "DurationSeconds": "x"}'],
    ids=repr,
)  # fmt: skip
async def test_a_body_that_is_no_exchange_is_refused(session_site: SessionSite, body: bytes) -> None:
    answer = await session_site.post("/v1/session/oidc", body)
    assert answer.status == 400
    assert code_of(answer) == "InvalidArgument"


async def test_a_body_without_end_is_refused(session_site: SessionSite) -> None:
    answer = await session_site.post("/v1/session/oidc", b" " * 100_000)
    assert answer.status == 400
    assert code_of(answer) == "EntityTooLarge"


async def test_a_token_is_not_repeated_in_the_refusal_or_the_audit_log(session_site: SessionSite) -> None:
    token = session_site.issuer.token(aud="others")
    answer = await session_site.exchange(token)
    assert answer.status == 403
    for part in token.split("."):
        assert part.encode() not in answer.body
        assert part not in (session_site.folder / "audit.jsonl").read_text()
