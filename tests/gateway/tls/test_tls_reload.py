"""A certificate is replaced while the gateway serves: checked whole, then swapped; on any error the old one stays."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from prometheus_client import CollectorRegistry

from gateway.configuration.tls import ClientCertificates, TlsSettings
from gateway.exchange import Exchange
from gateway.server.deadlines import Deadlines
from gateway.tls.active import ServerCertificate
from tests.gateway.server.secure_server import Secured, securely_serving
from tests.gateway.server.test_server import ok
from tests.support.certificates import DAY, Authority, Issued, client_context
from tests.support.waiting import PATIENCE_SECONDS, until

PATIENT = Deadlines(60, 60, 60)
GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
def authority() -> Authority:
    return Authority()


class Site:
    """The files of a server that asks for client certificates, and of one client."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        self.folder, self.authority = folder, authority
        self.certificate, self.key = folder / "tls.pem", folder / "tls.key"
        self.ca, self.crl = folder / "ca.pem", folder / "crl.pem"
        self.first = authority.server()
        self.client = authority.issue(common_names=("media",), client=True)
        self.first.write(self.certificate, self.key)
        self.ca.write_bytes(authority.pem)
        self.crl.write_bytes(authority.revocations())
        self.settings = TlsSettings(
            certificate=self.certificate,
            key=self.key,
            client_certificates=ClientCertificates.OPTIONAL,
            client_ca=self.ca,
            client_crl=self.crl,
        )

    def replace(self, *, starts: timedelta = -DAY, ends: timedelta = 30 * DAY) -> Issued:
        fresh = self.authority.server(starts=starts, ends=ends)
        fresh.write(self.certificate, self.key)
        return fresh

    def context(self, presented: Issued | None = None) -> ssl.SSLContext:
        return client_context(self.authority, presented, self.folder)


@pytest.fixture
def site(tmp_path: Path, authority: Authority) -> Site:
    return Site(tmp_path, authority)


class Client:
    """A connection that is kept."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        self.serial = f"{x509.load_der_x509_certificate(der).serial_number:x}"

    async def ask(self) -> None:
        self._writer.write(GET)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert (await self._reader.readuntil(b"\r\n\r\nok")).startswith(b"HTTP/1.1 200")

    async def ended(self) -> None:
        """Wait until the server closed it."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await self._reader.read() == b""

    def close(self) -> None:
        self._writer.close()


@asynccontextmanager
async def client(secured: Secured, context: ssl.SSLContext) -> AsyncIterator[Client]:
    kept = Client(*await secured.connect(context))
    try:
        yield kept
    finally:
        kept.close()


async def serial_now(secured: Secured, site: Site) -> str:
    async with client(secured, site.context()) as kept:
        await kept.ask()
        return kept.serial


def sample(certificate: ServerCertificate, name: str, labels: dict[str, str] | None = None) -> float | None:
    registry = CollectorRegistry()
    registry.register(certificate)
    return registry.get_sample_value(name, labels or {})


async def test_new_connections_are_greeted_with_the_new_certificate_and_old_ones_go_on(site: Site) -> None:
    async with securely_serving(ok, site.settings, PATIENT) as secured, client(secured, site.context()) as kept:
        await kept.ask()
        assert kept.serial == site.first.serial
        fresh = site.replace()
        assert await serial_now(secured, site) == site.first.serial
        assert await secured.certificate.try_reload("signal")
        assert await serial_now(secured, site) == fresh.serial
        await kept.ask()
        not_after = fresh.certificate.not_valid_after_utc.timestamp()
        assert sample(secured.certificate, "cosgw_tls_certificate_not_after_seconds") == not_after
        assert sample(secured.certificate, "cosgw_tls_reloads_total", {"cause": "signal", "result": "active"}) == 1
        assert fresh.serial in secured.certificate.check().detail


BAD: dict[str, Callable[[Site], object]] = {
    "no file": lambda site: site.certificate.unlink(),
    "half a file": lambda site: site.certificate.write_bytes(site.first.pem[:400]),
    "another's key": lambda site: site.key.write_bytes(site.authority.server().key_pem()),
    "a key for everybody": lambda site: site.key.chmod(0o644),
    "out of date": lambda site: site.replace(starts=-3 * DAY, ends=-DAY),
    "not yet": lambda site: site.replace(starts=DAY, ends=3 * DAY),
    "stale lists": lambda site: site.crl.write_bytes(site.authority.revocations(ends=-DAY / 2)),
    "no authority": lambda site: site.ca.write_bytes(b""),
}


@pytest.mark.parametrize("bad", BAD)
async def test_files_that_cannot_be_used_leave_the_old_ones_in_use_and_it_shows(site: Site, bad: str) -> None:
    async with securely_serving(ok, site.settings, PATIENT) as secured, client(secured, site.context()) as kept:
        await kept.ask()
        BAD[bad](site)
        assert not await secured.certificate.try_reload("file")
        assert await serial_now(secured, site) == site.first.serial
        await kept.ask()
        check = secured.certificate.check()
        assert check.ready
        assert site.first.serial in check.detail
        assert "the files on disk are refused" in check.detail
        assert sample(secured.certificate, "cosgw_tls_files_refused") == 1
        assert sample(secured.certificate, "cosgw_tls_reloads_total", {"cause": "file", "result": "refused"}) == 1
        site.key.unlink()
        fresh = site.replace()
        site.ca.write_bytes(site.authority.pem)
        site.crl.write_bytes(site.authority.revocations())
        assert await secured.certificate.try_reload("file")
        assert await serial_now(secured, site) == fresh.serial
        assert sample(secured.certificate, "cosgw_tls_files_refused") == 0
        assert "refused" not in secured.certificate.check().detail


async def test_a_start_with_a_certificate_out_of_date_serves_it_and_says_so(site: Site) -> None:
    old = site.replace(starts=-3 * DAY, ends=-DAY)
    async with securely_serving(ok, site.settings, PATIENT) as secured:
        context = site.context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        async with client(secured, context) as kept:
            await kept.ask()
            assert kept.serial == old.serial
        assert secured.certificate.check().detail.startswith("out of date")


async def test_the_same_files_again_change_nothing(site: Site) -> None:
    certificate = ServerCertificate(site.settings)
    certificate.load()
    before = certificate.context
    assert await certificate.try_reload("signal")
    assert certificate.context is before
    assert sample(certificate, "cosgw_tls_reloads_total", {"cause": "signal", "result": "unchanged"}) == 1


# --- watching -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def watched(site: Site) -> AsyncIterator[ServerCertificate]:
    certificate = ServerCertificate(site.settings)
    certificate.load()
    watching = asyncio.create_task(certificate.watch(poll_seconds=0.05))
    try:
        yield certificate
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


async def test_a_change_is_seen_without_a_signal(site: Site) -> None:
    async with watched(site) as certificate:
        for _ in range(2):
            fresh = site.replace()
            await until(lambda serial=fresh.serial: certificate.material.serial == serial)
        site.key.chmod(0o644)
        await until(lambda: certificate.refusal is not None)
        site.key.chmod(0o600)
        await until(lambda: certificate.refusal is None)


async def test_a_certificate_that_comes_before_its_key_is_taken_with_it(site: Site) -> None:
    fresh = site.authority.server()
    async with watched(site) as certificate:
        site.certificate.write_bytes(fresh.pem)
        await until(lambda: certificate.refusal is not None)
        assert certificate.material.serial == site.first.serial
        site.key.write_bytes(fresh.key_pem())
        await until(lambda: certificate.material.serial == fresh.serial)
        assert certificate.refusal is None


async def test_what_changed_between_reading_and_watching_is_seen(site: Site) -> None:
    certificate = ServerCertificate(site.settings)
    certificate.load()
    fresh = site.replace()
    watching = asyncio.create_task(certificate.watch(poll_seconds=0.05))
    await until(lambda: certificate.material.serial == fresh.serial)
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching


# --- whose certificates are believed --------------------------------------------------------------------------------


async def test_connections_with_a_certificate_come_again_when_others_are_believed(site: Site) -> None:
    async with (
        securely_serving(ok, site.settings, PATIENT) as secured,
        client(secured, site.context(site.client)) as certified,
        client(secured, site.context()) as uncertified,
    ):
        await certified.ask()
        await uncertified.ask()
        site.replace()
        await secured.certificate.try_reload("file")
        await certified.ask()
        site.crl.write_bytes(site.authority.revocations(site.client))
        await secured.certificate.try_reload("file")
        await certified.ended()
        await uncertified.ask()
        with pytest.raises((OSError, asyncio.IncompleteReadError)):
            async with client(secured, site.context(site.client)) as again:
                await again.ask()


async def test_a_handshake_that_began_before_the_change_does_not_outlive_it(site: Site) -> None:
    """TLS by hand: the certificate is presented only when it has been revoked already."""
    async with securely_serving(ok, site.settings, PATIENT) as secured:
        reader, writer = await secured.connect()
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        secure = site.context(site.client).wrap_bio(incoming, outgoing, server_hostname="localhost")
        with pytest.raises(ssl.SSLWantReadError):
            secure.do_handshake()
        writer.write(outgoing.read())
        incoming.write(await asyncio.wait_for(reader.read(65_536), PATIENCE_SECONDS))
        site.crl.write_bytes(site.authority.revocations(site.client))
        await secured.certificate.try_reload("file")
        secure.do_handshake()
        secure.write(GET)
        writer.write(outgoing.read())
        async with asyncio.timeout(PATIENCE_SECONDS):
            while piece := await reader.read(65_536):
                incoming.write(piece)
        received = b""
        with suppress(ssl.SSLError):
            while piece := secure.read():
                received += piece
        assert received.count(b"HTTP/1.1 ") <= 1, "and the connection has ended"
        writer.close()
        await secured.settled()


@pytest.mark.parametrize(("version", "resumed"), [(ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, False)])
async def test_a_resumed_session_has_its_certificate_and_ends_with_the_trust(
    site: Site, version: ssl.TLSVersion, resumed: bool
) -> None:
    seen: list[str | None] = []

    async def handler(exchange: Exchange) -> None:
        seen.append(exchange.certificate.serial if exchange.certificate is not None else None)
        await ok(exchange)

    def connect(port: int, session: ssl.SSLSession | None) -> tuple[bool | None, ssl.SSLSession | None]:
        peer = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
        with context.wrap_socket(peer, server_hostname="localhost", session=session) as secured:
            secured.sendall(GET)
            received = b""
            while not received.endswith(b"ok"):
                received += secured.recv(65_536)
            reused, used = secured.session_reused, secured.session
            # OpenSSL forgets a session whose connection ended without a goodbye.
            secured.unwrap()
            return reused, used

    context = site.context(site.client)
    context.maximum_version = version
    async with securely_serving(handler, site.settings, PATIENT) as secured:
        reused, session = await asyncio.to_thread(connect, secured.port, None)
        assert not reused
        reused, session = await asyncio.to_thread(connect, secured.port, session)
        assert reused is resumed
        site.crl.write_bytes(site.authority.revocations(site.first))
        await secured.certificate.try_reload("file")
        reused, _ = await asyncio.to_thread(connect, secured.port, session)
        assert not reused
    assert seen == [site.client.serial] * 3
