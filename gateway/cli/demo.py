"""`cos-gateway demo`: a gateway with an embedded COS, a guided multi-part copy, four refusals, then it serves.

Everything shown really happens: the key is issued into an encrypted store, the requests go over sockets, the
policy documents are those in `config/policies/`, and COS answers in its own XML. Each step checks what it
shows; one that does not behave ends the demo with exit code 1.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.panel import Panel

from cos.values import Bucket, Region
from emulator.server import RunningEmulator
from emulator.settings import Account, Credential, SeedObject
from gateway.app import Gateway
from gateway.cli.demo_client import DemoClient
from gateway.cli.demo_steps import GuidedCopy, StepFailed
from gateway.cli.hosting import EMBEDDED_UIN, hosted, until_stopped
from gateway.cli.snippets import boto3_snippet, coscmd_snippet, python_snippet
from gateway.configuration.store import StoreSettings
from gateway.credentials.access_keys import IssuedKey, IssuedKeys
from gateway.credentials.master_key import generate_master_key_file, read_master_keys
from gateway.credentials.upstream_credentials import HeldCredentials
from gateway.credentials.vault import Vault
from gateway.secret import Secret
from gateway.server.listeners import bind
from gateway.settings import (
    AdminSettings,
    AuditSettings,
    BucketSettings,
    DataSettings,
    EmbeddedSettings,
    LogFormat,
    LogLevel,
    LogSettings,
    MasterKeySettings,
    PolicySettings,
    Settings,
)
from gateway.stores.database import Database
from gateway.telemetry import configure_logging

APPID = "1250000000"
GUANGZHOU, SHANGHAI = Region("ap-guangzhou"), Region("ap-shanghai")
RAW, MEDIA = Bucket(f"raw-{APPID}"), Bucket(f"media-{APPID}")
FINANCE, ARCHIVE = Bucket(f"finance-{APPID}"), Bucket(f"archive-{APPID}")
MIB = 1024**2
DEMO_LABEL = "demo"
PRINCIPAL = "team:media"
CREDENTIAL_NAME = "embedded-cos"

SEEDS = {
    RAW: (
        SeedObject(key="incoming/film.mov", pattern_bytes=96 * MIB + 12_345, seed=1),
        SeedObject(key="incoming/archive.tar", pattern_bytes=3 * 1024 * MIB, seed=2),
        SeedObject(key="incoming/draft.txt", data=b"first version of the draft\n" * 100_000),
    ),
    FINANCE: (SeedObject(key="reports/q3.xlsx", pattern_bytes=8 * MIB, seed=3),),
    ARCHIVE: (SeedObject(key="incoming/old-film.mov", pattern_bytes=16 * MIB, seed=4),),
}


@dataclass(frozen=True, slots=True)
class DemoChoices:
    """What the command line chose."""

    host: str
    port: int
    admin_port: int
    folder: Path
    policies: Path
    once: bool


def run_demo(choices: DemoChoices, console: Console) -> int:
    """Run the demo. Returns the exit code: 0, or 1 when a step did not behave. Raises PortTaken and others."""
    return asyncio.run(_demo(choices, console))


async def _demo(choices: DemoChoices, console: Console) -> int:
    settings = _settings(choices)
    configure_logging(level=settings.log.level, json=False)
    for host, port in ((settings.data.host, settings.data.port), (settings.admin.host, settings.admin.port)):
        # Before the key of an earlier run goes: that run may still be serving on these very ports.
        bind(host, port).close()
    issued, credential = await _prepare(settings)
    account = Account(appid=APPID, uin=EMBEDDED_UIN, credentials=(credential,))
    async with hosted(settings, accounts=[account], objects=SEEDS) as (gateway, cos):
        if cos is None:
            raise ValueError("the demo runs on the embedded COS")
        console.rule("[bold]COS Gateway[/bold]: a guided copy")
        caller = DemoClient(gateway.endpoint, issued.record.id, issued.secret)
        owner = DemoClient(cos.url, credential.secret_id, Secret(credential.secret_key))
        try:
            await GuidedCopy(caller, owner, console).run()
            _show_credentials(cos, issued, credential, console)
        except StepFailed as failure:
            console.print(f"[bold red]This did not behave:[/bold red] {failure}")
            return 1
        finally:
            await caller.aclose()
            await owner.aclose()
        if not choices.once:
            _show_how_to_use(gateway, issued, console)
            await until_stopped(gateway)
            console.print("Stopping: requests in flight may finish.")
    return 0


def _settings(choices: DemoChoices) -> Settings:
    folder = choices.folder
    folder.mkdir(parents=True, exist_ok=True)
    master_key = folder / "master.key"
    if not master_key.exists():
        generate_master_key_file(master_key)
    return Settings(
        data=DataSettings(host=choices.host, port=choices.port),
        admin=AdminSettings(port=choices.admin_port),
        embedded=EmbeddedSettings(enabled=True),
        store=StoreSettings(path=folder / "gateway.db"),
        master_key=MasterKeySettings(file=master_key),
        audit=AuditSettings(path=folder / "audit.jsonl"),
        policies=PolicySettings(paths=(choices.policies,)),
        # The screen belongs to the guided copy; what went wrong is still said.
        log=LogSettings(level=LogLevel.WARNING, format=LogFormat.TEXT),
        buckets=tuple(
            BucketSettings(name=name, region=region, account=APPID)
            for name, region in ((RAW, GUANGZHOU), (MEDIA, GUANGZHOU), (FINANCE, GUANGZHOU), (ARCHIVE, SHANGHAI))
        ),
    )


async def _prepare(settings: Settings) -> tuple[IssuedKey, Credential]:
    """A fresh key for the demo and a fresh COS credential, both sealed in the store; those of earlier runs go."""
    if settings.master_key.file is None:
        raise ValueError("the demo has a master key file")
    vault = Vault(read_master_keys(settings.master_key.file))
    async with await Database.open(settings.store.path) as database:
        keys = IssuedKeys(database, vault)
        for record in await keys.list():
            if DEMO_LABEL in record.labels:
                await keys.delete(record.id)
        issued = await keys.create(principal=PRINCIPAL, labels={DEMO_LABEL: "guided copy"})
        credentials = HeldCredentials(database, vault)
        for summary in await credentials.list():
            if summary.name == CREDENTIAL_NAME:
                await credentials.remove(CREDENTIAL_NAME)
        credential = Credential(secret_id=f"AKID{secrets.token_hex(16)}", secret_key=secrets.token_urlsafe(24))
        await credentials.add(
            name=CREDENTIAL_NAME,
            account=APPID,
            secret_id=credential.secret_id,
            secret_key=Secret(credential.secret_key),
        )
    return issued, credential


def _show_credentials(cos: RunningEmulator, issued: IssuedKey, credential: Credential, console: Console) -> None:
    """Which keys COS saw: never the caller's."""
    seen = {entry.access_key_id for entry in cos.emulator.log.entries if entry.access_key_id}
    if issued.record.id in seen or credential.secret_id not in seen:
        raise StepFailed(f"COS saw the keys {sorted(seen)}")
    console.print(
        f"  COS saw only the server-held credential [cyan]{credential.secret_id[:8]}…[/cyan]; "
        f"the caller's key [cyan]{issued.record.id}[/cyan] means nothing to it."
    )


def _show_how_to_use(gateway: Gateway, issued: IssuedKey, console: Console) -> None:
    endpoint, key_id, secret = gateway.endpoint, issued.record.id, issued.secret.reveal()
    snippet: Callable[..., str]
    console.print()
    console.print(
        Panel(
            f"endpoint  {endpoint}\n"
            f"admin     {gateway.admin_endpoint}  (/healthz, /readyz, /metrics)\n"
            f"key id    {key_id}\n"
            f"secret    {secret}\n"
            f"audit     {gateway.services.settings.audit.path}",
            title="The gateway is serving; Ctrl-C stops it",
            expand=False,
        )
    )
    for title, snippet in (
        ("COS Python SDK", python_snippet),
        ("coscmd", coscmd_snippet),
        ("boto3", boto3_snippet),
    ):
        console.rule(title, align="left")
        # Plain print: a snippet must survive being pasted, without wrapping or markup.
        console.print(
            snippet(endpoint=endpoint, key_id=key_id, secret=secret, bucket=MEDIA, region=GUANGZHOU, source=RAW),
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
