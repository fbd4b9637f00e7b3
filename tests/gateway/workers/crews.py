"""A gateway of two workers as its users run it, and connections of which it is known which worker has them."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from tests.support.client import Client, target
from tests.support.client_process import ROOT, clean_environment
from tests.support.gateway_program import COS_GATEWAY, GatewayProgram
from tests.support.names import CALLER_KEY, EXAMPLE, Key

PATIENCE_SECONDS = 30.0
POLICY = f"""\
version: 1
statements:
  - id: own-objects
    effect: allow
    principals: ["team:conformance"]
    actions: ["cos:*"]
    resource: {{bucket: {EXAMPLE.name}, key: "*"}}
"""
NOTHING_ALLOWED = POLICY.replace("effect: allow", "effect: deny")


class Crew(GatewayProgram):
    """The program with two workers."""

    def __init__(self, folder: Path, endpoint: str, **changes: Any) -> None:
        super().__init__(folder, endpoint, POLICY)
        settings = yaml.safe_load(self.configuration.read_text())
        self.configuration.write_text(yaml.safe_dump({**settings, "workers": 2, "log": {"level": "info"}, **changes}))

    @property
    def admin(self) -> str:
        """`host:port` of the admin port."""
        said = re.findall(r"admin http://(\S+?)[,)]", "".join(self.output))
        return str(said[-1])

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
        """Status and body of an answer of the admin port."""
        connection = http.client.HTTPConnection(self.admin, timeout=PATIENCE_SECONDS)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples of that name which bear the labels."""
        total = 0.0
        for line in self.ask("/metrics")[1].splitlines():
            found = re.fullmatch(r"([a-z_]+)(?:\{(.*)\})? (\S+)", line)
            if found is not None and found[1] == name:
                shown = dict(re.findall(r'(\w+)="([^"]*)"', found[2] or ""))
                if labels.items() <= shown.items():
                    total += float(found[3])
        return total

    def pids(self) -> dict[int, int]:
        """The processes of the workers that answer, by their numbers."""
        text = self.ask("/metrics")[1]
        found = re.findall(r'^cosgw_worker_up\{pid="(\d+)",worker="(\d+)"\} 1\.0$', text, re.MULTILINE)
        return {int(worker): int(pid) for pid, worker in found}

    def served(self) -> dict[int, int]:
        """How many requests each worker has answered."""
        return {n: int(self.metric("cosgw_worker_requests_total", worker=str(n))) for n in (1, 2)}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command run beside the gateway, to its end."""
        return subprocess.run(
            [*COS_GATEWAY, *arguments],
            cwd=ROOT, env=clean_environment(COSGW_CONFIG=str(self.configuration)), capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip

    def told(self, *arguments: str) -> Any:
        """What a command that succeeds prints as JSON."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@contextmanager
def crew(folder: Path, endpoint: str, **changes: Any) -> Iterator[Crew]:
    """A started gateway of two workers; it is killed at the end if it still runs."""
    program = Crew(folder, endpoint, **changes)
    program.start()
    try:
        yield program
    finally:
        if program.process is not None and program.process.poll() is None:
            program.stop(kill=True)


def eventually(condition: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for something other processes do."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


def status_on(connection: http.client.HTTPConnection, key: Key = CALLER_KEY) -> int:
    """The status of a signed request on a connection that is kept."""
    port = urlsplit(f"//{connection.host}:{connection.port}").port
    assert port is not None
    raw = Client(port, key).render("GET", EXAMPLE.host, target("nothing-is-here"))
    headers = dict(line.split(": ", 1) for line in raw.decode().split("\r\n")[1:-2])
    del headers["connection"]
    headers = {name: value for name, value in headers.items() if name.lower() != "host"}
    connection.putrequest("GET", target("nothing-is-here"), skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", EXAMPLE.host)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    answer.read()
    return answer.status


@contextmanager
def connected_to_both(program: Crew) -> Iterator[dict[int, http.client.HTTPConnection]]:
    """A kept connection to each worker, found out by whose count of requests grew."""
    found: dict[int, http.client.HTTPConnection] = {}
    opened = []
    try:
        for _ in range(64):
            before = program.served()
            connection = http.client.HTTPConnection("127.0.0.1", program.port, timeout=PATIENCE_SECONDS)
            opened.append(connection)
            status_on(connection)
            after = program.served()
            (number,) = [number for number in (1, 2) if after[number] > before[number]]
            found.setdefault(number, connection)
            if len(found) == 2:
                break
        assert len(found) == 2, "64 connections went to one worker"
        yield found
    finally:
        for connection in opened:
            connection.close()
