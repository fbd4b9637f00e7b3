"""Real clients that sign with Signature Version 2, at a gateway that accepts it of their key."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.clients.programs import s3cmd
from tests.support.client_process import ClientFailed, ClientProcess
from tests.support.gateway_server import sigv2_site
from tests.support.http1 import exchange, render_request
from tests.support.names import CALLER_KEY, EXAMPLE, FARAWAY, OLD_KEY, SERVER_KEY
from tests.support.site import MIB, Site, fresh_key, pattern
from tests.support.watch import Watch

SMALL = b"small content, 30 bytes long..\n"
LARGE = pattern(11 * MIB + 4321, seed=71)
NAMED = [EXAMPLE.name, EXAMPLE.region]


@pytest.fixture(scope="module")
def old_site(emulator_site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with sigv2_site(emulator_site.emulator, tmp_path_factory.mktemp("sigv2")) as site:
        yield site


@pytest.fixture
def connection(old_site: Site) -> dict[str, Any]:
    return {"port": old_site.port, "secret_id": OLD_KEY.secret_id, "secret_key": OLD_KEY.secret_key, "sigv2": True}


@pytest.fixture
def large(tmp_path: Path) -> str:
    path = tmp_path / "large"
    path.write_bytes(LARGE)
    return str(path)


async def fetch(url: str, site: Site) -> tuple[int, bytes]:
    parts = urlsplit(url)
    raw = render_request("GET", f"{parts.path}?{parts.query}", [("host", parts.netloc), ("connection", "close")])
    answer = await exchange(site.port, raw)
    return answer.status, answer.body


@pytest.mark.skipif(shutil.which("s3cmd") is None, reason="s3cmd is not installed: apt-get install s3cmd")
async def test_s3cmd(old_site: Site, connection: dict[str, Any], large: str, tmp_path: Path) -> None:
    key, copied, back = fresh_key("old/目录 a+b"), fresh_key("old/copied"), tmp_path / "back"
    upstream = Watch(old_site)
    s3cmd.upload_parts(connection, NAMED, key, large)
    s3cmd.download(connection, NAMED, key, str(back))
    assert back.read_bytes() == LARGE
    assert s3cmd.list_keys(connection, NAMED, key) == [key]
    s3cmd.copy_parts(connection, NAMED, key, NAMED, copied)
    assert (await old_site.get(EXAMPLE, copied)).body == LARGE
    assert await fetch(s3cmd.presign(connection, NAMED, key), old_site) == (200, LARGE)
    s3cmd.delete(connection, NAMED, key)
    assert (await old_site.head(EXAMPLE, key)).status == 404
    seen = upstream.new()
    assert {"UploadPart", "UploadPartCopy", "CompleteMultipartUpload"} <= {entry.operation for entry in seen}
    assert {entry.access_key_id for entry in seen} == {SERVER_KEY.secret_id}


async def test_boto3(
    sdk: ClientProcess, old_site: Site, connection: dict[str, Any], large: str, tmp_path: Path
) -> None:
    key, copied, back = fresh_key("old/目录 a+b"), fresh_key("old/copied"), tmp_path / "back"

    def ask(ability: str, **arguments: Any) -> Any:
        return sdk.call(f"tests.clients.programs.boto3_sdk:{ability}", connection=connection, **arguments)

    upstream = Watch(old_site)
    ask("upload_parts", bucket=NAMED, key=key, path=large)
    ask("download", bucket=NAMED, key=key, path=str(back))
    assert back.read_bytes() == LARGE
    ask("download_range", bucket=NAMED, key=key, path=str(back), first=5, last=9)
    assert back.read_bytes() == LARGE[5:10]
    assert ask("list_keys", bucket=NAMED, prefix=key) == [key]
    source_key = await old_site.seed(FARAWAY, LARGE, stem="old/目录 source+")
    ask(
        "copy_parts",
        source_bucket=[FARAWAY.name, FARAWAY.region],
        source_key=source_key,
        bucket=NAMED,
        key=copied,
    )
    assert (await old_site.get(EXAMPLE, copied)).body == LARGE
    assert await fetch(ask("presign", bucket=NAMED, key=key), old_site) == (200, LARGE)
    ask("delete", bucket=NAMED, key=key)
    assert (await old_site.head(EXAMPLE, key)).status == 404
    assert {entry.access_key_id for entry in upstream.new()} == {SERVER_KEY.secret_id}


def test_boto3_with_a_key_that_may_not(sdk: ClientProcess, old_site: Site, connection: dict[str, Any]) -> None:
    other = {**connection, "secret_id": CALLER_KEY.secret_id, "secret_key": CALLER_KEY.secret_key}
    upstream = Watch(old_site)
    with pytest.raises(ClientFailed, match="AccessDenied"):
        sdk.call("tests.clients.programs.boto3_sdk:list_keys", connection=other, bucket=NAMED, prefix="")
    assert upstream.new() == []
