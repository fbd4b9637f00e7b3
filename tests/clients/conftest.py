"""Real SDKs against the gateway in front of the embedded COS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.client_process import ClientProcess, client_process
from tests.support.names import CALLER_KEY, SERVER_KEY
from tests.support.site import Site
from tests.support.watch import Watch


@pytest.fixture(scope="session")
def sdk() -> Iterator[ClientProcess]:
    """The process in which SDKs run."""
    with client_process() as process:
        yield process


@pytest.fixture
def only_the_servers_credential(gateway_site: Site) -> Iterator[None]:
    """Check afterwards that COS saw requests, and in all of them the server-held credential and no other."""
    upstream = Watch(gateway_site)
    yield
    keys = {entry.access_key_id for entry in upstream.new()}
    assert keys == {SERVER_KEY.secret_id}, f"upstream saw {keys}"


@pytest.fixture
def caller(gateway_site: Site) -> dict[str, Any]:
    """Port and keys a program is configured with."""
    return {"port": gateway_site.port, "secret_id": CALLER_KEY.secret_id, "secret_key": CALLER_KEY.secret_key}
