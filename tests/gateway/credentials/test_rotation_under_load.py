"""Requests through a running gateway while its COS credential and the caller's key are replaced: none fails."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from emulator.server import running as running_emulator
from emulator.settings import Credential
from gateway.app import running as running_gateway
from gateway.credentials.access_keys import IssuedKeys
from gateway.credentials.changes import Author, Terms
from gateway.credentials.credential_administration import CredentialSecret
from gateway.credentials.rotation import Rotation
from gateway.secret import Secret
from gateway.services import bucket_records
from gateway.stores.database import Database
from gateway.upstreams.http import HttpUpstream
from gateway.upstreams.settings import UpstreamSettings
from tests.support.client import Client
from tests.support.gateway_server import PRINCIPAL, gateway_settings
from tests.support.names import ACCOUNT, EXAMPLE, SERVER_KEY, Key
from tests.support.servers import emulator_settings

TERMS = Terms(Author("tests"))
OLD = CredentialSecret(SERVER_KEY.secret_id, Secret(SERVER_KEY.secret_key))
NEW = CredentialSecret("AKIDnewnewnewnewnewnew00000000001", Secret("canary-new-secret-000000000000001"))
WORKERS = 8


@pytest.mark.parametrize("requests", [800, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.timeout(600)])])
async def test_a_credential_and_a_key_are_replaced_with_no_failed_request(tmp_path: Path, requests: int) -> None:
    base = emulator_settings()
    account = replace(
        base.accounts[0],
        credentials=tuple(Credential(pair.secret_id, pair.secret_key.reveal()) for pair in (OLD, NEW)),
    )
    async with running_emulator(replace(base, accounts=(account, *base.accounts[1:]))) as cos:
        settings = gateway_settings(cos.url, tmp_path).model_copy(update={"credentials": (), "keys": ()})
        async with running_gateway(settings) as gateway:
            services = gateway.services
            await services.administration.credentials.add("main", ACCOUNT, OLD, TERMS)
            # The command line's own connection to the store, as another process has it.
            async with await Database.open(settings.store.path) as database:
                keys = IssuedKeys(database, services.vault)
                issued = await keys.create(principal=PRINCIPAL)
                await services.watch.refresh()
                client = Client(gateway.data_port, Key(issued.record.id, issued.secret.reveal()))

                statuses: Counter[int] = Counter()
                before: Counter[str] = Counter()
                left = requests
                switched = asyncio.Event()

                async def work() -> None:
                    nonlocal left
                    while left > 0 or not switched.is_set():
                        left -= 1
                        answer = await client.send("PUT", EXAMPLE.host, f"/object-{left % 50}", body=b"content")
                        statuses[answer.status] += 1

                async def replace_both() -> None:
                    nonlocal client
                    try:
                        while left > requests * 2 // 3:
                            await asyncio.sleep(0.01)
                        second = await keys.create(principal=PRINCIPAL)
                        # An application takes its new key when the gateway knows it; both work meanwhile.
                        while services.keys.find(second.record.id) is None:
                            await asyncio.sleep(0.01)
                        client = Client(gateway.data_port, Key(second.record.id, second.secret.reveal()))
                        await rotate(database)
                        while services.credentials.open_named("main").secret_id != NEW.secret_id:
                            await asyncio.sleep(0.01)
                        # What was signed before the cut-over is under way for a moment yet.
                        await asyncio.sleep(0.5)
                        before.update(entry.access_key_id for entry in cos.emulator.log.entries)
                        cos.emulator.log.clear()
                        await asyncio.sleep(0.5)
                    finally:
                        switched.set()

                async def rotate(database: Database) -> None:
                    upstream = HttpUpstream(UpstreamSettings(endpoint=cos.url))
                    rotation = Rotation(
                        database,
                        services.vault,
                        services.administration.credentials,
                        upstream,
                        buckets_of=lambda _: bucket_records(settings)[:2],
                    )
                    rotated = await rotation.rotate("main", NEW, TERMS)
                    assert rotated.previous == 1
                    await upstream.aclose()

                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(replace_both())
                    for _ in range(WORKERS):
                        tasks.create_task(work())

        assert set(statuses) == {200}, statuses
        assert statuses[200] >= requests
        assert before[OLD.secret_id] > 0
        after = Counter(entry.access_key_id for entry in cos.emulator.log.entries)
        assert set(after) == {NEW.secret_id}, after
