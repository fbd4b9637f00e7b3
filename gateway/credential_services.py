"""The part of the composition root that opens COS: master keys, credentials with their sources, which is for what."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from urllib.parse import urlsplit

from cos.values import Region
from gateway.configuration.credentials import TransitSettings
from gateway.configuration.secret_files import SecretFileError, read_secret_file
from gateway.credentials.choice import Assignment, Choice, Reach
from gateway.credentials.key_service import KeyService, unwrap_master_keys
from gateway.credentials.master_key import MasterKey, MasterKeyError, parse_master_keys, read_master_keys
from gateway.credentials.refreshed import RefreshedCredential
from gateway.credentials.sources.registry import source_of
from gateway.credentials.sources.source import Surroundings
from gateway.credentials.transit import Transit
from gateway.credentials.upstream import StoredUpstreamCredentials
from gateway.credentials.vault import Vault
from gateway.credentials.watch import StoreWatch
from gateway.ports import Upstream, UpstreamCredential
from gateway.registry.buckets import BucketRegistry
from gateway.registry.discovery import BucketDiscovery
from gateway.settings import Settings
from gateway.upstreams.http import HttpUpstream
from gateway.upstreams.settings import PoolLimits, Timeouts, TransportKind, UpstreamSettings
from policies.patterns import Pattern

FIRST_ATTEMPT_SECONDS = 5.0
"""How long a start waits for sources to give their first credential; then requests are refused until they do."""


def master_keys(settings: Settings) -> tuple[MasterKey, ...]:
    """The master keys that are at hand, the current one first; none: sealed. Raises MasterKeyError."""
    if settings.master_key.value is not None:
        return parse_master_keys(settings.master_key.value.reveal(), source="COSGW_MASTER_KEY")
    if settings.master_key.file is not None:
        return read_master_keys(settings.master_key.file)
    return ()


async def open_master_keys(settings: Settings) -> tuple[MasterKey, ...]:
    """The master keys, asking the key service when the settings name one. Raises MasterKeyError."""
    transit = settings.master_key.transit
    if transit is None:
        return master_keys(settings)
    async with key_service_of(transit) as service:
        return await unwrap_master_keys(service, transit.wrapped_file)


@asynccontextmanager
async def key_service_of(transit: TransitSettings) -> AsyncIterator[KeyService]:
    """The key service of the settings. Raises MasterKeyError when its token cannot be read."""
    try:
        token = read_secret_file(transit.token_file)
    except SecretFileError as error:
        raise MasterKeyError(f"Expected a Vault token in a file of mode 0600, got {error}.") from None
    try:
        upstream = HttpUpstream(replace(service_settings(transit.address), ca_file=transit.ca_file))
    except OSError as error:
        raise MasterKeyError(f"Expected certificates in {transit.ca_file}: {error.strerror or error}.") from None
    try:
        yield Transit(upstream, transit.address, transit.mount, transit.key, token, transit.namespace)
    finally:
        await upstream.aclose()


def credentials_of(settings: Settings, watch: StoreWatch, vault: Vault) -> StoredUpstreamCredentials:
    """The credentials that are at hand: of the store, and those whose secret the settings give."""
    return StoredUpstreamCredentials(
        watch,
        vault,
        configured=[
            UpstreamCredential(
                name=credential.name,
                account=credential.account,
                secret_id=credential.secret_id,
                secret_key=credential.secret_key,
                token=credential.token,
            )
            for credential in settings.credentials
            if credential.secret_id is not None and credential.secret_key is not None
        ],
        choice=choice_of(settings),
    )


def choice_of(settings: Settings) -> Choice:
    """Which credential is for which bucket, as the settings say."""
    reaches: dict[str, Reach] = {}
    for item in settings.cross_account:
        known = reaches.get(item.credential, Reach())
        reaches[item.credential] = Reach(known.reads.union(item.reads), known.writes.union(item.writes))
    return Choice(
        (
            Assignment(
                item.credential,
                tuple(Pattern(text) for text in item.buckets),
                frozenset(Region(region) for region in item.regions),
            )
            for item in settings.assignments
        ),
        reaches,
    )


@asynccontextmanager
async def renewing(
    settings: Settings, credentials: StoredUpstreamCredentials, variables: Mapping[str, str] | None = None
) -> AsyncIterator[list[RefreshedCredential]]:
    """Obtain and renew the credentials that have a source, while the context lasts.

    `variables` are those of the environment unless given. Raises RecordExists.
    """
    if all(credential.secret_id is not None for credential in settings.credentials):
        yield []
        return
    sts = HttpUpstream(service_settings(settings.tencent.sts_endpoint))
    metadata = HttpUpstream(service_settings(settings.tencent.metadata_endpoint))
    surroundings = Surroundings(
        variables=os.environ if variables is None else variables,
        open_credential=credentials.open_named,
        sts=sts,
        sts_host=urlsplit(settings.tencent.sts_endpoint).netloc,
        sts_region=settings.tencent.sts_region,
        metadata=metadata,
        metadata_host=urlsplit(settings.tencent.metadata_endpoint).netloc,
        now=time.time,
    )
    renewed = [
        RefreshedCredential(credential.name, credential.account, source)
        for credential in settings.credentials
        if (source := source_of(credential, surroundings)) is not None
    ]
    credentials.configure(renewed)
    tasks = [asyncio.create_task(credential.run()) for credential in renewed]
    try:
        first = [asyncio.create_task(credential.first_attempt()) for credential in renewed]
        _, late = await asyncio.wait(first, timeout=FIRST_ATTEMPT_SECONDS)
        for task in late:
            task.cancel()
        yield renewed
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await sts.aclose()
        await metadata.aclose()


@asynccontextmanager
async def discovering(
    settings: Settings, registry: BucketRegistry, upstream: Upstream, credentials: StoredUpstreamCredentials
) -> AsyncIterator[None]:
    """List the accounts the settings name into the registry, while the context lasts."""
    if not settings.discovery.credentials:
        yield
        return
    discovery = BucketDiscovery(
        registry,
        upstream,
        credentials.open_named,
        credentials=settings.discovery.credentials,
        interval_seconds=settings.discovery.interval_seconds,
    )
    task = asyncio.create_task(discovery.run())
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(discovery.first_attempt(), FIRST_ATTEMPT_SECONDS)
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def service_settings(endpoint: str) -> UpstreamSettings:
    """The way to a service beside COS: few connections, short deadlines, certificates verified."""
    return UpstreamSettings(
        endpoint=endpoint,
        transport=TransportKind.NATIVE,
        timeouts=Timeouts(
            pool_seconds=5.0, connect_seconds=5.0, write_seconds=5.0, response_seconds=10.0, read_seconds=10.0
        ),
        limits=PoolLimits(max_connections_per_origin=4, max_idle_seconds=5.0),
    )
