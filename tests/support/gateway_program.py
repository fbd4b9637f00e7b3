"""The gateway as its users run it: `cos-gateway serve` with a configuration file, in a process of its own."""

from __future__ import annotations

import base64
import re
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from tests.support.client_process import ROOT, clean_environment
from tests.support.names import ACCOUNT, BUCKETS, CALLER_KEY, FOREIGN, GATEWAY_DOMAIN, OTHER_CALLER_KEY, SERVER_KEY

COS_GATEWAY = (sys.executable, "-c", "from gateway.cli.main import main; main()")
"""The `cos-gateway` program, whether or not it is installed as a script."""
START_SECONDS = 60
STOP_SECONDS = 60
PRINCIPAL = "team:conformance"
OTHER_PRINCIPAL = "team:nobody"


class GatewayProgram:
    """A configuration folder, and the process that runs with it."""

    def __init__(self, folder: Path, endpoint: str, policy: str) -> None:
        self.folder = folder
        self.policy = folder / "policy.yaml"
        self.policy.write_text(policy, encoding="utf-8")
        self.audit = folder / "audit.jsonl"
        self.master_key = base64.b64encode(secrets.token_bytes(32)).decode()
        self._write_secret("master.key", self.master_key)
        self._write_secret("server.secret", SERVER_KEY.secret_key)
        self._write_secret("caller.secret", CALLER_KEY.secret_key)
        self._write_secret("other.secret", OTHER_CALLER_KEY.secret_key)
        self.configuration = folder / "gateway.yaml"
        self.configuration.write_text(yaml.safe_dump(self._settings(endpoint)), encoding="utf-8")
        self.output: list[str] = []
        """Lines of standard output and standard error, all runs together."""
        self.port = 0
        self.variables: dict[str, str] = {}
        """Of its environment, beside those of the tests."""
        self.process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def start(self) -> None:
        """Run the program and wait until it says that it serves. Raises AssertionError with its output."""
        process = subprocess.Popen(
            [*COS_GATEWAY, "serve", "--config", str(self.configuration)],
            cwd=ROOT,
            env=clean_environment(PYTHONUNBUFFERED="1", **self.variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.process = process
        serving = threading.Event()
        first_line = len(self.output)

        def read() -> None:
            assert process.stdout is not None
            with process.stdout:
                for line in process.stdout:
                    self.output.append(line)
                    if said := re.search(r"serving https?://127\.0\.0\.1:(\d+)", line):
                        self.port = int(said[1])
                        serving.set()
            serving.set()

        self._reader = threading.Thread(target=read, name="gateway output", daemon=True)
        self._reader.start()
        assert serving.wait(START_SECONDS), "the gateway did not say that it serves"
        assert process.poll() is None, "".join(self.output[first_line:])

    def stop(self, *, kill: bool = False) -> int:
        """TERM (or KILL) the program and return its exit code."""
        assert self.process is not None
        if kill:
            self.process.kill()
        else:
            self.process.terminate()
        code = self.process.wait(STOP_SECONDS)
        assert self._reader is not None
        self._reader.join(STOP_SECONDS)
        return code

    def _write_secret(self, name: str, text: str) -> None:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")

    def _settings(self, endpoint: str) -> dict[str, object]:
        return {
            "data": {"port": 0, "domains": [GATEWAY_DOMAIN]},
            "admin": {"port": 0},
            "upstream": {"endpoint": endpoint},
            "store": {"path": str(self.folder / "gateway.db")},
            "master_key": {"file": str(self.folder / "master.key")},
            "audit": {"path": str(self.audit)},
            "policies": {"paths": [str(self.policy)]},
            "buckets": [{"name": bucket.name, "region": bucket.region} for bucket in BUCKETS if bucket != FOREIGN],
            "credentials": [
                {
                    "name": "server",
                    "account": ACCOUNT,
                    "secret_id": SERVER_KEY.secret_id,
                    "secret_key_file": str(self.folder / "server.secret"),
                }
            ],
            "keys": [
                {
                    "id": key.secret_id,
                    "secret_file": str(self.folder / f"{name}.secret"),
                    "principal": principal,
                }
                for key, name, principal in (
                    (CALLER_KEY, "caller", PRINCIPAL),
                    (OTHER_CALLER_KEY, "other", OTHER_PRINCIPAL),
                )
            ],
            "log": {"level": "debug"},
        }


@contextmanager
def gateway_program(folder: Path, endpoint: str, policy: str) -> Iterator[GatewayProgram]:
    """A started gateway; it is killed at the end if it still runs."""
    program = GatewayProgram(folder, endpoint, policy)
    program.start()
    try:
        yield program
    finally:
        if program.process is not None and program.process.poll() is None:
            program.stop(kill=True)
