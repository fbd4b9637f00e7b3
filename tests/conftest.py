"""Fixtures shared by the black-box tests: the embedded COS, and the gateway in front of it.

One of each per worker; tests keep apart by using fresh object keys. The servers are imported and started
only when a test asks for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.site import Site


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def emulator_site() -> Iterator[Site]:
    """The embedded COS by itself."""
    from tests.support.servers import emulator_site

    with emulator_site() as site:
        yield site


@pytest.fixture(scope="session")
def gateway_site(emulator_site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The gateway in front of the same embedded COS, asked with a key the gateway issued."""
    from tests.support.gateway_server import gateway_site

    with gateway_site(emulator_site.emulator, tmp_path_factory.mktemp("gateway")) as site:
        yield site


@pytest.fixture(params=["emulator", "gateway"])
def cos(request: pytest.FixtureRequest) -> Site:
    """Every test that asks for `cos` runs twice: what COS does, the gateway must let through unchanged."""
    site: Site = request.getfixturevalue(f"{request.param}_site")
    return site
