"""What the gateway signs is checked by Swift: boto3 in both styles, bodies in chunks, and a wrong secret."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.clients import test_boto3
from tests.clients.test_aws_chunked import test_a_file_as_a_stream_is_stored_without_its_chunks  # noqa: F401
from tests.clients.test_boto3 import (  # noqa: F401  # the promises, word for word
    connection,
    test_a_copy_condition_that_fails_is_412,
    test_a_file_goes_in_parts_and_comes_back_by_ranges,
    test_a_key_the_gateway_did_not_issue_is_refused_and_nothing_is_sent,
    test_a_missing_object_is_404,
    test_a_presigned_url_downloads,
    test_an_object_goes_there_and_back,
    test_an_object_goes_there_and_back_with_the_checksums_boto3_adds_by_itself,
    test_an_object_is_copied_at_once,
    test_buckets_are_listed,
    test_objects_are_deleted_together,
    test_objects_are_listed_in_pages,
    test_parts_copied_by_range_are_byte_identical,
)
from tests.gateway.test_payload_integrity import (
    CRC32,
    SIGNED,
    SIGNED_TRAILER,
    UNSIGNED_TRAILER,
    WRONG_CRC32,
    ChunkedPut,
)
from tests.support.client import target
from tests.support.client_process import ClientProcess
from tests.support.gateway_server import with_sigv2
from tests.support.http1 import exchange, render_request
from tests.support.names import CALLER_KEY, EXAMPLE, OLD_KEY
from tests.support.site import MIB, Site, fresh_key, pattern
from tests.support.watch import Watch
from tests.upstream_swift.swift_server import REGION, SWIFT_KEY, SwiftSite, gateway_before, settings_before

HOST = replace(EXAMPLE, region=REGION).host


@pytest.mark.usefixtures("only_the_servers_credential")
@pytest.mark.parametrize("http_chunked", [False, True], ids=["with a length", "without a length"])
@pytest.mark.parametrize(
    ("payload", "trailer"),
    [(SIGNED, None), (SIGNED_TRAILER, [CRC32]), (UNSIGNED_TRAILER, [CRC32])],
    ids=["signed", "signed with trailer", "unsigned with trailer"],
)
async def test_a_body_in_chunks_arrives_without_them(
    gateway_site: SwiftSite, swift: SwiftSite, payload: str, trailer: Any, http_chunked: bool
) -> None:
    key = fresh_key("chunks")
    put = ChunkedPut(payload=payload, trailer=trailer, http_chunked=http_chunked, host=HOST)
    answer = await put.send(gateway_site.client, key)
    assert answer.status == 200, answer
    stored = await swift.get(EXAMPLE, key)
    assert stored.body == put.content
    assert stored.header("content-encoding") is None


@pytest.mark.parametrize(
    ("put", "code"),
    [
        (ChunkedPut(host=HOST, flipped=70_000), "SignatureDoesNotMatch"),
        (ChunkedPut(host=HOST, payload=UNSIGNED_TRAILER, trailer=[WRONG_CRC32]), "BadDigest"),
    ],
    ids=["chunk", "trailer"],
)
async def test_a_promise_broken_in_chunks_leaves_nothing(
    gateway_site: SwiftSite, swift: SwiftSite, put: ChunkedPut, code: str
) -> None:
    key = fresh_key("chunks")
    answer = await put.send(gateway_site.client, key)
    assert answer.text("Code") == code
    assert (await swift.head(EXAMPLE, key)).status == 404


@pytest.mark.usefixtures("only_the_servers_credential")
async def test_a_body_of_unknown_length_is_stored(gateway_site: SwiftSite, swift: SwiftSite) -> None:
    key, content = fresh_key("unknown"), pattern(MIB, seed=81)
    head = gateway_site.client.render(
        "PUT",
        HOST,
        target(key),
        headers=[("transfer-encoding", "chunked"), ("x-amz-content-sha256", "UNSIGNED-PAYLOAD")],
    )
    pieces = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (content[:70_000], content[70_000:])]
    answer = await exchange(gateway_site.port, head, pieces=[*pieces, b"0\r\n\r\n"])
    assert answer.status == 200, answer
    assert (await swift.get(EXAMPLE, key)).body == content


async def test_a_wrong_secret_of_the_gateway_is_noticed_by_swift(swift: SwiftSite, tmp_path: Path) -> None:
    # The proof that Swift checks what the gateway signs. A caller hears nothing of the gateway's own troubles.
    key = fresh_key("refused")
    upstream = Watch(swift)
    settings = settings_before(swift, tmp_path, secret_key="not the secret that Swift knows")
    with gateway_before(swift, settings) as site:
        answer = await site.put(EXAMPLE, key, b"x")
    assert (answer.status, answer.text("Code")) == (503, "ServiceUnavailable")
    assert [(entry.status, entry.access_key_id) for entry in upstream.new()] == [(403, SWIFT_KEY.secret_id)]
    assert (await swift.head(EXAMPLE, key)).status == 404


@pytest.mark.usefixtures("only_the_servers_credential")
async def test_what_was_signed_with_version_2_is_signed_with_version_4(
    sdk: ClientProcess, swift: SwiftSite, tmp_path: Path
) -> None:
    key, path = fresh_key("old/目录 a+b"), tmp_path / "file"
    path.write_bytes(pattern(6 * MIB, seed=83))
    with gateway_before(swift, with_sigv2(settings_before(swift, tmp_path))) as site:
        connection = {
            "port": site.port,
            "secret_id": OLD_KEY.secret_id,
            "secret_key": OLD_KEY.secret_key,
            "sigv2": True,
        }
        place = {"connection": connection, "bucket": [EXAMPLE.name, EXAMPLE.region], "key": key}
        sdk.call("tests.clients.programs.boto3_sdk:upload_parts", **place, path=str(path))
        url = urlsplit(sdk.call("tests.clients.programs.boto3_sdk:presign", **place))
        raw = render_request("GET", f"{url.path}?{url.query}", [("host", url.netloc), ("connection", "close")])
        answer = await exchange(site.port, raw)
    assert "AWSAccessKeyId=" in url.query
    assert answer.body == path.read_bytes()
    assert (await swift.get(EXAMPLE, key)).body == path.read_bytes()


async def test_swift_sees_the_servers_key_and_never_the_callers(gateway_site: Site, swift: SwiftSite) -> None:
    key = fresh_key("seen")
    upstream = Watch(swift)
    await gateway_site.put(EXAMPLE, key, b"x", [("x-amz-meta-colour", "green")])
    assert {entry.access_key_id for entry in upstream.new()} == {SWIFT_KEY.secret_id}
    assert CALLER_KEY.secret_id not in "".join(swift.access_log.lines)


def test_no_promise_of_boto3_is_left_out() -> None:
    promised = {name for name in vars(test_boto3) if name.startswith("test_")}
    assert promised <= set(globals())
