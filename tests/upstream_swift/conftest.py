"""OpenStack Swift and the gateway in front of it, under the names that the tests of the clients ask for."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.client_process import ClientProcess, client_process
from tests.support.names import CALLER_KEY
from tests.support.watch import Watch
from tests.upstream_swift.install_swift import missing
from tests.upstream_swift.swift_server import (
    SWIFT_KEY,
    SwiftSite,
    gateway_before,
    make_buckets,
    running_swift,
    settings_before,
)


@pytest.fixture(scope="session")
def swift() -> Iterator[SwiftSite]:
    """Swift itself, with the buckets of the tests."""
    if (reason := missing()) is not None:
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with running_swift() as site:
        asyncio.run(make_buckets(site))
        yield site


@pytest.fixture(scope="session")
def gateway_site(swift: SwiftSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwiftSite]:
    """The gateway in front of it."""
    with gateway_before(swift, settings_before(swift, tmp_path_factory.mktemp("gateway"))) as site:
        yield site


@pytest.fixture
def behind(swift: SwiftSite) -> SwiftSite:
    """Where it is looked up what was stored."""
    return swift


@pytest.fixture
def caller(gateway_site: SwiftSite) -> dict[str, Any]:
    """Port and keys a program is configured with."""
    return {"port": gateway_site.port, "secret_id": CALLER_KEY.secret_id, "secret_key": CALLER_KEY.secret_key}


@pytest.fixture(scope="session")
def sdk() -> Iterator[ClientProcess]:
    """The process in which boto3 runs."""
    with client_process() as process:
        yield process


@pytest.fixture
def only_the_servers_credential(swift: SwiftSite) -> Iterator[None]:
    """Check afterwards that Swift saw requests, and in all of them the server-held credential and no other."""
    upstream = Watch(swift)
    yield
    assert {entry.access_key_id for entry in upstream.new()} == {SWIFT_KEY.secret_id}
