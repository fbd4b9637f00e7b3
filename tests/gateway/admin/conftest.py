"""A running gateway with its admin port, tokens of every role, and a client for the API."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.app import Gateway
from gateway.app import running as running_gateway
from gateway.credentials.changes import Author, Terms
from gateway.credentials.token_administration import NewAdminToken
from gateway.settings import Settings
from gateway.stores.admin_tokens import Role
from tests.support.gateway_server import gateway_settings
from tests.support.servers import in_background

NOWHERE = "http://127.0.0.1:9"
"""The admin API asks COS for nothing."""


@dataclass(frozen=True, slots=True)
class Admin:
    """An admin port and the tokens that open it."""

    gateway: Gateway
    settings: Settings
    folder: Path
    tokens: dict[Role, str]

    def client(self, role: Role | None = Role.SECURITY, *, address: str = "127.0.0.1", **headers: str) -> httpx.Client:
        """A client that sends the token of a role, from a loopback address of its own."""
        if role is not None:
            headers = {"Authorization": f"Bearer {self.tokens[role]}", **headers}
        return httpx.Client(
            base_url=f"{self.gateway.admin_endpoint}/api/v1",
            headers=headers,
            timeout=30,
            transport=httpx.HTTPTransport(local_address=address),
        )

    def events(self) -> list[dict[str, Any]]:
        """Every line of the audit log."""
        return [
            json.loads(line) for line in self.settings.audit.path.read_text("utf-8").rpartition("\n")[0].splitlines()
        ]

    def event_of(self, answer: httpx.Response) -> dict[str, Any]:
        """The line of one request, which is written soon after the answer. Raises LookupError."""
        for _ in range(3000):
            for event in self.events():
                if event.get("request_id") == answer.headers["x-request-id"]:
                    return event
            time.sleep(0.01)
        raise LookupError("the audit log has no line of the request")

    def last_change(self) -> dict[str, Any]:
        """The last line of a change."""
        return [event for event in self.events() if event["type"] == "admin"][-1]


async def issue_tokens(settings: Settings) -> dict[Role, str]:
    """A token of each role, made as the command line makes the first one."""
    from gateway.audit import JsonLinesAuditLog
    from gateway.credentials.administration import Administration
    from gateway.credentials.vault import Vault
    from gateway.stores.database import Database

    audit = JsonLinesAuditLog(settings.audit.path, sync=False)
    tokens = {}
    async with await Database.open(settings.store.path) as database:
        administration = Administration(database, Vault(), audit)
        for role in Role:
            outcome = await administration.tokens.create(
                NewAdminToken(f"test-{role}", role), Terms(Author("local:test"))
            )
            assert outcome.secret is not None
            tokens[role] = outcome.secret.reveal()
    await audit.aclose()
    return tokens


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    """One gateway for a file of tests."""
    folder = tmp_path_factory.mktemp("admin")
    settings = gateway_settings(NOWHERE, folder)
    tokens = asyncio.run(issue_tokens(settings))
    with in_background(running_gateway(settings)) as gateway:
        yield Admin(gateway, settings, folder, tokens)


@pytest.fixture(scope="module")
def api(admin: Admin) -> Iterator[httpx.Client]:
    """A client with every right."""
    with admin.client() as client:
        yield client
