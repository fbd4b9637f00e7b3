"""The composition root: settings in, a ready pipeline out. The only place that knows every adapter."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

from cos.address import Domains
from cos.signing import WindowLimits
from cos.values import Bucket, Region
from gateway.access_log import AccessLog, JsonAccessLog, no_access_log, structured_access_log
from gateway.audit import JsonLinesAuditLog
from gateway.authenticate import Authenticator
from gateway.authorize import Authorizer
from gateway.credential_services import credentials_of, discovering, open_master_keys, renewing
from gateway.credentials.administration import Administration
from gateway.credentials.drain import Drain
from gateway.credentials.master_key_needs import MasterKeyNeeds
from gateway.credentials.refreshed import RefreshedCredential
from gateway.credentials.rotation import Rotation
from gateway.credentials.snapshot import KeySnapshot
from gateway.credentials.upstream import StoredUpstreamCredentials
from gateway.credentials.vault import Vault
from gateway.credentials.watch import StoreWatch
from gateway.facts import SourceFacts
from gateway.forward import Forwarder
from gateway.limits import InFlight
from gateway.pipeline import Pipeline
from gateway.policy_files import PolicyFiles
from gateway.policy_watch import watch_policies
from gateway.ports import AccessKey, BucketRecord, PortError
from gateway.readiness import Check
from gateway.registry.buckets import BucketRegistry
from gateway.relay import Relay
from gateway.session_services import SessionServices, session_services
from gateway.settings import Durability, LogFormat, LogLevel, Settings
from gateway.store_services import open_store
from gateway.telemetry import Telemetry
from gateway.tls.active import ServerCertificate, certificate_in_use
from gateway.upstreams.http import HttpUpstream
from gateway.upstreams.settings import PoolLimits, Timeouts, TransportKind, UpstreamSettings
from policies.regions import Territories


@dataclass(slots=True)
class Services:
    """What runs behind the ports. `accepting` is set while the data port takes requests."""

    settings: Settings
    pipeline: Pipeline
    policies: PolicyFiles
    telemetry: Telemetry
    vault: Vault
    master_key_needs: MasterKeyNeeds
    keys: KeySnapshot
    credentials: StoredUpstreamCredentials
    renewed: list[RefreshedCredential]
    buckets: BucketRegistry
    watch: StoreWatch
    audit: JsonLinesAuditLog
    administration: Administration
    rotation: Rotation
    sessions: SessionServices
    certificate: ServerCertificate | None
    """None: the data and sts ports speak plain HTTP."""
    accepting: bool = False

    def checks(self) -> list[Check]:
        """The conditions of readiness, from memory."""
        return [
            Check("accepting", self.accepting, "takes requests" if self.accepting else "starting or draining"),
            self.master_key_needs.check(),
            self._key_check(),
            self._credential_check(),
            self._bucket_check(),
            Check("policies", self.policies.healthy, self.policies.state),
            Check("audit", not self.audit.failing, str(self.audit.path)),
            *([] if self.certificate is None else [self.certificate.check()]),
        ]

    def reload_soon(self, cause: str) -> None:
        """Read policy documents and certificates anew, from a signal handler of the event loop."""
        self.policies.reload_soon(cause)
        if self.certificate is not None:
            self.certificate.reload_soon(cause)

    def _key_check(self) -> Check:
        try:
            self.keys.find("readiness")
        except PortError as error:
            return Check("keys", ready=False, detail=str(error))
        return Check("keys", ready=True, detail=f"store read {self.watch.age_seconds:.1f} s ago")

    def _bucket_check(self) -> Check:
        unlisted = self.buckets.unlisted
        detail = f"the accounts of {', '.join(unlisted)} were not listed yet" if unlisted else "known"
        return Check("buckets", not unlisted or bool(self.buckets.records()), detail)

    def _credential_check(self) -> Check:
        """Ready while any renewed credential can be used: the others' buckets answer 503, the rest is served."""
        usable = not self.renewed or any(credential.available for credential in self.renewed)
        detail = "; ".join(f"{credential.name}: {credential.detail}" for credential in self.renewed)
        return Check("credentials", usable, detail or "none is renewed")


@asynccontextmanager
async def open_services(settings: Settings, *, notices: bool = True) -> AsyncIterator[Services]:
    """Build everything from checked settings, and close it again. `notices`: say in the log which keys expire soon.

    Raises PolicyErrors, MasterKeyError, TlsFileError, RecordExists and PortError; then nothing is left open.
    """
    async with AsyncExitStack() as stack:
        policies = PolicyFiles(settings.policies.paths, territories=territories(settings))
        policies.load()
        certificate = await stack.enter_async_context(certificate_in_use(settings.tls))
        audit = JsonLinesAuditLog(settings.audit.path, sync=settings.audit.durability is Durability.DISK)
        stack.push_async_callback(audit.aclose)
        vault = Vault(await open_master_keys(settings))
        database = await stack.enter_async_context(await open_store(settings.store))
        watch = StoreWatch(database, max_stale_seconds=settings.store.stale_seconds)
        keys = KeySnapshot(watch, vault, configured=_configured_keys(settings))
        credentials = credentials_of(settings, watch, vault)
        await watch.refresh()
        keys.ensure_no_duplicates()
        needs = MasterKeyNeeds(watch, vault)
        needs.warn()
        renewed = await stack.enter_async_context(renewing(settings, credentials))
        credentials.ensure_no_duplicates()
        sessions = await stack.enter_async_context(
            session_services(
                settings,
                database,
                watch,
                vault,
                keys,
                audit,
                limits=_window_limits(settings),
                territories=territories(settings),
                notices=notices,
            )
        )
        upstream = HttpUpstream(upstream_settings(settings))
        stack.push_async_callback(upstream.aclose)
        buckets = BucketRegistry(bucket_records(settings), listed=settings.discovery.credentials)
        await stack.enter_async_context(discovering(settings, buckets, upstream, credentials))
        in_flight = InFlight(
            max_requests=settings.data.max_in_flight,
            max_per_principal=settings.data.max_in_flight_per_principal,
        )
        telemetry = Telemetry(_access_log(settings, stack), in_flight=in_flight)
        telemetry.registry.register(policies)
        if certificate is not None:
            telemetry.registry.register(certificate)
        if settings.policies.watch and settings.policies.paths:
            stack.push_async_callback(_cancelled, asyncio.create_task(watch_policies(policies)))
        forwarder = Forwarder(credentials, upstream)
        pipeline = Pipeline(
            domains=Domains(gateway=settings.data.domains),
            authenticator=Authenticator(
                keys,
                limits=_window_limits(settings),
                sessions=sessions.opened,
                uses=sessions.uses,
                sigv2=settings.signature.sigv2,
                certificates=settings.tls.terms,
            ),
            authorizer=Authorizer(
                buckets,
                policies,
                SourceFacts(forwarder, audit.record),
                reason_detail=settings.policies.reason_detail,
            ),
            in_flight=in_flight,
            audit=audit,
            forwarder=forwarder,
            relay=Relay(hold_seconds=settings.upstream.complete_hold_seconds),
            telemetry=telemetry,
            copy_timeout_seconds=settings.upstream.copy_timeout_seconds,
        )
        polling = asyncio.create_task(watch.run())
        stack.push_async_callback(_cancelled, polling)
        administration = Administration(database, vault, audit, applied=watch.refresh_soon)
        draining = asyncio.create_task(Drain(watch, administration.credentials).run())
        stack.push_async_callback(_cancelled, draining)
        yield Services(
            settings=settings,
            pipeline=pipeline,
            policies=policies,
            telemetry=telemetry,
            vault=vault,
            master_key_needs=needs,
            keys=keys,
            credentials=credentials,
            renewed=renewed,
            buckets=buckets,
            watch=watch,
            audit=audit,
            administration=administration,
            rotation=Rotation(
                database,
                vault,
                administration.credentials,
                upstream,
                buckets_of=lambda name: credentials.buckets_of(name, buckets.records()),
            ),
            sessions=sessions,
            certificate=certificate,
        )


def _access_log(settings: Settings, stack: AsyncExitStack) -> AccessLog:
    if settings.log.level not in (LogLevel.DEBUG, LogLevel.INFO):
        return no_access_log
    if settings.log.format is not LogFormat.JSON:
        return structured_access_log
    log = JsonAccessLog(sys.stderr.buffer, shared=settings.workers > 1)
    stack.callback(log.close)
    return log


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def territories(settings: Settings) -> Territories:
    """Which territory each known region is in, with those the settings add."""
    return Territories().extended(
        mainland=map(Region, settings.regions.mainland), overseas=map(Region, settings.regions.overseas)
    )


def _window_limits(settings: Settings) -> WindowLimits:
    return WindowLimits(
        skew_seconds=settings.signature.skew_seconds,
        max_header_seconds=settings.signature.max_header_seconds,
        max_query_seconds=settings.signature.max_query_seconds,
    )


def bucket_records(settings: Settings) -> list[BucketRecord]:
    """The bucket registry as the settings declare it."""
    return [
        BucketRecord(
            name=Bucket(bucket.name), region=Region(bucket.region), account=bucket.account, credential=bucket.credential
        )
        for bucket in settings.buckets
    ]


def _configured_keys(settings: Settings) -> list[AccessKey]:
    return [
        AccessKey(
            id=key.id,
            secret=key.secret,
            principal=key.principal,
            state=key.state,
            expires_at=key.expires_at,
            networks=key.networks,
            labels=key.labels,
        )
        for key in settings.keys
        if key.secret is not None
    ]


def upstream_settings(settings: Settings) -> UpstreamSettings:
    """The way to COS, as the settings describe it."""
    chosen = settings.upstream
    return UpstreamSettings(
        endpoint=chosen.endpoint,
        transport=TransportKind(chosen.transport),
        timeouts=Timeouts(
            pool_seconds=chosen.connect_timeout_seconds,
            connect_seconds=chosen.connect_timeout_seconds,
            write_seconds=chosen.idle_timeout_seconds,
            response_seconds=chosen.response_timeout_seconds,
            read_seconds=chosen.idle_timeout_seconds,
        ),
        limits=PoolLimits(
            max_connections_per_origin=chosen.connections_per_origin,
            max_idle_seconds=chosen.keepalive_seconds,
        ),
        ca_file=chosen.ca_file,
        allow_private=chosen.allow_private_addresses,
    )
