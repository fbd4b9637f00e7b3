"""The official SDKs take sessions for the temporary credentials they know from COS and from AWS."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.app import Gateway
from gateway.app import running as running_gateway
from gateway.configuration.sessions import StsSettings
from tests.support.client import Client
from tests.support.client_process import ClientProcess
from tests.support.gateway_server import gateway_settings
from tests.support.names import CALLER_KEY, EXAMPLE
from tests.support.servers import in_background
from tests.support.site import Site


@pytest.fixture(scope="module")
def issuing(emulator_site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = gateway_settings(f"http://127.0.0.1:{emulator_site.port}", tmp_path_factory.mktemp("issuing"))
    with in_background(running_gateway(settings.model_copy(update={"sts": StsSettings(port=0)}))) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def key(issuing: Gateway) -> dict[str, Any]:
    assert issuing.sts_port is not None
    client = Client(issuing.sts_port, CALLER_KEY)
    answer = asyncio.run(client.send("POST", "sts.gateway.test", "/v1/session"))
    issued: dict[str, Any] = json.loads(answer.body)
    return issued


@pytest.mark.parametrize("program", ["cos_python", "with_boto3"])
def test_a_session_is_a_temporary_credential(
    issuing: Gateway, sdk: ClientProcess, key: dict[str, Any], program: str
) -> None:
    said = sdk.call(
        f"tests.clients.session_calls:{program}",
        port=issuing.data_port, key=key, bucket=EXAMPLE.name, region=EXAMPLE.region,
    )  # fmt: skip
    assert said == "by a temporary key"


def test_a_presigned_url_carries_the_token(issuing: Gateway, sdk: ClientProcess, key: dict[str, Any]) -> None:
    where = {"port": issuing.data_port, "key": key, "bucket": EXAMPLE.name, "region": EXAMPLE.region}
    sdk.call("tests.clients.session_calls:with_boto3", **where)
    url = sdk.call("tests.clients.session_calls:presigned_by_boto3", **where)
    authority, _, rest = url.removeprefix("http://").partition("/")
    answer = asyncio.run(Client(issuing.data_port, None).send("GET", authority, f"/{rest}"))
    assert answer.body == b"by a temporary key"


def test_the_sdks_own_signer_asks_for_a_session(issuing: Gateway, sdk: ClientProcess) -> None:
    issued = sdk.call(
        "tests.clients.session_calls:ask_with_cos_python",
        sts_port=issuing.sts_port, secret_id=CALLER_KEY.secret_id, secret_key=CALLER_KEY.secret_key,
    )  # fmt: skip
    assert issued["TmpSecretId"].startswith("GWTK")
    assert Path(issued["Token"]).name == issued["Token"], "a token holds no slash"
