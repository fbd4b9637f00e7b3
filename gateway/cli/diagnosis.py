"""What `cos-gateway doctor` looks at: the machine, the store, and COS as it can be seen from here.

Nothing is changed, and nothing is asked of COS but listings of one object and unsigned questions. A finding names
files, hosts, credentials by their name and COS's error codes; never a secret.
"""

from __future__ import annotations

import asyncio
import os
import stat
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from cos.address import cos_host
from cos.values import Region
from gateway.audit_files import audit_files
from gateway.cli.store_probe import StoreUnreadable, look_into
from gateway.configuration.contradictions import is_loopback
from gateway.credential_services import credentials_of, open_master_keys, renewing
from gateway.credentials.expiring import NOTICE
from gateway.credentials.master_key import MasterKeyError
from gateway.credentials.master_key_needs import MasterKeyNeeds
from gateway.credentials.probe import Verdict, probe
from gateway.credentials.upstream import StoredUpstreamCredentials
from gateway.credentials.vault import Vault
from gateway.credentials.watch import StoreWatch
from gateway.inquiry import ask, question
from gateway.ports import BucketRecord, CredentialUnavailable, KeyState, PortError, Upstream
from gateway.services import bucket_records, upstream_settings
from gateway.sessions.configured import configured_providers
from gateway.settings import Settings
from gateway.store_services import open_store
from gateway.stores.database import Database
from gateway.stores.errors import RecordExists
from gateway.stores.upstream_credentials import CredentialState
from gateway.tls.files import TlsFileError, load
from gateway.upstreams.connector import resolve
from gateway.upstreams.http import HttpUpstream

TIMEOUT_SECONDS = 10.0
MAX_GOOD_SKEW_SECONDS = 30.0
"""COS refuses signatures from 15 minutes on; a clock that is half a minute off is not kept by anything."""


class State(StrEnum):
    """How a check ended. Only a problem is a finding."""

    FINE = "fine"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing looked at."""

    check: str
    subject: str
    state: State
    detail: str


async def diagnose(settings: Settings, *, clock: Callable[[], float] = time.time) -> AsyncIterator[Diagnosis]:
    """Everything, in an order that tells causes before their consequences. `clock` gives Unix seconds."""
    for found in _files(settings):
        yield found
    yield await asyncio.to_thread(_tls, settings, datetime.fromtimestamp(clock(), UTC))
    vault = Vault()
    try:
        vault.load(await open_master_keys(settings))
    except MasterKeyError as error:
        yield Diagnosis("master key", "master_key", State.PROBLEM, str(error))
    else:
        ids = vault.master_key_ids
        detail = f"in use: {ids[0]}; {len(ids)} loaded" if ids else "none is given: the gateway would run sealed"
        yield Diagnosis("master key", "master_key", State.FINE if ids else State.PROBLEM, detail)
    async with AsyncExitStack() as stack:
        watch = None
        async for found, opened in _store(settings, stack):
            yield found
            watch = opened or watch
        if watch is not None and (problem := MasterKeyNeeds(watch, vault).problem):
            yield Diagnosis("master key", "store", State.PROBLEM, problem)
        if settings.embedded.enabled:
            yield Diagnosis("upstream", "embedded COS", State.NOTE, "inside the gateway: nothing to reach from here")
        else:
            async for found in _upstream(settings, watch, vault, stack, clock):
                yield found
        async for found in _providers(settings, stack):
            yield found


def _files(settings: Settings) -> list[Diagnosis]:
    documents = [
        file for path in settings.policies.paths for file in (sorted(path.glob("*.yaml")) if path.is_dir() else [path])
    ]
    secrets = [
        *((credential.secret_key_file, f"credential {credential.name}") for credential in settings.credentials),
        *((key.secret_file, f"key {key.id}") for key in settings.keys),
    ]
    return [
        *(_mode(file, 0o077, "audit log") for file in audit_files(settings.audit.path)),
        *(_mode(file, 0o022, "policies") for file in documents),
        *(_mode(file, 0o077, subject) for file, subject in secrets if file is not None),
    ]


def _tls(settings: Settings, now: datetime) -> Diagnosis:
    """Can the gateway be believed, and for how long? Blocks."""
    if settings.tls.certificate is None:
        open_to_all = not is_loopback(settings.data.host)
        detail = "none: keep what is sent in the clear off networks of others" if open_to_all else "none is given"
        return Diagnosis("tls", "tls.certificate", State.NOTE if open_to_all else State.FINE, detail)
    try:
        found = load(settings.tls)
    except TlsFileError as error:
        return Diagnosis("tls", "tls", State.PROBLEM, str(error))
    detail = f"{found.subject}, {found.period}"
    if not found.is_current(now):
        return Diagnosis("tls", "tls.certificate", State.PROBLEM, f"out of date: {detail}")
    if not found.is_current(now + NOTICE):
        return Diagnosis("tls", "tls.certificate", State.NOTE, f"over within {NOTICE.days} days: {detail}")
    return Diagnosis("tls", "tls.certificate", State.FINE, detail)


def _mode(path: Path, forbidden: int, subject: str) -> Diagnosis:
    try:
        status = path.stat()
    except FileNotFoundError:
        parent = next(folder for folder in path.absolute().parents if folder.exists())
        writable = os.access(parent, os.W_OK | os.X_OK)
        detail = f"{path} is not there yet" if writable else f"{path} is not there and {parent} cannot be written"
        return Diagnosis("files", subject, State.NOTE if writable else State.PROBLEM, detail)
    except OSError as error:
        return Diagnosis("files", subject, State.PROBLEM, f"{path}: {error.strerror}")
    mode = stat.S_IMODE(status.st_mode)
    if mode & forbidden:
        return Diagnosis("files", subject, State.PROBLEM, f"{path} has mode {mode:04o}: others may use it; chmod it")
    return Diagnosis("files", subject, State.FINE, f"{path} has mode {mode:04o}")


async def _store(settings: Settings, stack: AsyncExitStack) -> AsyncIterator[tuple[Diagnosis, StoreWatch | None]]:
    name = str(settings.store.path) if settings.store.postgresql is None else settings.store.postgresql.database
    try:
        look = await look_into(settings.store)
        if look is None:
            yield _mode(settings.store.path, 0o077, "store"), None
            return
        if not look.current:
            detail = "not of this release; the gateway brings it up to date when it starts"
            yield Diagnosis("store", name, State.NOTE, detail), None
            return
        database = await stack.enter_async_context(await open_store(settings.store))
        watch = StoreWatch(database)
        await watch.refresh()
    except (PortError, StoreUnreadable) as error:
        yield Diagnosis("store", name, State.PROBLEM, str(error)), None
        return
    contents, now = watch.contents, datetime.now(UTC)
    counted = f"{len(contents.access_keys)} keys, {len(contents.upstream_credentials)} credential versions"
    yield Diagnosis("store", name, State.FINE, counted), watch
    for key in contents.access_keys.values():
        if key.state is not KeyState.ACTIVE or key.expires_at is None or key.expires_at > now + NOTICE:
            continue
        when = "expired at" if key.expires_at <= now else "expires at"
        note = f"{when} {key.expires_at.isoformat()} ({key.principal})"
        yield Diagnosis("keys", key.id, State.NOTE, note), watch


async def _upstream(
    settings: Settings, watch: StoreWatch | None, vault: Vault, stack: AsyncExitStack, clock: Callable[[], float]
) -> AsyncIterator[Diagnosis]:
    try:
        upstream = HttpUpstream(upstream_settings(settings))
    except OSError as error:
        yield Diagnosis("upstream", "upstream.ca_file", State.PROBLEM, f"{error.strerror or error}")
        return
    stack.push_async_callback(upstream.aclose)
    buckets = bucket_records(settings)
    if not buckets:
        yield Diagnosis("upstream", "buckets", State.NOTE, "none is declared: no region to look at")
    for region in sorted({bucket.region for bucket in buckets}):
        bucket = next(bucket for bucket in buckets if bucket.region == region)
        yield await _dns(settings, region, bucket)
        for found in await _reach(upstream, region, bucket, clock):
            yield found
    if watch is None:
        # Configured credentials can be tried without the store.
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="cos-gateway-doctor-")))
        watch = StoreWatch(await stack.enter_async_context(await Database.open(folder / "empty.db")))
    async for found in _credentials(settings, watch, vault, upstream, buckets, stack, clock):
        yield found


async def _dns(settings: Settings, region: Region, bucket: BucketRecord) -> Diagnosis:
    endpoint = settings.upstream.endpoint
    parts = urlsplit(endpoint or f"https://{cos_host(bucket.name, bucket.region)}")
    host = parts.hostname or ""
    guarded = endpoint is None and not settings.upstream.allow_private_addresses
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            addresses = await resolve(host, parts.port or 443, guarded=guarded)
    except TimeoutError:
        return Diagnosis("dns", region, State.PROBLEM, f"no answer for {host} in {TIMEOUT_SECONDS:g} s")
    except (OSError, UnicodeError) as error:
        return Diagnosis("dns", region, State.PROBLEM, f"no address for {host}: {error}")
    return Diagnosis("dns", region, State.FINE, f"{host} is {addresses[0]}")


async def _reach(
    upstream: Upstream, region: Region, bucket: BucketRecord, clock: Callable[[], float]
) -> list[Diagnosis]:
    """An unsigned question: COS refuses it, which is the answer that is wanted, and tells its time."""
    host = cos_host(bucket.name, bucket.region)
    before = clock()
    try:
        answer = await ask(upstream, question("HEAD", host, "/"), timeout_seconds=TIMEOUT_SECONDS)
    except PortError as error:
        return [Diagnosis("reach", region, State.PROBLEM, str(error))]
    after = clock()
    is_cos = answer.header(b"x-cos-request-id") is not None
    detail = f"{host} answered {answer.status} in {1000 * (after - before):.0f} ms"
    if not is_cos:
        return [Diagnosis("reach", region, State.PROBLEM, f"{detail}, and is not COS: it names no request id")]
    return [Diagnosis("reach", region, State.FINE, detail), _clock(answer.header(b"date"), region, before, after)]


def _clock(date: bytes | None, region: Region, before: float, after: float) -> Diagnosis:
    try:
        told = parsedate_to_datetime((date or b"").decode("ascii")).timestamp()
    except (ValueError, UnicodeDecodeError):
        return Diagnosis("clock", region, State.NOTE, "COS told no time")
    # Date has whole seconds: the moment lies somewhere in its second.
    skew = max(0.0, told - after) or min(0.0, told + 1 - before)
    state = State.FINE if abs(skew) <= MAX_GOOD_SKEW_SECONDS else State.PROBLEM
    direction = "behind" if skew > 0 else "ahead of"
    detail = f"{abs(skew):.0f} s {direction} COS" if abs(skew) >= 1 else "as COS's"
    return Diagnosis("clock", region, state, f"the clock here is {detail}")


async def _credentials(
    settings: Settings,
    watch: StoreWatch,
    vault: Vault,
    upstream: Upstream,
    buckets: list[BucketRecord],
    stack: AsyncExitStack,
    clock: Callable[[], float],
) -> AsyncIterator[Diagnosis]:
    try:
        await watch.refresh()
        held = credentials_of(settings, watch, vault)
        await stack.enter_async_context(renewing(settings, held))
    except (PortError, RecordExists) as error:
        yield Diagnosis("credentials", "-", State.PROBLEM, str(error))
        return
    used: dict[str, BucketRecord] = {}
    for bucket in buckets:
        try:
            used.setdefault(held.open_for(bucket).name, bucket)
        except PortError as error:
            yield Diagnosis("credentials", bucket.name, State.PROBLEM, str(error))
    stored = watch.contents.upstream_credentials
    names = {record.name for record in stored if record.state is CredentialState.ACTIVE}
    for name in sorted(names | {credential.name for credential in settings.credentials}):
        yield await _probe(held, upstream, name, used.get(name), clock)


async def _probe(
    held: StoredUpstreamCredentials,
    upstream: Upstream,
    name: str,
    bucket: BucketRecord | None,
    clock: Callable[[], float],
) -> Diagnosis:
    try:
        finding = await probe(upstream, held.open_named(name), bucket, int(clock()))
    except CredentialUnavailable as error:
        return Diagnosis("credentials", name, State.PROBLEM, str(error))
    except PortError as error:
        return Diagnosis("credentials", name, State.PROBLEM, f"not tried: {error}")
    state = {Verdict.WORKS: State.FINE, Verdict.DENIED: State.NOTE}.get(finding.verdict, State.PROBLEM)
    return Diagnosis("credentials", name, state, str(finding))


async def _providers(settings: Settings, stack: AsyncExitStack) -> AsyncIterator[Diagnosis]:
    if settings.identity_providers and settings.sts.port is None:
        yield Diagnosis("sessions", "sts.port", State.PROBLEM, "null, so that no identity token can be exchanged")
    for provider in settings.identity_providers:
        try:
            count = await configured_providers((provider,), stack).count_keys(provider.issuer)
        except (PortError, OSError) as error:
            yield Diagnosis("sessions", provider.name, State.PROBLEM, str(error))
            continue
        detail = f"{provider.jwks_url} holds {count} usable keys"
        yield Diagnosis("sessions", provider.name, State.FINE if count else State.PROBLEM, detail)
