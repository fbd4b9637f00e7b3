"""What is measured, and what it is measured against: programs that listen on a port and send to one upstream.

Peers come from Debian (nginx, libnginx-mod-http-lua, lua-resty-core) and from PyPI (mitmproxy). Their recipes
lie in `peers/`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from string import Template
from typing import Any

from benchmarks import copies
from benchmarks.processes import Program, free_port
from dev import installer

ROOT = Path(__file__).resolve().parents[1]
PEERS = Path(__file__).parent / "peers"
UPSTREAM_SECRET_ID = "AKIDBENCHMARK0000000000000000000001"
UPSTREAM_SECRET_KEY = "BenchmarkUpstreamSecret000000001"
MITMPROXY_VERSION = "11.0.2"
MODULES = Path("/usr/lib/nginx/modules")


class Subject:
    """One running program under measurement. `port` is where requests go."""

    def __init__(self, name: str, program: Program, port: int) -> None:
        self.name = name
        self.program = program
        self.port = port


def start_nginx(name: str, recipe: str, folder: Path, *, core: int, **values: object) -> Subject:
    """nginx with a recipe of `peers/`, one worker."""
    port = free_port()
    place = folder / f"{name.replace(' ', '-').replace('+', 'and')}-{port}"
    place.mkdir()
    given = {"port": port, "folder": place, "peers": PEERS, "modules": MODULES, "result": copies.RESULT, **values}
    configuration = place / "nginx.conf"
    configuration.write_text(Template((PEERS / recipe).read_text()).substitute(given))
    command = ["nginx", "-p", str(place), "-c", str(configuration), "-e", str(place / "error.log")]
    program = Program(command, core=core, folder=folder)
    program.wait_for_port(port)
    return Subject(name, program, port)


def start_upstream(folder: Path, *, core: int) -> Subject:
    """A COS at C speed: it answers every request with the same part copy result and checks nothing."""
    return start_nginx("upstream", "upstream.conf", folder, core=core, tls_listen="", tls_certificate="")


def start_tls_upstream(folder: Path, certificate: Path, *, core: int) -> Subject:
    """The same over TLS; the file holds key and certificate."""
    lines = f"ssl_certificate {certificate}; ssl_certificate_key {certificate};"
    return start_nginx("upstream", "upstream.conf", folder, core=core, tls_listen=" ssl", tls_certificate=lines)


def start_nginx_plain(folder: Path, upstream_port: int, *, core: int, ca: Path | None = None) -> Subject:
    """nginx as a reverse proxy that signs and judges nothing; with `ca` it speaks TLS to the upstream."""
    return start_nginx("nginx plain", "plain.conf", folder, core=core, upstream_port=upstream_port, **_tls(ca))


def start_nginx_lua(folder: Path, upstream_port: int, *, core: int, ca: Path | None = None) -> Subject:
    """nginx that verifies, judges one rule and signs anew, in Lua; with `ca` it speaks TLS to the upstream."""
    return start_nginx(
        "nginx + Lua",
        "signing.conf",
        folder,
        core=core,
        upstream_port=upstream_port,
        access_key_id=copies.ACCESS_KEY_ID,
        secret=copies.SECRET,
        secret_id=UPSTREAM_SECRET_ID,
        secret_key=UPSTREAM_SECRET_KEY,
        **_tls(ca),
    )


def _tls(ca: Path | None) -> dict[str, str]:
    if ca is None:
        return {"scheme": "http", "tls_verify": ""}
    lines = (
        f"proxy_ssl_verify on; proxy_ssl_trusted_certificate {ca}; proxy_ssl_server_name on; "
        f"proxy_ssl_name {copies.DESTINATION_HOST}; proxy_ssl_session_reuse on;"
    )
    return {"scheme": "https", "tls_verify": lines}


def start_mitmproxy(folder: Path, upstream_port: int, *, core: int) -> Subject:
    """mitmproxy as a reverse proxy with an addon that verifies, judges one rule and signs anew.

    It comes from PyPI into an environment of its own under `var/`, made at the first use.
    """
    home = ROOT / "var" / f"mitmproxy-{MITMPROXY_VERSION}"
    mitmdump = home / "bin" / "mitmdump"
    if not mitmdump.exists():
        venv.create(home, with_pip=False, clear=True, symlinks=True)
        subprocess.run([*installer(home / "bin" / "python"), f"mitmproxy=={MITMPROXY_VERSION}"], check=True)
    port = free_port()
    command = [
        str(mitmdump), "--quiet", "--mode", f"reverse:http://127.0.0.1:{upstream_port}", "--listen-host", "127.0.0.1",
        "--listen-port", str(port), "--set", "keep_host_header=true", "--set", "flow_detail=0", "--set",
        f"confdir={folder / 'mitmproxy'}", "--scripts", str(PEERS / "mitmproxy_addon.py"),
    ]  # fmt: skip
    keys = {
        "PEER_CALLER_ID": copies.ACCESS_KEY_ID,
        "PEER_CALLER_SECRET": copies.SECRET,
        "PEER_UPSTREAM_ID": UPSTREAM_SECRET_ID,
        "PEER_UPSTREAM_SECRET": UPSTREAM_SECRET_KEY,
    }
    program = Program(command, core=core, folder=folder, environment=keys)
    program.wait_for_port(port)
    return Subject("mitmproxy + addon", program, port)


def gateway_settings(folder: Path, upstream: str, port: int, admin_port: int) -> dict[str, Any]:
    """A gateway with everything on: policy, audit intent and outcome, metrics, access log, deadlines, limits."""
    return {
        "environment": "development",
        "data": {"port": port, "max_in_flight": 20_000, "max_in_flight_per_principal": 20_000,
                 "max_connections": 20_000, "max_connections_per_address": 20_000},
        "admin": {"port": admin_port},
        "upstream": {"endpoint": upstream, "transport": "native", "connections_per_origin": 256},
        "store": {"path": str(folder / "gateway.db")},
        "audit": {"path": str(folder / "audit.jsonl"), "durability": "process"},
        "policies": {"paths": [str(ROOT / "config" / "policies")]},
        "buckets": [
            {"name": "raw-1250000000", "region": "ap-guangzhou"},
            {"name": "media-1250000000", "region": "ap-guangzhou"},
        ],
        "credentials": [
            {"name": "main", "account": "1250000000", "secret_id": UPSTREAM_SECRET_ID,
             "secret_key": UPSTREAM_SECRET_KEY},
        ],
        "keys": [{"id": copies.ACCESS_KEY_ID, "secret": copies.SECRET, "principal": copies.PRINCIPAL}],
        "log": {"level": "info", "format": "json"},
    }  # fmt: skip


def start_gateway(
    name: str, folder: Path, upstream: str, *, core: int | str, changes: dict[str, Any] | None = None
) -> Subject:
    """Our gateway; `changes` are merged into its settings by section."""
    port, admin_port = free_port(), free_port()
    place = folder / f"gateway-{port}"
    place.mkdir()
    settings = gateway_settings(place, upstream, port, admin_port)
    for section, values in (changes or {}).items():
        held = settings.get(section)
        settings[section] = {**held, **values} if isinstance(held, dict) and isinstance(values, dict) else values
    configuration = place / "gateway.yaml"
    # JSON is YAML, and written in a fraction of the time where there are 100,000 of something.
    configuration.write_text(json.dumps(settings))
    program = Program(
        [sys.executable, "-c", "from gateway.cli.main import main; main()", "serve", "--config", str(configuration)],
        core=core,
        folder=place,
        environment={"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
    )
    # It listens before it serves: connections wait until policies and keys are read.
    program.wait_for_text("serving http")
    return Subject(name, program, port)
