"""Clients at a gateway that speaks TLS: told whom to believe they copy as ever, and not told they refuse."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from typer.testing import CliRunner

from gateway.cli.env import PLACEHOLDER
from gateway.cli.main import app
from gateway.cli.snippets import SNIPPETS
from gateway.cli.snippets.trust import BY_NAME, CA_VARIABLES, SHELLS
from tests.clients.abilities import EXTRA_PYTHON
from tests.clients.test_snippets import CONTENT, MODULES, NEEDS, RUN, snippet
from tests.support.certificates import LOCAL, Authority, client_context
from tests.support.client import Client
from tests.support.client_process import clean_environment
from tests.support.gateway_program import PRINCIPAL, GatewayProgram
from tests.support.gateway_server import ALLOW_EVERYTHING
from tests.support.names import CALLER_KEY, EXAMPLE, GATEWAY_DOMAIN, SERVER_KEY, SOURCE
from tests.support.site import Site, pattern
from tests.support.watch import Watch

PATH = os.pathsep.join(map(str, (Path(sys.executable).parent, EXTRA_PYTHON.parent, os.environ["PATH"])))
LARGE = pattern(20 * 1024 * 1024 + 7, seed=72)
BY_ADDRESS = sorted(RUN.keys() - BY_NAME)


@dataclass(frozen=True, slots=True)
class Secured:
    """A running `cos-gateway serve` with a certificate, and its authority's file."""

    program: GatewayProgram
    authority: Authority
    ca: Path

    @property
    def endpoint(self) -> str:
        return f"https://127.0.0.1:{self.program.port}"

    async def ask(self, method: str, host: str, key: str, body: bytes = b"") -> bytes:
        client = Client(self.program.port, CALLER_KEY, tls=client_context(self.authority))
        return (await client.send(method, host, key, body=body)).body

    def run(self, argv: list[str], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
            env=clean_environment(PATH=PATH, HOME=str(folder), NODE_PATH=str(MODULES / "node_modules"), **variables),
        )


@pytest.fixture(scope="module")
def secured(emulator_site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    authority = Authority()
    names = (*LOCAL, x509.DNSName(GATEWAY_DOMAIN), x509.DNSName(f"*.{GATEWAY_DOMAIN}"))
    authority.issue(*names, common_names=("gateway",)).write(folder / "tls.pem", folder / "tls.key")
    (folder / "ca.pem").write_bytes(authority.pem)
    program = GatewayProgram(folder, f"http://127.0.0.1:{emulator_site.port}", ALLOW_EVERYTHING)
    settings = yaml.safe_load(program.configuration.read_text("utf-8"))
    settings["tls"] = {
        "certificate": str(folder / "tls.pem"),
        "key": str(folder / "tls.key"),
        "client_certificates": "optional",
        "client_ca": str(folder / "ca.pem"),
        "client_principals": {"cn:curl": PRINCIPAL},
        "accept_unsigned": True,
    }
    settings["data"]["domains"] = ["127.0.0.1", "localhost", GATEWAY_DOMAIN]
    program.configuration.write_text(yaml.safe_dump(settings), "utf-8")
    program.start()
    try:
        yield Secured(program, authority, folder / "ca.pem")
    finally:
        program.stop(kill=True)


@pytest.mark.parametrize("sdk", BY_ADDRESS)
def test_a_client_copies_when_it_is_told_whom_to_believe(
    secured: Secured, emulator_site: Site, sdk: str, tmp_path: Path
) -> None:
    if sdk in NEEDS and shutil.which(NEEDS[sdk], path=PATH) is None:
        pytest.skip(f"{NEEDS[sdk]} is not installed")
    if RUN[sdk][0] == "node" and not (MODULES / "node_modules").exists():
        pytest.skip("the Node.js clients are not installed: python3 dev.py clients")
    asyncio.run(secured.ask("PUT", SOURCE.host, "/incoming/film.mov", CONTENT))
    asyncio.run(secured.ask("DELETE", EXAMPLE.host, "/films/film.mov"))
    upstream = Watch(emulator_site)
    text = snippet(sdk, secured.endpoint, "--ca", str(secured.ca)).replace(PLACEHOLDER, CALLER_KEY.secret_key)
    told = {} if sdk in SHELLS else {CA_VARIABLES[sdk]: str(secured.ca)}
    done = secured.run([*RUN[sdk], text], tmp_path, **told)
    assert done.returncode == 0, done.stdout + done.stderr
    assert asyncio.run(secured.ask("GET", EXAMPLE.host, "/films/film.mov")) == CONTENT
    assert {entry.access_key_id for entry in upstream.new()} == {SERVER_KEY.secret_id}


@pytest.mark.parametrize("sdk", ["python", "boto3"])
def test_a_client_that_is_not_told_refuses_the_certificate(
    secured: Secured, emulator_site: Site, sdk: str, tmp_path: Path
) -> None:
    upstream = Watch(emulator_site)
    text = snippet(sdk, secured.endpoint).replace(PLACEHOLDER, CALLER_KEY.secret_key)
    done = secured.run([*RUN[sdk], text], tmp_path)
    assert done.returncode != 0
    assert "CERTIFICATE_VERIFY_FAILED" in done.stderr
    assert upstream.new() == []


def test_curl_reads_an_unsigned_refusal(secured: Secured, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    where = ["--cacert", str(secured.ca), f"{secured.endpoint}/{EXAMPLE.name}/key"]
    done = secured.run(["curl", "-sS", "--noproxy", "*", "-w", "%{http_code}", *where], tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("403")
    assert "<Code>AccessDenied</Code>" in done.stdout


def test_curl_with_a_certificate_needs_no_signature(secured: Secured, emulator_site: Site, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    issued = secured.authority.issue(common_names=("curl",), client=True)
    issued.write(tmp_path / "curl.pem", tmp_path / "curl.key")
    (tmp_path / "large").write_bytes(LARGE)
    url = f"{secured.endpoint}/{EXAMPLE.name}/large/by-curl"
    curl = ["curl", "-sSf", "--noproxy", "*", "--cacert", str(secured.ca)]
    curl += ["--cert", "curl.pem", "--key", "curl.key"]
    upstream = Watch(emulator_site)
    for step in (["-T", "large", url], ["-o", "back", url], ["-r", "1048570-1048585", "-o", "range", url]):
        done = secured.run([*curl, *step], tmp_path)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "back").read_bytes() == LARGE
    assert (tmp_path / "range").read_bytes() == LARGE[1_048_570:1_048_586]
    assert {entry.access_key_id for entry in upstream.new()} == {SERVER_KEY.secret_id}
    refused = secured.run([*curl[:-4], "-o", "never", url], tmp_path)
    assert "403" in refused.stderr


BY_NAME_IN_DNS = f"""
import socket
look_up = socket.getaddrinfo
def getaddrinfo(host, *others, **named):
    return look_up("127.0.0.1" if str(host).endswith("{GATEWAY_DOMAIN}") else host, *others, **named)
socket.getaddrinfo = getaddrinfo
"""


def test_a_cos_client_goes_by_the_gateways_name(secured: Secured, emulator_site: Site, tmp_path: Path) -> None:
    """The names stand in for DNS; what is asked of them, and the certificate for `*.<domain>`, are real."""
    asyncio.run(secured.ask("PUT", SOURCE.host, "/incoming/film.mov", CONTENT))
    asyncio.run(secured.ask("DELETE", EXAMPLE.host, "/films/film.mov"))
    upstream = Watch(emulator_site)
    text = snippet("python", f"https://{GATEWAY_DOMAIN}:{secured.program.port}", "--ca", str(secured.ca))
    assert "Endpoint=" in text
    text = BY_NAME_IN_DNS + text.replace(PLACEHOLDER, CALLER_KEY.secret_key)
    done = secured.run([sys.executable, "-c", text], tmp_path, REQUESTS_CA_BUNDLE=str(secured.ca))
    assert done.returncode == 0, done.stderr
    assert asyncio.run(secured.ask("GET", EXAMPLE.host, "/films/film.mov")) == CONTENT
    assert {entry.access_key_id for entry in upstream.new()} == {SERVER_KEY.secret_id}


TUNNELLING = f"""
from qcloud_cos import CosConfig, CosS3Client
client = CosS3Client(CosConfig(
    Region="{EXAMPLE.region}", SecretId="{CALLER_KEY.secret_id}", SecretKey="{CALLER_KEY.secret_key}",
    Scheme="https", Proxies={{"https": "@GATEWAY@"}},
), retry=0)
client.head_bucket(Bucket="{EXAMPLE.name}")
"""


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_client_that_wants_a_tunnel_shows_what_to_do_instead(
    gateway_site: Site, secured: Secured, emulator_site: Site, scheme: str, tmp_path: Path
) -> None:
    upstream = Watch(emulator_site)
    gateway = f"http://127.0.0.1:{gateway_site.port}" if scheme == "http" else secured.endpoint
    ca = {"REQUESTS_CA_BUNDLE": str(secured.ca), "SSL_CERT_FILE": str(secured.ca)}
    done = secured.run([sys.executable, "-c", TUNNELLING.replace("@GATEWAY@", gateway)], tmp_path, **ca)
    assert done.returncode != 0
    assert "Tunnel connection failed: 405 The gateway does not tunnel (CONNECT): use the http scheme" in done.stderr
    assert upstream.new() == []


# --- what is printed --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sdk", SNIPPETS)
def test_a_snippet_for_https_says_whom_to_believe(sdk: str) -> None:
    plain = snippet(sdk, "http://cos.corp.example")
    asked = snippet(sdk, "https://cos.corp.example")
    told = snippet(sdk, "https://cos.corp.example", "--ca", "/etc/corp.pem")
    assert CA_VARIABLES[sdk] not in plain
    assert asked.startswith(("#", "//"))
    assert CA_VARIABLES[sdk] in asked.splitlines()[0]
    assert "/etc/corp.pem" in told.splitlines()[0]
    assert told.startswith("export ") == (sdk in SHELLS)


@pytest.mark.parametrize("sdk", SNIPPETS)
def test_no_snippet_for_https_goes_through_a_proxy(sdk: str) -> None:
    text = snippet(sdk, "https://127.0.0.1:8443")
    assert "proxy" not in text.lower()
    assert ("needs a name for the gateway" in text) == (sdk in BY_NAME)


@pytest.mark.parametrize(
    ("settings", "endpoint"),
    [
        ("data: {port: 9000}", "http://127.0.0.1:9000"),
        ("data: {host: 0.0.0.0, domains: [cos.corp.example]}", "http://cos.corp.example:8080"),
        ("data: {host: '::1'}\ntls: {certificate: a.pem, key: a.key}", "https://[::1]:8080"),
    ],
    ids=["port", "name", "tls"],
)
def test_the_endpoint_is_that_of_the_configuration(tmp_path: Path, settings: str, endpoint: str) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text(settings, "utf-8")
    printed = CliRunner().invoke(app, ["env", "boto3", "--config", str(path)])
    assert printed.exit_code == 0, printed.output
    assert f'endpoint_url="{endpoint}"' in printed.output
