"""Credentials from the token service, which verifies who asks."""

from __future__ import annotations

import time
from typing import Any

import pytest

from gateway.credentials.sources.source import SourceFailed
from gateway.ports import CredentialUnavailable
from tests.gateway.credentials.sources.surroundings import BASE, source_beside
from tests.support.names import Key
from tests.support.small_server import Told, small_server
from tests.support.tencent import TokenService

ROLE = "qcs::cam::uin/100000000001:roleName/cos"
POLICY = '{"version": "2.0", "statement": [{"effect": "allow", "action": ["name/cos:GetObject"], "resource": "*"}]}'
ASSUME: dict[str, Any] = {"assume_role": {"credential": "base", "role_arn": ROLE, "external_id": "xid"}}
FEDERATE: dict[str, Any] = {"federation_token": {"credential": "base", "policy": POLICY}}


def service(**changes: Any) -> TokenService:
    return TokenService({BASE.secret_id: BASE}, **changes)


async def test_a_role_is_assumed() -> None:
    async with small_server(sts := service()) as server, source_beside(server.url, **ASSUME) as source:
        obtained = await source.obtain()
    assert sts.calls == [
        {
            "action": "AssumeRole",
            "RoleArn": ROLE,
            "RoleSessionName": "cos-gateway",
            "DurationSeconds": 7200,
            "ExternalId": "xid",
        }
    ]
    (given,) = sts.given
    assert obtained.token is not None
    assert (obtained.secret_id, obtained.secret_key.reveal(), obtained.token.reveal()) == (
        given.secret_id,
        given.secret_key,
        given.token,
    )
    assert obtained.lifetime_seconds == pytest.approx(7200, abs=1)


async def test_a_credential_is_narrowed() -> None:
    async with small_server(sts := service()) as server, source_beside(server.url, **FEDERATE) as source:
        obtained = await source.obtain()
    assert obtained.secret_id == sts.given[0].secret_id
    assert sts.calls[0]["action"] == "GetFederationToken"
    assert sts.calls[0]["Name"] == "cos-gateway"


async def test_a_temporary_credential_asks_with_its_token() -> None:
    base = Key(BASE.secret_id, BASE.secret_key, "base-token")
    async with (
        small_server(TokenService({base.secret_id: base})) as server,
        source_beside(server.url, base=base, **ASSUME) as source,
    ):
        await source.obtain()
    assert server.asked[0].headers["x-tc-token"] == "base-token"


@pytest.mark.parametrize("code", ["UnauthorizedOperation", "RequestLimitExceeded", "InternalError.DbError"])
async def test_a_refusal_names_its_code_and_nothing_of_the_message(code: str) -> None:
    async with small_server(service(refusal=code)) as server, source_beside(server.url, **ASSUME) as source:
        with pytest.raises(SourceFailed, match=rf"STS \(AssumeRole\) refused: {code}\.") as refusal:
            await source.obtain()
    assert "secret detail" not in str(refusal.value)


async def test_a_wrong_secret_is_refused_by_the_service() -> None:
    wrong = Key(BASE.secret_id, "canary-mistyped")
    async with small_server(service()) as server, source_beside(server.url, base=wrong, **ASSUME) as source:
        with pytest.raises(SourceFailed, match=r"AuthFailure\.SignatureFailure") as refusal:
            await source.obtain()
    assert "canary" not in str(refusal.value)


@pytest.mark.parametrize("wrong_by", [3600, -3600], ids=["ahead", "behind"])
async def test_a_clock_an_hour_off_is_said_to_be_wrong(wrong_by: int) -> None:
    async with (
        small_server(service()) as server,
        source_beside(server.url, now=lambda: time.time() + wrong_by, **ASSUME) as source,
    ):
        with pytest.raises(SourceFailed, match="the clock of this machine is wrong"):
            await source.obtain()


@pytest.mark.parametrize("wrong_by", [200, -200])
async def test_a_lifetime_is_counted_by_the_clock_of_the_service(wrong_by: int) -> None:
    async with (
        small_server(service()) as server,
        source_beside(server.url, now=lambda: time.time() + wrong_by, **ASSUME) as source,
    ):
        obtained = await source.obtain()
    assert obtained.lifetime_seconds == pytest.approx(7200, abs=1)


async def test_a_credential_that_has_expired_already_is_refused() -> None:
    async with small_server(service(lifetime_seconds=-5)) as server, source_beside(server.url, **ASSUME) as source:
        with pytest.raises(SourceFailed, match="expired 5 seconds ago"):
            await source.obtain()


async def test_without_its_base_there_is_no_role() -> None:
    async with small_server(service()) as server, source_beside(server.url, base=None, **ASSUME) as source:
        with pytest.raises(CredentialUnavailable, match="'base'"):
            await source.obtain()
    assert server.asked == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not a JSON object"),
        (b"<html>", "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b"{}", "without a Response"),
        (b'{"Response": {}}', "without Credentials"),
        (b'{"Response": {"Error": "x"}}', "an error without a code"),
        (b'{"Response": {"Error": {"Code": "a\\nb"}}}', "an error without a code"),
        (b'{"Response": {"Credentials": {}, "ExpiredTime": 9999999999}}', "without a usable TmpSecretId"),
        (b'{"Response": {"Credentials": {}, "ExpiredTime": "soon"}}', "without a usable ExpiredTime"),
        (b'{"Response": {"Credentials": {}, "ExpiredTime": true}}', "without a usable ExpiredTime"),
        (
            (
                b'{"Response": {"Credentials": {"TmpSecretId": "a\\r\\nb", "TmpSecretKey": "k", "Token": "t"},'
                b' "ExpiredTime": 9999999999}}'
            ),
            "without a usable TmpSecretId",
        ),
        (b'{"Response": ' + b" " * 1_100_000, "more than 1048576 bytes"),
    ],
)
async def test_an_answer_that_is_no_credential_is_refused(body: bytes, reason: str) -> None:
    async with small_server(lambda _: Told(body)) as server, source_beside(server.url, **ASSUME) as source:
        with pytest.raises(SourceFailed, match=reason):
            await source.obtain()


async def test_a_service_that_is_not_there_is_said_to_be() -> None:
    async with source_beside("http://127.0.0.1:9", **ASSUME) as source:
        with pytest.raises(SourceFailed, match="was not reached"):
            await source.obtain()
