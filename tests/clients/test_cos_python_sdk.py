"""cos-python-sdk-v5 through the gateway, in the three ways a program can be pointed at it.

endpoint: `Endpoint=` the gateway's domain; ip: `IP=`/`Port=` with the real host names kept; proxy: the gateway
as HTTP proxy. The SDK itself is unchanged; only name resolution is a test's.
"""

from __future__ import annotations

import hashlib
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest

from tests.support.client_process import ClientProcess
from tests.support.names import EXAMPLE, FARAWAY, FOREIGN, SOURCE
from tests.support.site import MIB, Site, fresh_key, pattern
from tests.support.watch import Watch

CALLS = "tests.clients.cos_python_calls"
MODES = ["endpoint", "ip", "proxy"]
CONTENT = pattern(2 * MIB + 4321, seed=60)
RANGES = ["bytes=0-1048575", "bytes=1048576-2097151", f"bytes=2097152-{len(CONTENT) - 1}"]

pytestmark = pytest.mark.usefixtures("only_the_servers_credential")


@pytest.fixture(params=MODES)
def connection(request: pytest.FixtureRequest, caller: dict[str, Any]) -> dict[str, Any]:
    return {"mode": request.param, **caller}


@pytest.fixture
async def source(gateway_site: Site) -> str:
    return await gateway_site.seed(SOURCE, CONTENT, stem="目录/source object+")


@pytest.mark.parametrize("stem", ["plain", "目录/中文 对象+a~b*c!'()&=@:;,$?#[]%41", "a/./b//c"])
def test_an_object_goes_there_and_back(sdk: ClientProcess, connection: dict[str, Any], stem: str) -> None:
    seen = sdk.call(
        f"{CALLS}:put_and_get", connection=connection, bucket=astuple(EXAMPLE), key=fresh_key(stem), size=70_000
    )
    assert seen["received"] == seen["sent"]
    assert seen["length"] == "70000"
    assert (seen["content_type"], seen["meta"]) == ("text/x-test", "1")
    assert len(seen["ranged"]) == 10
    assert seen["exists_after_delete"] is False


def test_a_file_goes_in_parts_and_comes_back_by_ranges(
    sdk: ClientProcess, connection: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "there").write_bytes(CONTENT)
    seen = sdk.call(
        f"{CALLS}:upload_and_download_file",
        connection=connection,
        bucket=astuple(EXAMPLE),
        key=fresh_key("file"),
        folder=str(tmp_path),
    )
    assert seen["same"]
    assert seen["etag"].endswith('-3"')


def test_a_body_of_unknown_length_is_streamed(sdk: ClientProcess, connection: dict[str, Any]) -> None:
    pieces = ["one,", "two,", "three" * 1000]
    stored = sdk.call(
        f"{CALLS}:put_stream", connection=connection, bucket=astuple(EXAMPLE), key=fresh_key("stream"), pieces=pieces
    )
    assert stored == "".join(pieces)


async def test_parts_copied_by_range_are_byte_identical(
    sdk: ClientProcess, connection: dict[str, Any], source: str
) -> None:
    seen = sdk.call(
        f"{CALLS}:multipart_copy",
        connection=connection,
        source=astuple(SOURCE),
        source_key=source,
        target=astuple(EXAMPLE),
        key=fresh_key("target"),
        ranges=RANGES,
    )
    assert seen["digest"] == hashlib.sha256(CONTENT).hexdigest()
    assert seen["listed"] == seen["etags"]


async def test_a_part_copy_without_range_copies_the_whole_source(
    sdk: ClientProcess, connection: dict[str, Any], source: str
) -> None:
    # Without a range the SDK sends the header empty.
    seen = sdk.call(
        f"{CALLS}:multipart_copy",
        connection=connection,
        source=astuple(SOURCE),
        source_key=source,
        target=astuple(EXAMPLE),
        key=fresh_key("target"),
        ranges=[""],
    )
    assert seen["digest"] == hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize("threshold", [1, 2**40], ids=["by parts", "at once"])
@pytest.mark.parametrize("connection", ["endpoint", "proxy"], indirect=True)
async def test_the_high_level_copy_is_byte_identical(
    sdk: ClientProcess, connection: dict[str, Any], gateway_site: Site, threshold: int
) -> None:
    key = await gateway_site.seed(FARAWAY, CONTENT)
    upstream = Watch(gateway_site)
    digest = sdk.call(
        f"{CALLS}:high_level_copy",
        connection=connection,
        source=astuple(FARAWAY),
        source_key=key,
        target=astuple(EXAMPLE),
        key=fresh_key("target"),
        threshold=threshold,
    )
    assert digest == hashlib.sha256(CONTENT).hexdigest()
    operations = [entry.operation for entry in upstream.new()]
    expected = {1: ("UploadPartCopy", 3), 2**40: ("PutObjectCopy", 1)}[threshold]
    assert operations.count(expected[0]) == expected[1], operations


def test_objects_are_listed_and_deleted_together(sdk: ClientProcess, connection: dict[str, Any]) -> None:
    prefix = fresh_key("listed") + "/"
    names = ["a", "b c", "d+e", "目录"]
    seen = sdk.call(
        f"{CALLS}:list_and_delete", connection=connection, bucket=astuple(EXAMPLE), prefix=prefix, names=names
    )
    assert seen["listed"] == [prefix + name for name in names]
    assert seen["deleted"] == sorted(prefix + name for name in names)
    assert seen["left"] == []


@pytest.mark.parametrize("connection", ["endpoint", "proxy"], indirect=True)
def test_buckets_are_listed(sdk: ClientProcess, connection: dict[str, Any]) -> None:
    names = sdk.call(f"{CALLS}:list_buckets", connection=connection, region=EXAMPLE.region)
    assert EXAMPLE.name in names
    assert FOREIGN.name not in names


# In IP mode a presigned URL names the real host, and nothing leads a plain HTTP client to the gateway.
@pytest.mark.parametrize("connection", ["endpoint", "proxy"], indirect=True)
def test_presigned_urls_work_for_their_object_only(sdk: ClientProcess, connection: dict[str, Any]) -> None:
    seen = sdk.call(
        f"{CALLS}:presigned", connection=connection, bucket=astuple(EXAMPLE), key=fresh_key("presigned"), body="hello"
    )
    assert seen == {"put": 200, "got": "hello", "other": 403}
