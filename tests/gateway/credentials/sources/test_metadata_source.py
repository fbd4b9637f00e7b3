"""The role of the machine, from a metadata service that answers as Tencent Cloud's does."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.credentials.sources.source import SourceFailed
from tests.gateway.credentials.sources.surroundings import source_beside
from tests.support.small_server import Told, small_server
from tests.support.tencent import InstanceMetadata


@pytest.mark.parametrize("role", [None, "cos-role"])
async def test_the_role_of_the_instance_gives_a_credential(role: str | None) -> None:
    metadata = InstanceMetadata()
    async with small_server(metadata) as server, source_beside(server.url, metadata={"role": role}) as source:
        obtained = await source.obtain()
    (given,) = metadata.given
    assert obtained.token is not None
    assert (obtained.secret_id, obtained.token.reveal()) == (given.secret_id, given.token)
    assert obtained.lifetime_seconds == pytest.approx(7200, abs=1)


@pytest.mark.parametrize(
    ("metadata", "settings", "reason"),
    [
        (InstanceMetadata(roles=()), {}, "got 0; name it"),
        (InstanceMetadata(roles=("one", "two")), {}, "got 2; name it"),
        (InstanceMetadata(roles=("../../user-data",)), {}, "name it in metadata.role"),
        (InstanceMetadata(), {"role": "another"}, "knows no such role"),
        (InstanceMetadata(expires_in=-60), {}, "expired 60 seconds ago"),
        (InstanceMetadata(code="Failed"), {}, "refused a credential"),
    ],
    ids=["no role", "two roles", "a role that is a path", "unknown role", "expired", "failed"],
)
async def test_what_is_no_credential_is_refused(
    metadata: InstanceMetadata, settings: dict[str, Any], reason: str
) -> None:
    async with small_server(metadata) as server, source_beside(server.url, metadata=settings) as source:
        with pytest.raises(SourceFailed, match=reason):
            await source.obtain()


@pytest.mark.parametrize("status", [301, 500])
async def test_a_redirect_and_a_failure_are_not_followed(status: int) -> None:
    told = Told(b"", status, headers={"location": "http://127.0.0.1:1/"})
    async with small_server(lambda _: told) as server, source_beside(server.url, metadata={"role": "r"}) as source:
        with pytest.raises(SourceFailed, match=f"answered {status}"):
            await source.obtain()
    assert len(server.asked) == 1
