"""Every promise of the upstream port is asked of both transports, on both event loops."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trustme

from gateway.upstreams import TransportKind
from gateway.upstreams.tls import Buffers
from tests.gateway.upstreams.tls_ends import VERSIONS, Ends, Open


@pytest.fixture(scope="module", params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture(params=list(TransportKind))
def kind(request: pytest.FixtureRequest) -> TransportKind:
    return TransportKind(request.param)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(params=VERSIONS, ids=lambda version: version.name)
def ends(request: pytest.FixtureRequest, authority: trustme.CA) -> Iterator[Open]:
    opened: list[Ends] = []

    def open_both(step: int = 65536, buffers: Buffers | None = None) -> Ends:
        both = Ends(authority, request.param, buffers=buffers)
        opened.append(both)
        both.shake_hands(step)
        both.deliver(both.server.outgoing.read(), step)  # session tickets
        return both

    yield open_both
    assert all(both.leaves_nothing() for both in opened)
