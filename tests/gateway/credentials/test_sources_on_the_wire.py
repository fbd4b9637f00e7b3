"""A running gateway whose COS credential comes from a source, or does not come."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from emulator.server import RunningEmulator
from emulator.server import running as running_emulator
from emulator.settings import Credential
from gateway.app import Gateway
from gateway.app import running as running_gateway
from gateway.settings import Settings
from tests.support.client import Client
from tests.support.gateway_server import gateway_settings
from tests.support.http1 import Response
from tests.support.names import ACCOUNT, BUCKETS, CALLER_KEY, EXAMPLE, FOREIGN, OTHER_ACCOUNT, SERVER_KEY
from tests.support.servers import emulator_settings
from tests.support.small_server import SmallServer, small_server
from tests.support.tencent import InstanceMetadata, TokenService

ROLE = {"credential": "base", "role_arn": "qcs::cam::uin/100000000001:roleName/cos"}
BASE = {"name": "base", "account": "1", "secret_id": SERVER_KEY.secret_id, "secret_key": SERVER_KEY.secret_key}


@asynccontextmanager
async def cos(*, shared: bool = False) -> AsyncIterator[RunningEmulator]:
    """An emulator that also knows the temporary credentials the local services give first."""
    base = emulator_settings()
    temporary = (
        Credential("AKIDtemporary0001", "TemporarySecret0001", "token-canary-0001"),
        Credential("AKIDtemporary0002", "TemporarySecret0002", "token-canary-0002"),
        Credential("AKIDinstance0001", "InstanceSecret0001", "token-canary-m0001"),
    )
    account = replace(base.accounts[0], credentials=(*base.accounts[0].credentials, *temporary))
    buckets = tuple(
        replace(bucket, shared_with=(ACCOUNT,)) if shared and bucket.name == FOREIGN.name else bucket
        for bucket in base.buckets
    )
    async with running_emulator(replace(base, accounts=(account, *base.accounts[1:]), buckets=buckets)) as emulator:
        yield emulator


def settings_of(emulator: RunningEmulator, folder: Path, **changes: Any) -> Settings:
    usual = gateway_settings(emulator.url, folder)
    return Settings.model_validate({**{name: getattr(usual, name) for name in Settings.model_fields}, **changes})


def tencent(server: SmallServer) -> dict[str, str]:
    return {"sts_endpoint": server.url, "metadata_endpoint": server.url}


async def put(gateway: Gateway, bucket: Any = EXAMPLE, **headers: str) -> Response:
    client = Client(gateway.data_port, CALLER_KEY)
    fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return await client.send("PUT", bucket.host, "/key", headers=fields, body=b"" if headers else b"content")


@pytest.mark.parametrize(
    ("service", "credential", "secret_id"),
    [
        (TokenService({SERVER_KEY.secret_id: SERVER_KEY}), {"assume_role": ROLE}, "AKIDtemporary0001"),
        (
            TokenService({SERVER_KEY.secret_id: SERVER_KEY}),
            {"federation_token": {"credential": "base", "policy": '{"version": "2.0"}'}},
            "AKIDtemporary0001",
        ),
        (InstanceMetadata(), {"metadata": {}}, "AKIDinstance0001"),
    ],
    ids=["assumed role", "federation token", "instance role"],
)
async def test_a_temporary_credential_opens_cos_with_its_token(
    tmp_path: Path, service: Any, credential: dict[str, Any], secret_id: str
) -> None:
    async with cos() as emulator, small_server(service) as server:
        settings = settings_of(
            emulator,
            tmp_path,
            credentials=[BASE, {"name": "made", "account": ACCOUNT, **credential}],
            tencent=tencent(server),
        )
        async with running_gateway(settings) as gateway:
            answer = await put(gateway)
            check = next(check for check in gateway.services.checks() if check.name == "credentials")
        assert answer.status == 200, answer
        assert emulator.emulator.log.entries[-1].access_key_id == secret_id
    assert check.ready
    assert "made: held, valid for" in check.detail
    assert "canary" not in check.detail
    assert "Secret" not in check.detail


@pytest.mark.parametrize(
    ("service", "credential"),
    [
        (TokenService({SERVER_KEY.secret_id: SERVER_KEY}, refusal="UnauthorizedOperation"), {"assume_role": ROLE}),
        (TokenService({}), {"assume_role": ROLE}),
        (InstanceMetadata(expires_in=-1), {"metadata": {}}),
        (InstanceMetadata(roles=()), {"metadata": {}}),
    ],
    ids=["STS refuses", "STS does not know us", "expired", "no role"],
)
async def test_without_a_credential_the_caller_gets_503_with_a_request_id_and_nothing_is_sent(
    tmp_path: Path, service: Any, credential: dict[str, Any]
) -> None:
    async with cos() as emulator, small_server(service) as server:
        settings = settings_of(
            emulator,
            tmp_path,
            credentials=[BASE, {"name": "made", "account": ACCOUNT, **credential}],
            tencent=tencent(server),
        )
        async with running_gateway(settings) as gateway:
            answer = await put(gateway)
            check = next(check for check in gateway.services.checks() if check.name == "credentials")
        assert emulator.emulator.log.entries == []
    assert answer.status == 503
    assert answer.text("Code") == "ServiceUnavailable"
    assert answer.header("x-cos-request-id")
    assert answer.text("RequestId") == answer.header("x-cos-request-id")
    for inside in (SERVER_KEY.secret_id, "STS", "metadata", "made", "role"):
        assert inside.encode() not in answer.body
    assert not check.ready


async def test_a_credential_that_ends_is_renewed_without_a_failed_request(tmp_path: Path) -> None:
    service = TokenService({SERVER_KEY.secret_id: SERVER_KEY}, lifetime_seconds=3)
    async with cos() as emulator, small_server(service) as server:
        settings = settings_of(
            emulator,
            tmp_path,
            credentials=[BASE, {"name": "made", "account": ACCOUNT, "assume_role": ROLE}],
            tencent=tencent(server),
        )
        statuses = set()
        async with running_gateway(settings) as gateway:
            while len(service.given) < 2:
                statuses.add((await put(gateway)).status)
            statuses.add((await put(gateway)).status)
        used = [entry.access_key_id for entry in emulator.emulator.log.entries]
    assert statuses == {200}
    assert (used[0], used[-1]) == ("AKIDtemporary0001", "AKIDtemporary0002")


@pytest.mark.parametrize(
    ("cross_account", "status"), [([{"credential": "server", "reads": [OTHER_ACCOUNT]}], 200), ([], 403)]
)
async def test_a_copy_between_accounts_takes_the_credential_that_can_do_both_or_says_why_none_can(
    tmp_path: Path, cross_account: list[dict[str, Any]], status: int
) -> None:
    async with cos(shared=True) as emulator:
        settings = settings_of(
            emulator,
            tmp_path,
            buckets=[{"name": bucket.name, "region": bucket.region} for bucket in BUCKETS],
            cross_account=cross_account,
        )
        async with running_gateway(settings) as gateway:
            answer = await put(gateway, x_cos_copy_source=FOREIGN.source("nothing-there"))
            entries = emulator.emulator.log.entries
    if status == 200:
        # The credential may read the other account's bucket: COS looks for the object.
        assert answer.text("Code") == "NoSuchKey", answer
        assert entries[-1].access_key_id == SERVER_KEY.secret_id
        return
    assert answer.status == 403
    assert answer.text("Code") == "AccessDenied"
    assert "no credential that can read the source's account" in answer.text("Message")
    assert answer.header("x-cos-request-id")
    assert entries == []
