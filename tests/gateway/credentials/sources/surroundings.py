"""Sources beside their local services."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from gateway.configuration.credentials import CredentialSettings
from gateway.credential_services import service_settings
from gateway.credentials.sources.registry import source_of
from gateway.credentials.sources.source import Source, Surroundings
from gateway.ports import CredentialUnavailable, UpstreamCredential
from gateway.secret import Secret
from gateway.upstreams.http import HttpUpstream
from tests.support.names import Key

BASE = Key("AKIDbasebasebase0001", "canary-base-secret-0001")


@asynccontextmanager
async def source_beside(
    url: str,
    *,
    base: Key | None = BASE,
    variables: Mapping[str, str] | None = None,
    now: Callable[[], float] = time.time,
    **settings: Any,
) -> AsyncIterator[Source]:
    """The source that the settings describe; both services are at `url`, and `base` is the credential it names."""

    def open_credential(name: str) -> UpstreamCredential:
        if base is None:
            raise CredentialUnavailable(f"no credential {name!r}")
        token = Secret(base.token) if base.token is not None else None
        return UpstreamCredential(name, "1250000000", base.secret_id, Secret(base.secret_key), token)

    upstream = HttpUpstream(service_settings(url))
    host = url.removeprefix("http://")
    try:
        source = source_of(
            CredentialSettings.model_validate({"name": "made", "account": "1250000000", **settings}),
            Surroundings(variables or {}, open_credential, upstream, host, "ap-guangzhou", upstream, host, now),
        )
        assert source is not None
        yield source
    finally:
        await upstream.aclose()
