"""Every secret there is, planted and looked for: in logs, errors, metrics, admin answers, the store, the audit log,
the process's environment and whatever was sent upstream.

Source: threat model C16, C17; the program runs as its users run it.
"""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml

from cos.signing import Scheme
from tests.support.client import Client
from tests.support.client_process import ROOT, clean_environment
from tests.support.gateway_program import COS_GATEWAY, PRINCIPAL, GatewayProgram
from tests.support.http1 import Response, exchange, render_request
from tests.support.identity_provider import AUDIENCE, ISSUER, identity_provider
from tests.support.names import CALLER_KEY, EXAMPLE, SERVER_KEY, SOURCE, Key
from tests.support.site import Site
from tests.support.watch import Watch

POLICY = f"""\
version: 1
statements:
  - id: all
    effect: allow
    principals: ["{PRINCIPAL}"]
    actions: ["cos:*"]
    resource: {{bucket: "*", key: "*"}}
"""
STS_HOST = "sts.gateway.test"


class Evidence:
    """Everything that came out of the gateway, by where."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self.secrets: dict[str, str] = {}

    def add(self, where: str, what: str | bytes) -> None:
        text = what.decode("utf-8", "replace") if isinstance(what, bytes) else what
        self.found[where] = self.found.get(where, "") + text

    def answer(self, where: str, answer: Response) -> None:
        self.add(where, repr(answer.headers) + answer.body.decode("utf-8", "replace"))

    def leaks(self) -> list[str]:
        return [
            f"{secret} in {where}"
            for where, text in self.found.items()
            for secret, value in self.secrets.items()
            if value in text
        ]


def cli(program: GatewayProgram, *arguments: str) -> str:
    done = subprocess.run(
        [*COS_GATEWAY, *arguments, "--config", str(program.configuration)],
        cwd=ROOT, env=clean_environment(**program.variables), capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_no_secret_is_anywhere_to_be_found(emulator_site: Site, tmp_path: Path) -> None:
    upstream = Watch(emulator_site)
    with identity_provider() as issuer:
        program = GatewayProgram(tmp_path, f"http://127.0.0.1:{emulator_site.port}", POLICY)
        evidence = Evidence()
        settings: dict[str, Any] = yaml.safe_load(program.configuration.read_text())
        del settings["master_key"]
        settings["sts"] = {"port": 0}
        settings["identity_providers"] = [
            {
                "name": "ci",
                "issuer": ISSUER,
                "audiences": [AUDIENCE],
                "jwks_url": issuer.jwks_url,
                "principals": {"repo:*": PRINCIPAL},
            }
        ]
        program.configuration.write_text(yaml.safe_dump(settings))
        program.variables["COSGW_MASTER_KEY"] = program.master_key
        evidence.secrets |= {
            "the master key": program.master_key,
            "the COS credential's secret": SERVER_KEY.secret_key,
            "a configured key's secret": CALLER_KEY.secret_key,
        }
        stored = json.loads(await asyncio.to_thread(cli, program, "keys", "create", PRINCIPAL, "--json"))
        admin = json.loads(
            await asyncio.to_thread(cli, program, "admin-tokens", "create", "tests", "--role", "security", "--json")
        )
        evidence.secrets |= {"a stored key's secret": stored["secret"], "an admin token": admin["token"][20:]}
        await asyncio.to_thread(program.start)
        try:
            await use(program, evidence, Key(stored["id"], stored["secret"]), issuer.token, admin["token"])
            assert program.process is not None
            evidence.add("/proc/PID/environ", Path(f"/proc/{program.process.pid}/environ").read_bytes())
            evidence.add("/proc/PID/cmdline", Path(f"/proc/{program.process.pid}/cmdline").read_bytes())
            limits = Path(f"/proc/{program.process.pid}/limits").read_text()
        finally:
            await asyncio.to_thread(program.stop)
    evidence.add("the log", "".join(program.output))
    evidence.add("the audit log", program.audit.read_text())
    with sqlite3.connect(tmp_path / "gateway.db") as database:
        evidence.add("a dump of the store", "\n".join(database.iterdump()))
    for file in tmp_path.glob("gateway.db*"):
        evidence.add("the store's files", file.read_bytes().decode("latin-1"))
    evidence.add("upstream", repr(upstream.new()))
    assert len(evidence.found) >= 12
    assert all(evidence.found.values()), "nothing was found somewhere"
    # What may be known is there: the search would have found the rest.
    assert stored["id"] in evidence.found["a dump of the store"]
    assert stored["id"] in evidence.found["the audit log"]
    assert evidence.leaks() == []
    assert re.search(r"Max core file size\s+0\s", limits)


async def use(
    program: GatewayProgram, evidence: Evidence, stored: Key, token: Callable[..., str], admin_token: str
) -> None:
    """Every kind of request that holds a secret, good and bad."""
    admin_port, sts_port = (
        int(re.search(rf"{name} http://127\.0\.0\.1:(\d+)", "".join(program.output))[1])  # type: ignore[index]
        for name in ("admin", "sts")
    )
    sts = Client(sts_port, stored)
    issued = []
    for scheme, name in ((Scheme.Q_SIGN, "x-cos-content-sha256"), (Scheme.SIGV4, "x-amz-content-sha256")):
        headers = [(name, sha256(b"").hexdigest())]
        answer = await replace(sts, scheme=scheme).send("POST", STS_HOST, "/v1/session", headers=headers)
        issued.append(json.loads(answer.body))
    for changes in ({}, {"aud": "others"}, {"exp": 1}):
        identity = token(**changes)
        evidence.secrets[f"an identity token {changes}"] = identity.rpartition(".")[2]
        answer = await post(sts_port, "/v1/session/oidc", json.dumps({"Token": identity}).encode())
        if answer.status == 200:
            issued.append(json.loads(answer.body))
        else:
            evidence.answer("refusals of identity tokens", answer)
    sessions = [Key(item["TmpSecretId"], item["TmpSecretKey"], item["Token"]) for item in issued]
    assert len(sessions) == 3
    for number, session in enumerate(sessions):
        evidence.secrets |= {
            f"session {number}'s secret": session.secret_key,
            f"its token {number}": session.token or "",
        }
    for key in (CALLER_KEY, stored, *sessions):
        for scheme in (Scheme.Q_SIGN, Scheme.SIGV4):
            client = Client(program.port, key, scheme=scheme)
            wrong = client.with_key(replace(key, secret_key="wrong"))
            evidence.answer("answers", await client.send("PUT", EXAMPLE.host, "/canary/a", body=b"x"))
            evidence.answer("answers", await client.send("GET", EXAMPLE.host, "/canary/a"))
            evidence.answer("errors of COS", await client.send("GET", EXAMPLE.host, "/canary/none"))
            evidence.answer("refused signatures", await wrong.send("GET", EXAMPLE.host, "/canary/a"))
            headers = [("x-cos-copy-source", SOURCE.source("any"))]
            evidence.answer("denials", await client.send("PUT", EXAMPLE.host, "/b", headers=headers))
            evidence.answer("bad requests", await client.send("GET", EXAMPLE.host, "/a?acl&tagging"))
    bearer = [("authorization", f"Bearer {admin_token}"), ("host", "127.0.0.1"), ("connection", "close")]
    paths = (
        "access-keys",
        f"access-keys/{stored.secret_id}",
        "credentials",
        "admin-tokens",
        "audit",
        "buckets",
        "whoami",
    )
    for path in paths:
        evidence.answer("admin answers", await get(admin_port, f"/api/v1/{path}", bearer))
    wrong_bearer = [("authorization", f"Bearer {admin_token[:-1]}A"), *bearer[1:]]
    evidence.answer("admin refusals", await get(admin_port, "/api/v1/whoami", wrong_bearer))
    for path in ("/metrics", "/readyz?verbose", "/healthz"):
        evidence.answer("metrics and health", await get(admin_port, path, bearer[1:]))


async def get(port: int, path: str, headers: list[tuple[str, str]]) -> Response:
    fields = [(name.encode(), value.encode()) for name, value in headers]
    return await exchange(port, render_request("GET", path, fields, b""))


async def post(port: int, path: str, body: bytes) -> Response:
    length = (b"content-length", str(len(body)).encode())
    fields = [(b"host", STS_HOST.encode()), length, (b"connection", b"close")]
    return await exchange(port, render_request("POST", path, fields, body))
