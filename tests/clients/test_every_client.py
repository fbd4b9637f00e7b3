"""Every client does what it does, through the gateway, against the embedded COS: the table of the README.

What was stored is looked at behind the gateway's back, in the embedded COS itself.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.clients.abilities import ABILITIES, PROGRAMS, Program
from tests.clients.programs import node
from tests.support.client_process import ClientFailed, ClientProcess, client_process
from tests.support.http1 import exchange, render_request
from tests.support.names import EXAMPLE, FARAWAY, SERVER_KEY, SOURCE, VERSIONED, Bucket
from tests.support.site import MIB, Site, fresh_key, pattern
from tests.support.watch import Watch

SMALL = b"small content, 30 bytes long..\n"
LARGE = pattern(11 * MIB + 4321, seed=70)
REFUSED = (ClientFailed, RuntimeError)
Call = Callable[..., Any]


@pytest.fixture(scope="module")
def processes() -> Iterator[dict[str, ClientProcess]]:
    """One client process for each interpreter, started when asked for."""
    with client_process() as ours:
        started = {PROGRAMS[0].python: ours}
        extra = next((program.python for program in PROGRAMS if program.extra_python and not program.missing), None)
        if extra is None:
            yield started
            return
        with client_process(extra) as theirs:
            yield {**started, extra: theirs}


@pytest.fixture(params=PROGRAMS, ids=lambda program: program.name, scope="module")
def program(request: pytest.FixtureRequest) -> Program:
    return unless_missing(request.param)


def unless_missing(found: Program) -> Program:
    """What is not installed is skipped with its reason, and a failure where everything must be."""
    if found.missing is not None:
        if os.environ.get("CI"):
            pytest.fail(found.missing)
        pytest.skip(found.missing)
    return found


@pytest.fixture
def ask(
    program: Program,
    processes: dict[str, ClientProcess],
    caller: dict[str, Any],
    record_property: Callable[[str, object], None],
    request: pytest.FixtureRequest,
) -> Call:
    """Ask the program for an ability; what it lacks is skipped with its reason."""
    kind, _, name = program.module.rpartition(":")

    def call(ability: str, *, connection: dict[str, Any] | None = None, **arguments: Any) -> Any:
        arguments = {"connection": connection or caller, **arguments}
        if kind == "node":
            return getattr(node, name).call(ability, arguments)
        return processes[program.python].call(f"{program.module}:{ability}", **arguments)

    ability = str(request.node.originalname).removeprefix("test_")
    version = (
        getattr(node, name).version() if kind == "node" else processes[program.python].call(f"{program.module}:version")
    )
    for label, value in (("client", program.name), ("version", version), ("ability", ability)):
        record_property(label, value)
    if ability in program.lacks:
        pytest.skip(program.lacks[ability])
    return call


@pytest.fixture
def behind(gateway_site: Site) -> Site:
    """The embedded COS itself."""
    return replace(gateway_site, client=replace(gateway_site.client, port=gateway_site.emulator.port, key=SERVER_KEY))


def named(bucket: Bucket) -> list[str]:
    return [bucket.name, bucket.region]


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def assert_stored(behind: Site, key: str, content: bytes) -> None:
    answer = await behind.get(EXAMPLE, key)
    assert answer.status == 200, answer
    assert (len(answer.body), digest(answer.body)) == (len(content), digest(content))
    assert answer.header("content-encoding") is None


@pytest.fixture
def large(tmp_path: Path) -> str:
    path = tmp_path / "large"
    path.write_bytes(LARGE)
    return str(path)


@pytest.fixture
def small(tmp_path: Path) -> str:
    path = tmp_path / "small"
    path.write_bytes(SMALL)
    return str(path)


async def test_upload(ask: Call, behind: Site, small: str) -> None:
    key = fresh_key("clients/目录 a+b")
    ask("upload", bucket=named(EXAMPLE), key=key, path=small)
    await assert_stored(behind, key, SMALL)


async def test_upload_parts(ask: Call, behind: Site, large: str) -> None:
    key = fresh_key("clients/parts")
    upstream = Watch(behind)
    ask("upload_parts", bucket=named(EXAMPLE), key=key, path=large)
    await assert_stored(behind, key, LARGE)
    operations = [entry.operation for entry in upstream.new()]
    assert operations.count("UploadPart") >= 3
    assert operations.count("CompleteMultipartUpload") == 1


async def test_upload_stream(ask: Call, behind: Site, large: str) -> None:
    key = fresh_key("clients/stream")
    ask("upload_stream", bucket=named(EXAMPLE), key=key, path=large)
    await assert_stored(behind, key, LARGE)


async def test_download(ask: Call, behind: Site, tmp_path: Path) -> None:
    key = await behind.seed(EXAMPLE, LARGE, stem="clients/目录 a+b")
    path = tmp_path / "back"
    ask("download", bucket=named(EXAMPLE), key=key, path=str(path))
    assert digest(path.read_bytes()) == digest(LARGE)


async def test_download_range(ask: Call, behind: Site, tmp_path: Path) -> None:
    key = await behind.seed(EXAMPLE, SMALL)
    path = tmp_path / "back"
    ask("download_range", bucket=named(EXAMPLE), key=key, path=str(path), first=6, last=12)
    assert path.read_bytes() == SMALL[6:13]


async def test_list_keys(ask: Call, behind: Site) -> None:
    prefix = fresh_key("clients/listed") + "/"
    keys = [prefix + name for name in ("a", "b c", "d+e", "sub/f", "目录")]
    for key in keys:
        await behind.seed(EXAMPLE, b"x", key=key)
    assert sorted(ask("list_keys", bucket=named(EXAMPLE), prefix=prefix)) == keys


async def test_delete(ask: Call, behind: Site) -> None:
    key = await behind.seed(EXAMPLE, SMALL, stem="clients/deleted")
    ask("delete", bucket=named(EXAMPLE), key=key)
    assert (await behind.head(EXAMPLE, key)).status == 404


async def test_presign(ask: Call, behind: Site, gateway_site: Site) -> None:
    key = await behind.seed(EXAMPLE, SMALL, stem="clients/目录 a+b")
    url = urlsplit(ask("presign", bucket=named(EXAMPLE), key=key))
    target = f"{url.path}?{url.query}"
    raw = render_request("GET", target, [("host", url.netloc), ("connection", "close")])
    answer = await exchange(gateway_site.port, raw)
    assert (answer.status, answer.body) == (200, SMALL), answer
    elsewhere = render_request("GET", target.replace("/clients/", "/other/"), [("host", url.netloc)])
    assert (await exchange(gateway_site.port, elsewhere)).status == 403


async def test_copy_parts(ask: Call, behind: Site) -> None:
    source_key = await behind.seed(FARAWAY, LARGE, stem="clients/目录 source+")
    key = fresh_key("clients/copied")
    upstream = Watch(behind)
    ask("copy_parts", source_bucket=named(FARAWAY), source_key=source_key, bucket=named(EXAMPLE), key=key)
    await assert_stored(behind, key, LARGE)
    seen = upstream.new()
    assert [entry.operation for entry in seen].count("UploadPartCopy") >= 2
    assert {entry.access_key_id for entry in seen} == {behind.client.key.secret_id}


async def test_copy_if_match(ask: Call, behind: Site) -> None:
    source_key = await behind.seed(SOURCE, SMALL)
    key = fresh_key("clients/refused")
    with pytest.raises(REFUSED, match=r"Precondition|412"):
        ask(
            "copy_if_match",
            source_bucket=named(SOURCE),
            source_key=source_key,
            bucket=named(EXAMPLE),
            key=key,
            etag='"00000000000000000000000000000000"',
        )
    assert (await behind.head(EXAMPLE, key)).status == 404


async def test_copy_version(ask: Call, behind: Site) -> None:
    source_key = fresh_key("clients/versioned")
    first = await behind.seed_version(VERSIONED, source_key, SMALL)
    await behind.seed_version(VERSIONED, source_key, b"a newer version")
    key = fresh_key("clients/copied")
    ask(
        "copy_version",
        source_bucket=named(VERSIONED),
        source_key=source_key,
        version_id=first,
        bucket=named(EXAMPLE),
        key=key,
    )
    await assert_stored(behind, key, SMALL)


async def test_abort(ask: Call, program: Program, behind: Site, large: str) -> None:
    # Programs that only clean up what others left find an upload here; the rest make and abort one of their own.
    key = fresh_key("clients/aborted")
    left_behind = await behind.initiate(EXAMPLE, key) if program.only_cleans_up else None
    upstream = Watch(behind)
    ask("abort", bucket=named(EXAMPLE), key=key, path=large)
    assert "AbortMultipartUpload" in [entry.operation for entry in upstream.new()]
    assert (await behind.head(EXAMPLE, key)).status == 404
    if left_behind is not None:
        assert (await behind.list_parts(left_behind)).status == 404


def test_wrong_key(ask: Call, behind: Site, caller: dict[str, Any], small: str) -> None:
    # rclone asks with HEAD first, whose refusal has no body to name a code.
    upstream, key = Watch(behind), fresh_key("clients/refused")
    stranger = {**caller, "secret_key": "not the secret of this key"}
    with pytest.raises(REFUSED, match=r"SignatureDoesNotMatch|Forbidden"):
        ask("upload", connection=stranger, bucket=named(EXAMPLE), key=key, path=small)
    # A part of the upload that was just aborted may still be on its way.
    assert [entry for entry in upstream.new() if entry.key == key] == []


def test_every_ability_of_the_table_is_asked_for() -> None:
    asked = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert set(ABILITIES) <= asked
