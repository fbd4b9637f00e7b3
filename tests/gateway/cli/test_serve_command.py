"""`cos-gateway serve` and `emulator` as processes: they listen, say where, and end on TERM."""

from __future__ import annotations

import http.client
import os
import re
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.cli.conftest import PROGRAM, environment

START_SECONDS = 60.0


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running command and what it printed up to its `serving` line."""
    with (folder / "stderr").open("w") as errors:
        process = subprocess.Popen(
            [*PROGRAM, *arguments], cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=errors, text=True
        )
    try:
        yield process, _until_serving(process, folder)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(30)
        if process.stdout is not None:
            process.stdout.close()


def _until_serving(process: subprocess.Popen[str], folder: Path) -> str:
    assert process.stdout is not None
    printed, deadline = "", time.monotonic() + START_SECONDS
    while "serving " not in printed or not printed.endswith("\n"):
        ready, _, _ = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))
        chunk = os.read(process.stdout.fileno(), 4096).decode() if ready else ""
        assert chunk, f"did not start: {printed!r} {(folder / 'stderr').read_text()!r}"
        printed += chunk
    return printed


def ports(printed: str) -> list[int]:
    return [int(port) for port in re.findall(r"http://127\.0\.0\.1:(\d+)", printed)]


def get(port: int, path: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


def test_serve_answers_on_both_ports_and_ends_cleanly_on_term(folder: Path) -> None:
    with started(folder, "serve", "--config", "gateway.yaml") as (process, printed):
        data, admin = ports(printed)
        assert get(admin, "/readyz").status == 200
        refused = get(data, "/media-1250000000/a")
        assert (refused.status, refused.getheader("x-cos-request-id") is not None) == (403, True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert "Traceback" not in (folder / "stderr").read_text()


def test_a_flag_names_the_port(folder: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with started(folder, "serve", "--config", "gateway.yaml", "--port", str(port)) as (_, printed):
        assert ports(printed)[0] == port


@pytest.mark.parametrize("option", ["--port", "--admin-port"])
def test_a_taken_port_is_one_clear_line(run_process: Any, option: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = run_process("serve", option, port)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert port in done.stderr


def test_a_wrong_configuration_does_not_start(run: Any, folder: Path) -> None:
    (folder / "gateway.yaml").write_text("data: {port: http}")
    done = run("serve")
    assert done.returncode == 2
    assert "gateway.yaml:1: data.port" in done.stderr


def test_production_does_not_start_with_the_embedded_cos(run: Any) -> None:
    done = run("serve", COSGW_ENVIRONMENT="production")
    assert done.returncode == 2
    assert "embedded.enabled" in done.stderr


def test_the_emulator_runs_alone_and_ends_cleanly_on_term(folder: Path) -> None:
    arguments = ("--port", "0", "--bucket", "a-1250000000@ap-beijing", "--bucket", "b-1250000001@ap-beijing")
    with started(folder, "emulator", *arguments) as (process, printed):
        assert len(re.findall(r"SecretId (\S+)", printed)) == 2
        (port,) = ports(printed)
        assert get(port, "/").status == 403
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


@pytest.mark.parametrize("bucket", ["a", "a-1250000000", "a-1250000000@Canton"])
def test_the_emulator_refuses_what_is_no_bucket(run: Any, bucket: str) -> None:
    assert run("emulator", "--port", "0", "--bucket", bucket).returncode == 2
