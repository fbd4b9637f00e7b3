"""`cos-gateway demo`: the guided copy as a new user sees it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable, "-c", "from gateway.cli.main import main; main()", "demo", "--once",
            "--admin-port", "0", "--folder", str(folder), *arguments,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )  # fmt: skip


def test_the_guided_copy_shows_a_copy_and_four_refusals_and_nothing_else(tmp_path: Path) -> None:
    done = demo(tmp_path, "--port", "0")
    assert (done.returncode, done.stderr) == (0, "")
    for said in (
        "10 parts: signed, judged, re-signed",
        "byte for byte the same",
        "a source of another team: 403 AccessDenied",
        "Access Denied: source.bucket: ",
        "a range of 2 GiB: 403 AccessDenied",
        "Access Denied: range.max: ",
        "a source in another region: 403 AccessDenied",
        "Access Denied: same_region: ",
        "a source that changed since it was looked at: 412 PreconditionFailed",
        "COS saw only the server-held credential",
    ):
        assert said in done.stdout
    assert '"event"' not in done.stdout
    events = [
        json.loads(line) for line in (tmp_path / "audit.jsonl").read_text("utf-8").rpartition("\n")[0].splitlines()
    ]
    copies = [event for event in events if event["type"] == "intent" and event["action"] == "cos:UploadPartCopy"]
    assert len(copies) == 11
    assert {event["source"]["bucket"] for event in copies} == {"raw-1250000000"}


def test_a_second_run_serves_from_the_same_folder(tmp_path: Path) -> None:
    assert demo(tmp_path, "--port", "0").returncode == 0
    assert demo(tmp_path, "--port", "0").returncode == 0


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        done = demo(tmp_path, "--port", str(port))
    assert done.returncode == 1
    assert done.stderr == f"error: 127.0.0.1:{port} is taken by another program\n"
