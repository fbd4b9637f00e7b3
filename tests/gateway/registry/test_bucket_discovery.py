"""Buckets found by listing accounts at a COS; a listing that fails changes nothing."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from emulator.server import running as running_emulator
from gateway.app import running as running_gateway
from gateway.ports import CredentialUnavailable, UpstreamCredential
from gateway.registry.buckets import BucketRegistry
from gateway.registry.discovery import BucketDiscovery
from gateway.secret import Secret
from gateway.services import bucket_records
from gateway.upstreams.http import HttpUpstream
from gateway.upstreams.settings import UpstreamSettings
from tests.support.client import Client
from tests.support.gateway_server import gateway_settings
from tests.support.names import ABSENT, ACCOUNT, BUCKETS, CALLER_KEY, EXAMPLE, FOREIGN, SERVER_KEY, SOURCE
from tests.support.servers import emulator_settings
from tests.support.small_server import Asked, Told, small_server

CREDENTIAL = UpstreamCredential("main", ACCOUNT, SERVER_KEY.secret_id, Secret(SERVER_KEY.secret_key))
OURS = sorted(bucket.name for bucket in BUCKETS if bucket != FOREIGN)


@asynccontextmanager
async def discovery_at(
    endpoint: str,
    registry: BucketRegistry,
    *,
    credentials: Sequence[str] = ("main",),
    open_credential: Callable[[str], UpstreamCredential] = lambda _: CREDENTIAL,
    now: Callable[[], float] = time.time,
) -> AsyncIterator[BucketDiscovery]:
    upstream = HttpUpstream(UpstreamSettings(endpoint=endpoint))
    try:
        yield BucketDiscovery(
            registry, upstream, open_credential, credentials=credentials, interval_seconds=300, now=now
        )
    finally:
        await upstream.aclose()


def listing(*names: str, truncated: bool = False, following: str = "", region: str = "ap-shanghai") -> bytes:
    buckets = "".join(f"<Bucket><Name>{name}</Name><Location>{region}</Location></Bucket>" for name in names)
    end = f"<IsTruncated>{str(truncated).lower()}</IsTruncated><NextMarker>{following}</NextMarker>"
    return f"<ListAllMyBucketsResult><Buckets>{buckets}</Buckets>{end}</ListAllMyBucketsResult>".encode()


async def test_the_buckets_of_the_account_are_found_with_their_regions() -> None:
    registry = BucketRegistry([], listed=["main"])
    async with (
        running_emulator(emulator_settings()) as emulator,
        discovery_at(emulator.url, registry) as discovery,
    ):
        assert await discovery.refresh()
    assert [record.name for record in registry.records()] == OURS
    by_name = {record.name: record for record in registry.records()}
    assert {bucket.name: bucket.region for bucket in BUCKETS if bucket != FOREIGN} == {
        name: record.region for name, record in by_name.items()
    }


async def test_a_long_listing_is_read_to_its_end() -> None:
    def answer(asked: Asked) -> Told:
        if "marker=b-" in asked.target:
            return Told(listing(f"c-{ACCOUNT}"))
        return Told(listing(f"a-{ACCOUNT}", f"b-{ACCOUNT}", truncated=True, following=f"b-{ACCOUNT}"))

    registry = BucketRegistry([], listed=["main"])
    async with small_server(answer) as server, discovery_at(server.url, registry) as discovery:
        assert await discovery.refresh()
    assert [record.name for record in registry.records()] == [f"{letter}-{ACCOUNT}" for letter in "abc"]


@pytest.mark.parametrize(
    "told",
    [
        Told(b"<Error><Code>AccessDenied</Code></Error>", 403),
        Told(b"<Error><Code>InternalError</Code></Error>", 500),
        Told(b"", 503),
        Told(b""),
        Told(b"<ListAllMyBucketsResult>"),
        Told(b"<ListAllMyBucketsResult/>"),
        Told(b"<Error><Code>AccessDenied</Code></Error>"),
        Told(b"<Other><Buckets/></Other>"),
        Told(listing(f"new-{ACCOUNT}", truncated=True)),
        Told(listing(f"new-{ACCOUNT}", truncated=True, following="!")),
        Told(listing(f"new-{ACCOUNT}") + b" " * 1_100_000),
    ],
    ids=[
        "denied", "failed", "busy", "empty", "cut", "no buckets", "error in 200", "other document",
        "no next marker", "marker repeats", "too large",
    ],
)  # fmt: skip
async def test_a_listing_that_fails_changes_nothing(told: Told) -> None:
    registry = BucketRegistry([], listed=["main"])
    async with (
        small_server(lambda _: Told(listing(EXAMPLE.name))) as server,
        discovery_at(server.url, registry) as discovery,
    ):
        assert await discovery.refresh()
        server.answer = lambda _: told
        assert not await discovery.refresh()
    assert [record.name for record in registry.records()] == [EXAMPLE.name]


async def test_one_account_that_fails_does_not_keep_the_others_from_being_listed() -> None:
    def opened(name: str) -> UpstreamCredential:
        if name == "gone":
            raise CredentialUnavailable("no credential 'gone'")
        return CREDENTIAL

    registry = BucketRegistry([], listed=["gone", "main"])
    async with (
        small_server(lambda _: Told(listing(EXAMPLE.name))) as server,
        discovery_at(server.url, registry, credentials=["gone", "main"], open_credential=opened) as discovery,
    ):
        assert not await discovery.refresh()
    assert registry.unlisted == ["gone"]
    assert [record.name for record in registry.records()] == [EXAMPLE.name]


async def test_a_bucket_with_a_name_or_region_that_is_none_is_left_out() -> None:
    registry = BucketRegistry([], listed=["main"])
    body = listing(EXAMPLE.name, "UPPER-1250000000", "..", region="ap-shanghai") + b""
    async with small_server(lambda _: Told(body)) as server, discovery_at(server.url, registry) as discovery:
        assert await discovery.refresh()
    assert [record.name for record in registry.records()] == [EXAMPLE.name]


@pytest.mark.parametrize("wrong_by", [3600, -3600])
async def test_with_a_clock_an_hour_off_nothing_is_found_and_nothing_is_lost(wrong_by: int) -> None:
    registry = BucketRegistry([], listed=["main"])
    async with running_emulator(emulator_settings()) as emulator:
        async with discovery_at(emulator.url, registry) as discovery:
            assert await discovery.refresh()
        async with discovery_at(emulator.url, registry, now=lambda: time.time() + wrong_by) as discovery:
            assert not await discovery.refresh()
    assert [record.name for record in registry.records()] == OURS


async def test_a_running_gateway_serves_what_it_found_and_nothing_else(tmp_path: Path) -> None:
    async with running_emulator(emulator_settings()) as emulator:
        settings = gateway_settings(emulator.url, tmp_path)
        declared = tuple(bucket for bucket in settings.buckets if bucket.name == SOURCE.name)
        settings = settings.model_copy(
            update={
                "buckets": declared,
                "discovery": settings.discovery.model_copy(update={"credentials": ("server",)}),
            }
        )
        assert len(bucket_records(settings)) == 1
        async with running_gateway(settings) as gateway:
            client = Client(gateway.data_port, CALLER_KEY)
            found = await client.send("PUT", EXAMPLE.host, "/key", body=b"content")
            unknown = [await client.send("GET", bucket.host, "/key") for bucket in (ABSENT, FOREIGN)]
            assert next(check for check in gateway.services.checks() if check.name == "buckets").ready
    assert found.status == 200, found
    assert [(answer.status, answer.text("Code")) for answer in unknown] == [(403, "AccessDenied")] * 2


async def test_until_an_account_was_listed_its_buckets_are_answered_503(tmp_path: Path) -> None:
    async with small_server(lambda _: Told(b"", 500)) as server:
        settings = gateway_settings(server.url, tmp_path)
        settings = settings.model_copy(
            update={
                "buckets": (),
                "discovery": settings.discovery.model_copy(update={"credentials": ("server",)}),
            }
        )
        async with running_gateway(settings) as gateway:
            answer = await Client(gateway.data_port, CALLER_KEY).send("GET", EXAMPLE.host, "/key")
            assert not next(check for check in gateway.services.checks() if check.name == "buckets").ready
    assert (answer.status, answer.text("Code")) == (503, "ServiceUnavailable")
    assert answer.header("x-cos-request-id")
