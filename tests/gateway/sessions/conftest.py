"""A gateway with its sts port open, in front of an embedded COS, and an identity provider it trusts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from cos.signing import Scheme
from gateway.app import Gateway
from gateway.app import running as running_gateway
from tests.support.client import Client
from tests.support.gateway_server import gateway_settings
from tests.support.http1 import Response, exchange, render_request
from tests.support.identity_provider import AUDIENCE, ISSUER, IdentityProvider, identity_provider
from tests.support.names import CALLER_KEY, Key
from tests.support.servers import in_background
from tests.support.site import Site

STS_HOST = "sts.gateway.test"


@dataclass(frozen=True, slots=True)
class SessionSite:
    """A gateway that issues sessions. `gateway` may be looked into, not called: it runs elsewhere."""

    gateway: Gateway
    issuer: IdentityProvider
    cos: Site
    folder: Path

    @property
    def client(self) -> Client:
        return Client(self.gateway.data_port, CALLER_KEY)

    @property
    def sts(self) -> Client:
        assert self.gateway.sts_port is not None
        return Client(self.gateway.sts_port, CALLER_KEY)

    async def ask(self, client: Client | None = None, **fields: Any) -> Response:
        """A signed call for a session."""
        body = json.dumps(fields).encode() if fields else b""
        asking = client or self.sts
        name = "x-cos-content-sha256" if asking.scheme is Scheme.Q_SIGN else "x-amz-content-sha256"
        headers = [(name, sha256(body).hexdigest())]
        return await asking.send("POST", STS_HOST, "/v1/session", headers=headers, body=body)

    async def exchange(self, token: object, **fields: Any) -> Response:
        """An identity token for a session."""
        return await self.post("/v1/session/oidc", json.dumps({"Token": token, **fields}).encode())

    async def post(self, path: str, body: bytes) -> Response:
        assert self.gateway.sts_port is not None
        length = (b"content-length", str(len(body)).encode())
        raw = render_request("POST", path, [(b"host", STS_HOST.encode()), length, (b"connection", b"close")], body)
        return await exchange(self.gateway.sts_port, raw)

    async def session(self, **fields: Any) -> Key:
        """A session of CALLER_KEY."""
        return key_of(await self.ask(**fields))

    def holder(self, key: Key, scheme: Scheme = Scheme.Q_SIGN) -> Client:
        return replace(self.client, scheme=scheme).with_key(key)


def key_of(answer: Response) -> Key:
    assert answer.status == 200, answer.body
    issued = json.loads(answer.body)
    return Key(issued["TmpSecretId"], issued["TmpSecretKey"], issued["Token"])


@pytest.fixture(scope="session")
def issuer() -> Iterator[IdentityProvider]:
    with identity_provider() as provider:
        yield provider


def provider_settings(provider: IdentityProvider, **changes: Any) -> dict[str, Any]:
    return {
        "name": "ci",
        "issuer": ISSUER,
        "audiences": [AUDIENCE],
        "jwks_url": provider.jwks_url,
        "principals": {"repo:example/media:*": "team:conformance", "repo:example/*": "team:nobody"},
        **changes,
    }


@pytest.fixture(scope="session")
def session_site(
    emulator_site: Site, issuer: IdentityProvider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SessionSite]:
    folder = tmp_path_factory.mktemp("sessions")
    settings = gateway_settings(f"http://127.0.0.1:{emulator_site.port}", folder)
    given = settings.model_dump(include={"sts", "identity_providers"}) | {
        "sts": {"port": 0},
        "identity_providers": [provider_settings(issuer)],
    }
    checked = type(settings).model_validate(given)
    settings = settings.model_copy(update={"sts": checked.sts, "identity_providers": checked.identity_providers})
    with in_background(running_gateway(settings)) as gateway:
        yield SessionSite(gateway, issuer, emulator_site, folder)
