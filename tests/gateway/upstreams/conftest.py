"""Every promise of the upstream port is asked of both transports, on both event loops."""

from __future__ import annotations

import pytest

from gateway.upstreams import TransportKind


@pytest.fixture(scope="module", params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture(params=list(TransportKind))
def kind(request: pytest.FixtureRequest) -> TransportKind:
    return TransportKind(request.param)
