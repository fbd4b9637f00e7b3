"""A real SDK in a process of its own, called over a pipe.

An SDK must neither share the interpreter of the server it talks to nor find it otherwise than a user's
program would. In the child, and only there, the resolver sends the gateway's domain to 127.0.0.1 and knows no
other name: a request that tries to leave for the real COS fails instead of leaving the machine.

Protocol: one JSON line `{"call": "package.module:function", "arguments": {…}}` in, one `{"result": …}` or
`{"error": …}` out.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.names import GATEWAY_DOMAIN

ROOT = Path(__file__).resolve().parents[2]
EXIT_SECONDS = 30


class ClientFailed(Exception):
    """The called function raised in the child; the message holds its traceback."""


class ClientProcess:
    """The parent's end."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def call(self, function: str, **arguments: Any) -> Any:
        """Run `module:function` in the child and return its JSON result. Raises ClientFailed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"call": function, "arguments": arguments}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise ClientFailed(f"the client process ended with {self._process.wait(EXIT_SECONDS)}")
        answer = json.loads(line)
        if "error" in answer:
            raise ClientFailed(answer["error"])
        return answer["result"]


def clean_environment(**extra: str) -> dict[str, str]:
    """This environment without proxies, credentials and settings of any SDK, plus `extra`."""
    unwanted = ("proxy", "aws_", "cos_", "tencent")
    kept = {name: value for name, value in os.environ.items() if not any(word in name.lower() for word in unwanted)}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", "AWS_EC2_METADATA_DISABLED": "true", **extra}


@contextmanager
def client_process(python: str = sys.executable) -> Iterator[ClientProcess]:
    """Start the child with that interpreter; it ends with the context."""
    with subprocess.Popen(
        [python, "-m", "tests.support.client_process"],
        cwd=ROOT,
        env=clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield ClientProcess(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(EXIT_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def install_resolver() -> None:
    """Make this process resolve the gateway's domain and loopback addresses, and nothing else."""
    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else str(host)
        if name == GATEWAY_DOMAIN or name.endswith(f".{GATEWAY_DOMAIN}"):
            name = "127.0.0.1"
        if name not in ("127.0.0.1", "localhost"):
            raise socket.gaierror(socket.EAI_NONAME, f"{name} is not resolved in tests")
        return resolve(name, *arguments, **options)

    socket.getaddrinfo = getaddrinfo


def serve_calls() -> None:
    """The child: answer calls until standard input ends."""
    install_resolver()
    # The protocol keeps standard output to itself; what an SDK prints goes to standard error.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        asked = json.loads(line)
        module, _, function = asked["call"].partition(":")
        try:
            answer = {"result": getattr(importlib.import_module(module), function)(**asked["arguments"])}
        except Exception:  # noqa: BLE001  # whatever an SDK raises belongs to the parent
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    serve_calls()
