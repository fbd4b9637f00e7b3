"""coscmd with the gateway as its HTTP proxy: host names stay COS's own."""

from __future__ import annotations

import sys
import tempfile
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from tests.clients.programs.command import run

START = "import sys; from coscmd.cos_cmd import _main; sys.exit(_main())"


def version() -> str:
    return installed("coscmd")


def coscmd(connection: dict[str, Any], bucket: list[str], *arguments: str) -> str:
    settings = (
        f"[common]\nsecret_id = {connection['secret_id']}\nsecret_key = {connection['secret_key']}\n"
        f"bucket = {bucket[0]}\nregion = {bucket[1]}\nschema = http\nmax_thread = 2\npart_size = 5\nretry = 1\n"
        "timeout = 20\nverify = md5\nanonymous = False\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "cos.conf"
        config.write_text(settings, encoding="utf-8")
        return run(
            [sys.executable, "-c", START, "-c", str(config), "-l", str(Path(folder) / "log"), *arguments],
            environment={"HOME": folder, "http_proxy": f"http://127.0.0.1:{connection['port']}"},
        )


def upload(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    coscmd(connection, bucket, "upload", path, key)


def download(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    coscmd(connection, bucket, "download", key, path)


def list_keys(connection: dict[str, Any], bucket: list[str], prefix: str) -> list[str]:
    found = coscmd(connection, bucket, "list", "--recursive", prefix)
    lines = (line.strip() for line in found.splitlines())
    return [line.split("    ")[0].strip() for line in lines if line.startswith(prefix)]


def delete(connection: dict[str, Any], bucket: list[str], key: str) -> None:
    coscmd(connection, bucket, "delete", "-f", key)


def presign(connection: dict[str, Any], bucket: list[str], key: str) -> str:
    # On Python 3 it prints a bytes literal.
    return coscmd(connection, bucket, "signurl", key).split()[-1].removeprefix("b'").removesuffix("'")


def abort(connection: dict[str, Any], bucket: list[str], key: str, path: str) -> None:
    coscmd(connection, bucket, "abort", key)
