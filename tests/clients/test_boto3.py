"""boto3 (AWS SigV4) through the gateway: path style at an address, virtual-hosted style at the gateway's domain."""

from __future__ import annotations

import hashlib
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest

from tests.support.client_process import ClientProcess
from tests.support.names import EXAMPLE, FARAWAY, FOREIGN, SOURCE, Bucket
from tests.support.site import MIB, Site, fresh_key, pattern
from tests.support.watch import Watch

CALLS = "tests.clients.boto3_calls"
CONTENT = pattern(2 * MIB + 99, seed=61)
RANGES = ["bytes=0-1048575", "bytes=1048576-2097151", f"bytes=2097152-{len(CONTENT) - 1}"]


@pytest.fixture(params=["path", "virtual"])
def connection(request: pytest.FixtureRequest, caller: dict[str, Any]) -> dict[str, Any]:
    return {"style": request.param, **caller}


@pytest.mark.usefixtures("only_the_servers_credential")
@pytest.mark.parametrize("stem", ["plain", "目录/中文 对象+a~b*c!'()&=@:;,$?#[]%41"])
def test_an_object_goes_there_and_back(sdk: ClientProcess, connection: dict[str, Any], stem: str) -> None:
    seen = sdk.call(
        f"{CALLS}:put_and_get", connection=connection, bucket=astuple(EXAMPLE), key=fresh_key(stem), size=70_000
    )
    assert seen.pop("received") == seen.pop("sent")
    assert seen == {
        "same_etag": True,
        "length": 70_000,
        "content_type": "text/x-test",
        "meta": {"a": "1"},
        "ranged": 10,
    }


@pytest.mark.usefixtures("only_the_servers_credential")
@pytest.mark.parametrize("source", [SOURCE, FARAWAY], ids=["same region", "another region"])
async def test_parts_copied_by_range_are_byte_identical(
    sdk: ClientProcess, connection: dict[str, Any], gateway_site: Site, source: Bucket
) -> None:
    # The S3 form of a copy source names no region: the bucket registry knows it.
    source_key = await gateway_site.seed(source, CONTENT, stem="目录/source object+")
    seen = sdk.call(
        f"{CALLS}:multipart_copy",
        connection=connection,
        source=astuple(source),
        source_key=source_key,
        target=astuple(EXAMPLE),
        key=fresh_key("target"),
        ranges=RANGES,
    )
    assert seen["digest"] == hashlib.sha256(CONTENT).hexdigest()
    assert seen["listed"] == seen["etags"]


@pytest.mark.usefixtures("only_the_servers_credential")
async def test_an_object_is_copied_at_once(sdk: ClientProcess, connection: dict[str, Any], gateway_site: Site) -> None:
    source_key = await gateway_site.seed(SOURCE, CONTENT)
    digest = sdk.call(
        f"{CALLS}:copy_object",
        connection=connection,
        source=astuple(SOURCE),
        source_key=source_key,
        target=astuple(EXAMPLE),
        key=fresh_key("target"),
    )
    assert digest == hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.usefixtures("only_the_servers_credential")
def test_objects_are_listed_in_pages(sdk: ClientProcess, connection: dict[str, Any]) -> None:
    prefix = fresh_key("listed") + "/"
    names = ["a", "b c", "d+e", "f", "目录"]
    seen = sdk.call(
        f"{CALLS}:list_and_delete", connection=connection, bucket=astuple(EXAMPLE), prefix=prefix, names=names
    )
    assert seen == {"listed": [prefix + name for name in names], "left": 0, "old": []}


@pytest.mark.usefixtures("only_the_servers_credential")
@pytest.mark.parametrize("checksums", ["when_required", "when_supported"])
def test_objects_are_deleted_together(sdk: ClientProcess, connection: dict[str, Any], checksums: str) -> None:
    # boto3 sends a checksum header where COS wants Content-MD5.
    prefix = fresh_key("deleted") + "/"
    names = ["a", "b c", "目录"]
    seen = sdk.call(
        f"{CALLS}:delete_together",
        connection={**connection, "checksums": checksums},
        bucket=astuple(EXAMPLE),
        prefix=prefix,
        names=names,
    )
    assert seen == {"deleted": sorted(prefix + name for name in names), "left": 0}


@pytest.mark.usefixtures("only_the_servers_credential")
def test_an_object_goes_there_and_back_with_the_checksums_boto3_adds_by_itself(
    sdk: ClientProcess, connection: dict[str, Any]
) -> None:
    seen = sdk.call(
        f"{CALLS}:put_and_get",
        connection={**connection, "checksums": "when_supported"},
        bucket=astuple(EXAMPLE),
        key=fresh_key(),
        size=70_000,
    )
    assert seen["received"] == seen["sent"]


@pytest.mark.usefixtures("only_the_servers_credential")
@pytest.mark.parametrize("checksums", ["when_required", "when_supported"])
def test_a_file_goes_in_parts_and_comes_back_by_ranges(
    sdk: ClientProcess, connection: dict[str, Any], tmp_path: Path, checksums: str
) -> None:
    (tmp_path / "there").write_bytes(pattern(6 * MIB, seed=63))
    seen = sdk.call(
        f"{CALLS}:upload_and_download_file",
        connection={**connection, "checksums": checksums},
        bucket=astuple(EXAMPLE),
        key=fresh_key("file"),
        folder=str(tmp_path),
    )
    assert seen["same"]
    assert seen["etag"].endswith('-2"')


@pytest.mark.usefixtures("only_the_servers_credential")
def test_buckets_are_listed(sdk: ClientProcess, connection: dict[str, Any]) -> None:
    names = sdk.call(f"{CALLS}:list_buckets", connection=connection, region=EXAMPLE.region)
    assert EXAMPLE.name in names
    assert FOREIGN.name not in names


@pytest.mark.usefixtures("only_the_servers_credential")
def test_a_presigned_url_downloads(sdk: ClientProcess, connection: dict[str, Any]) -> None:
    body = sdk.call(
        f"{CALLS}:presigned_get",
        connection=connection,
        bucket=astuple(EXAMPLE),
        key=fresh_key("presigned 目录"),
        body="hello",
    )
    assert body == "hello"


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ({"secret_key": "not the secret of this key"}, "SignatureDoesNotMatch"),
        ({"secret_id": "GWnobodynobodynobody00000000000001"}, "InvalidAccessKeyId"),
    ],
    ids=["wrong secret", "unknown key"],
)
def test_a_key_the_gateway_did_not_issue_is_refused_and_nothing_is_sent(
    sdk: ClientProcess, connection: dict[str, Any], gateway_site: Site, key: dict[str, str], code: str
) -> None:
    upstream = Watch(gateway_site)
    seen = sdk.call(
        f"{CALLS}:refused",
        connection={**connection, **key},
        bucket=astuple(EXAMPLE),
        operation="put_object",
        arguments={"Key": fresh_key(), "Body": "x"},
    )
    assert seen == {"status": 403, "code": code}
    assert upstream.new() == []


async def test_a_copy_condition_that_fails_is_412(
    sdk: ClientProcess, connection: dict[str, Any], gateway_site: Site
) -> None:
    source_key = await gateway_site.seed(SOURCE, b"content")
    seen = sdk.call(
        f"{CALLS}:refused",
        connection=connection,
        bucket=astuple(EXAMPLE),
        operation="copy_object",
        arguments={
            "Key": fresh_key("target"),
            "CopySource": {"Bucket": SOURCE.name, "Key": source_key},
            "CopySourceIfMatch": '"00000000000000000000000000000000"',
        },
    )
    assert seen == {"status": 412, "code": "PreconditionFailed"}


def test_a_missing_object_is_404(sdk: ClientProcess, connection: dict[str, Any]) -> None:
    seen = sdk.call(
        f"{CALLS}:refused",
        connection=connection,
        bucket=astuple(EXAMPLE),
        operation="get_object",
        arguments={"Key": "missing"},
    )
    assert seen == {"status": 404, "code": "NoSuchKey"}
