"""TLS and addresses: who is believed to be COS. Nothing is sent to anybody else."""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
import ssl
from pathlib import Path

import pytest
import trustme

from gateway.ports import UpstreamBroken, UpstreamUnreachable
from gateway.upstreams import HttpUpstream, Timeouts, TransportKind, UpstreamSettings
from gateway.upstreams.connector import is_global_address
from tests.gateway.upstreams.refusing_server import PACES, check_refusals_are_delivered
from tests.gateway.upstreams.scripted_server import (
    HOST,
    PATIENCE_SECONDS,
    Peer,
    answering,
    answering_always,
    build_answer,
    build_request,
    fetch,
    open_upstream,
    serve,
)


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def server_context(certificate: trustme.LeafCert, maximum: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if maximum is not None:
        context.minimum_version, context.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, maximum
        context.set_ciphers("ALL:@SECLEVEL=0")
    certificate.configure_cert(context)
    return context


async def test_server_is_verified_by_the_name_of_the_request(
    kind: TransportKind, authority: trustme.CA, ca_file: Path
) -> None:
    names: list[str | None] = []
    context = server_context(authority.issue_cert(HOST))
    context.sni_callback = lambda _ssl, name, _context: names.append(name)
    async with serve(answering_always(build_answer()), tls=context) as server:
        endpoint = f"https://127.0.0.1:{server.port}"
        async with open_upstream(kind, endpoint, ca_file=ca_file) as upstream:
            for _ in range(2):
                assert await fetch(upstream) == (200, b"fine")
    assert set(names) == {HOST}
    assert server.connections == (1 if kind is TransportKind.NATIVE else 2)


async def test_large_bodies_pass_through_tls_unchanged(
    kind: TransportKind, authority: trustme.CA, ca_file: Path
) -> None:
    body = bytes(range(256)) * 8192
    context = server_context(authority.issue_cert(HOST))

    async def script(peer: Peer) -> None:
        await peer.read_head()
        await peer.send(build_answer(await peer.read_exactly(len(body))))

    request = build_request("PUT", headers=((b"content-length", b"%d" % len(body)),))
    async with (
        serve(script, tls=context) as server,
        open_upstream(kind, f"https://127.0.0.1:{server.port}", ca_file=ca_file) as upstream,
    ):
        assert await fetch(upstream, request, body) == (200, body)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("fault", ["expired", "not yet valid", "wrong host", "untrusted", "no tls", "tls 1.1"])
async def test_server_that_cannot_be_verified_gets_nothing(
    kind: TransportKind, fault: str, authority: trustme.CA, ca_file: Path
) -> None:
    day, now = dt.timedelta(days=1), dt.datetime.now(dt.UTC)
    context: ssl.SSLContext | None
    match fault:
        case "expired":
            context = server_context(authority.issue_cert(HOST, not_before=now - 2 * day, not_after=now - day))
        case "not yet valid":
            context = server_context(authority.issue_cert(HOST, not_before=now + day, not_after=now + 2 * day))
        case "wrong host":
            context = server_context(authority.issue_cert("otherbucket-1250000000.cos.ap-guangzhou.myqcloud.com"))
        case "untrusted":
            context = server_context(trustme.CA().issue_cert(HOST))
        case "tls 1.1":
            context = server_context(authority.issue_cert(HOST), maximum=ssl.TLSVersion.TLSv1_1)
        case _:
            context = None
    timeouts = Timeouts(connect_seconds=0.5)
    async with (
        serve(answering(build_answer()), tls=context) as server,
        open_upstream(kind, f"https://127.0.0.1:{server.port}", ca_file=ca_file, timeouts=timeouts) as upstream,
    ):
        with pytest.raises(UpstreamUnreachable) as caught:
            await fetch(upstream)
        assert not caught.value.sent
    assert server.heads == []


async def test_server_that_never_finishes_the_handshake_is_unreachable(kind: TransportKind, ca_file: Path) -> None:
    async def script(peer: Peer) -> None:
        await peer.wait_closed_by_client()

    async with serve(script) as server:
        endpoint = f"https://127.0.0.1:{server.port}"
        timeouts = Timeouts(connect_seconds=0.2)
        async with open_upstream(kind, endpoint, ca_file=ca_file, timeouts=timeouts) as upstream:
            with pytest.raises(UpstreamUnreachable) as caught:
                await fetch(upstream)
            assert not caught.value.sent


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda v: v.name)
@pytest.mark.parametrize("says_goodbye", [True, False], ids=["close_notify", "cut"])
async def test_body_that_ends_with_the_connection_is_whole_only_after_a_goodbye(
    version: ssl.TLSVersion, says_goodbye: bool, authority: trustme.CA, ca_file: Path
) -> None:
    """Native only: the stock transport takes any end."""
    context = server_context(authority.issue_cert(HOST))
    context.maximum_version = version

    def answer(listener: socket.socket) -> None:
        accepted, _ = listener.accept()
        with accepted, context.wrap_socket(accepted, server_side=True) as client:
            client.recv(4096)
            client.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it")
            if says_goodbye:
                client.unwrap().close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_SECONDS)
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        async with open_upstream(TransportKind.NATIVE, url, ca_file=ca_file) as upstream:
            serving = asyncio.create_task(asyncio.to_thread(answer, listener))
            if says_goodbye:
                assert await fetch(upstream) == (200, b"all of it")
            else:
                with pytest.raises(UpstreamBroken, match="close_notify"):
                    await fetch(upstream)
            await serving


@pytest.mark.parametrize("pace", PACES)
async def test_last_words_before_a_reset_are_delivered_through_tls(
    pace: str, authority: trustme.CA, ca_file: Path
) -> None:
    """Native only."""
    await check_refusals_are_delivered(pace, tls=server_context(authority.issue_cert(HOST)), ca_file=ca_file)


async def test_byte_too_many_in_the_same_record_costs_the_connection(authority: trustme.CA, ca_file: Path) -> None:
    """Native only, as everything about connections that are used again."""
    context = server_context(authority.issue_cert(HOST))
    async with serve(answering_always(build_answer() + b"!"), tls=context) as server:
        url = f"https://127.0.0.1:{server.port}"
        async with open_upstream(TransportKind.NATIVE, url, ca_file=ca_file) as upstream:
            for _ in range(2):
                assert await fetch(upstream) == (200, b"fine")
    assert server.connections == 2


# --- addresses ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "169.254.169.254", "10.0.0.1", "0.0.0.0"])
async def test_host_of_a_request_may_not_lead_to_a_private_address(kind: TransportKind, host: str) -> None:
    async with serve(answering(build_answer())) as server, open_upstream(kind, None) as upstream:
        with pytest.raises(UpstreamUnreachable, match="global address") as caught:
            await fetch(upstream, build_request(host=f"{host}:{server.port}"))
        assert not caught.value.sent
    assert server.connections == 0


async def test_private_address_is_reached_when_it_is_allowed(
    kind: TransportKind, authority: trustme.CA, ca_file: Path
) -> None:
    context = server_context(authority.issue_cert("localhost"))
    async with (
        serve(answering(build_answer()), tls=context) as server,
        open_upstream(kind, None, ca_file=ca_file, allow_private=True) as upstream,
    ):
        assert await fetch(upstream, build_request(host=f"localhost:{server.port}")) == (200, b"fine")
    assert f"localhost:{server.port}".encode() in server.heads[0]


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "119.29.29.29", "2402:4e00::1", "64:ff9b::808:808", "2002:808:808::1", "::ffff:8.8.8.8"],
)
def test_public_address_is_global(address: str) -> None:
    assert is_global_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.255",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "169.254.0.23",
        "169.254.169.254",
        "192.0.2.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1%eth0",
        "fc00::1",
        "ff0e::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::1",
        "2001:db8::1",
    ],
)
def test_other_address_is_not_global(address: str) -> None:
    assert not is_global_address(address)


@pytest.mark.parametrize(
    "endpoint",
    ["", "127.0.0.1:9000", "ftp://h", "http://", "http://h/path", "http://h?x=1", "http://u:p@h", "http://h:99999"],
)
def test_endpoint_of_more_or_less_than_scheme_host_and_port_is_refused(endpoint: str) -> None:
    with pytest.raises(ValueError, match="endpoint"):
        HttpUpstream(UpstreamSettings(endpoint=endpoint))


def test_missing_certificate_file_is_refused_at_start(kind: TransportKind, tmp_path: Path) -> None:
    with pytest.raises(OSError):
        HttpUpstream(UpstreamSettings(transport=kind, ca_file=tmp_path / "missing.pem"))
