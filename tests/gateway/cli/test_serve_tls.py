"""`cos-gateway serve` with a certificate: it is replaced while the program runs, in every process of it."""

from __future__ import annotations

import signal
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from cryptography import x509

from tests.support.certificates import Authority, client_context
from tests.support.gateway_program import GatewayProgram
from tests.support.gateway_server import ALLOW_EVERYTHING
from tests.support.names import EXAMPLE
from tests.support.site import Site

ASK = f"GET / HTTP/1.1\r\nHost: {EXAMPLE.host}\r\n\r\n".encode()


def program_with(site: Site, folder: Path, authority: Authority, *, workers: int = 1) -> GatewayProgram:
    authority.server().write(folder / "tls.pem", folder / "tls.key")
    program = GatewayProgram(folder, f"http://127.0.0.1:{site.port}", ALLOW_EVERYTHING)
    program.variables = {
        "COSGW_TLS__CERTIFICATE": str(folder / "tls.pem"),
        "COSGW_TLS__KEY": str(folder / "tls.key"),
        "COSGW_WORKERS": str(workers),
    }
    return program


@contextmanager
def running(program: GatewayProgram) -> Iterator[GatewayProgram]:
    program.start()
    try:
        yield program
        assert program.stop() == 0, "".join(program.output)
    finally:
        if program.process is not None and program.process.poll() is None:
            program.stop(kill=True)


def connect(program: GatewayProgram, authority: Authority) -> ssl.SSLSocket:
    peer = socket.create_connection(("127.0.0.1", program.port), timeout=20)
    return client_context(authority).wrap_socket(peer, server_hostname="localhost")


def serial(connection: ssl.SSLSocket) -> str:
    der = connection.getpeercert(binary_form=True)
    assert der is not None
    return f"{x509.load_der_x509_certificate(der).serial_number:x}"


def ask(connection: ssl.SSLSocket) -> None:
    connection.sendall(ASK)
    received = b""
    while not received.endswith(b"</Error>"):
        piece = connection.recv(65_536)
        assert piece, received
        received += piece
    assert received.startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize("told", [True, False], ids=["by a signal", "by its files"])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_new_certificate_is_used_without_a_restart(
    emulator_site: Site, tmp_path: Path, workers: int, told: bool
) -> None:
    authority = Authority()
    program = program_with(emulator_site, tmp_path, authority, workers=workers)
    with running(program), ExitStack() as stack:
        kept = stack.enter_context(connect(program, authority))
        ask(kept)
        before, fresh = serial(kept), authority.server()
        fresh.write(tmp_path / "tls.pem", tmp_path / "tls.key")
        assert program.process is not None
        if told:
            program.process.send_signal(signal.SIGHUP)
        # Each worker switches by itself: all have when many connections in a row were greeted alike.
        deadline, alike = time.monotonic() + 30, 0
        while alike < 12:
            assert time.monotonic() < deadline, "".join(program.output)
            with connect(program, authority) as connection:
                alike = alike + 1 if serial(connection) == fresh.serial else 0
            time.sleep(0 if alike else 0.1)
        ask(kept)
        assert serial(kept) == before
    logged = "".join(program.output)
    assert logged.count('"certificate active"') == workers
    assert f'"cause":"{"signal" if told else "file"}"' in logged


def test_a_file_that_cannot_be_used_stops_the_start_and_is_named(emulator_site: Site, tmp_path: Path) -> None:
    program = program_with(emulator_site, tmp_path, Authority())
    (tmp_path / "tls.key").chmod(0o644)
    with suppress(AssertionError):
        program.start()
    assert program.process is not None
    assert program.process.wait(20) == 2
    assert "error: tls.key: expected mode 0600 or 0640" in "".join(program.output)
    assert program.port == 0
