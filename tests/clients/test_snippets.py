"""What `cos-gateway env` prints works as it is printed, once the secret is filled in."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.env import PLACEHOLDER
from gateway.cli.main import app
from gateway.cli.snippets import SNIPPETS
from tests.clients.abilities import EXTRA_PYTHON
from tests.support.client_process import ROOT, clean_environment
from tests.support.names import CALLER_KEY, EXAMPLE, SERVER_KEY, SOURCE
from tests.support.site import Site, pattern
from tests.support.watch import Watch

CONTENT = pattern(3 * 1024 * 1024 + 17, seed=71)
MODULES = ROOT / "var" / "clients" / "node"
RUN = {
    "python": (sys.executable, "-c"),
    "boto3": (sys.executable, "-c"),
    "coscmd": ("bash", "-euc"),
    "aws": ("bash", "-euc"),
    "rclone": ("bash", "-euc"),
    "s3cmd": ("bash", "-euc"),
    "s5cmd": ("bash", "-euc"),
    "minio": (str(EXTRA_PYTHON), "-c"),
    "s3fs": (str(EXTRA_PYTHON), "-c"),
    "node": ("node", "-e"),
    "aws-js": ("node", "-e"),
}
"""How the text is run. Go, Java and coscli are not installed here; their text is only looked at."""
NEEDS = {
    "aws": "aws", "rclone": "rclone", "s3cmd": "s3cmd", "s5cmd": "s5cmd", "coscmd": "coscmd", "node": "node",
    "aws-js": "node", "minio": str(EXTRA_PYTHON), "s3fs": str(EXTRA_PYTHON),
}  # fmt: skip


def snippet(sdk: str, endpoint: str, *options: str) -> str:
    where = ["--endpoint", endpoint, "--region", EXAMPLE.region, "--bucket", EXAMPLE.name, "--source", SOURCE.name]
    printed = CliRunner().invoke(app, ["env", sdk, *where, "--key-id", CALLER_KEY.secret_id, *options])
    assert printed.exit_code == 0, printed.output
    return printed.output


@pytest.mark.parametrize("sdk", RUN)
def test_the_snippet_copies(gateway_site: Site, sdk: str, tmp_path: Path) -> None:
    folders = (Path(sys.executable).parent, EXTRA_PYTHON.parent, os.environ["PATH"])
    path = os.pathsep.join(map(str, folders))
    if sdk in NEEDS and shutil.which(NEEDS[sdk], path=path) is None:
        pytest.skip(f"{NEEDS[sdk]} is not installed")
    if RUN[sdk][0] == "node" and not (MODULES / "node_modules").exists():
        pytest.skip("the Node.js clients are not installed: python3 dev.py clients")

    async def ask(method: str, host: str, key: str, body: bytes = b"") -> bytes:
        return (await gateway_site.client.send(method, host, key, body=body)).body

    asyncio.run(ask("PUT", SOURCE.host, "/incoming/film.mov", CONTENT))
    asyncio.run(ask("DELETE", EXAMPLE.host, "/films/film.mov"))
    upstream = Watch(gateway_site)
    text = snippet(sdk, f"http://127.0.0.1:{gateway_site.port}")
    assert CALLER_KEY.secret_key not in text
    done = subprocess.run(
        [*RUN[sdk], text.replace(PLACEHOLDER, CALLER_KEY.secret_key)],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        env=clean_environment(PATH=path, HOME=str(tmp_path), NODE_PATH=str(MODULES / "node_modules")),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert asyncio.run(ask("GET", EXAMPLE.host, "/films/film.mov")) == CONTENT
    assert {entry.access_key_id for entry in upstream.new()} == {SERVER_KEY.secret_id}


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1:8080", "https://cos.corp.example", "https://cos.corp.example:8443"]
)
@pytest.mark.parametrize("sdk", SNIPPETS)
def test_a_snippet_names_everything_and_leaves_the_secret_open(sdk: str, endpoint: str) -> None:
    text = snippet(sdk, endpoint)
    assert text.count(PLACEHOLDER) == 1
    for word in (CALLER_KEY.secret_id, EXAMPLE.name, SOURCE.name, endpoint.partition("//")[2], "incoming/film.mov"):
        assert word in text, f"{word} is not in\n{text}"
    assert re.search(r"@[A-Z]+@", text) is None
    assert "None" not in text


def test_a_region_is_not_guessed() -> None:
    for sdk in SNIPPETS:
        printed = CliRunner().invoke(app, ["env", sdk, "--region", "ap-jakarta"])
        assert "ap-guangzhou" not in printed.output, sdk
