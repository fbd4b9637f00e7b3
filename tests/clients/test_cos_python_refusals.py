"""How cos-python-sdk-v5 understands the gateway's refusals: the right code, at once, without a retry.

An SDK retries what it takes for a failure of the service; a refusal must therefore be a complete COS error.
"""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import pytest

from tests.support.client_process import ClientProcess
from tests.support.names import ABSENT, EXAMPLE, FOREIGN, SERVER_KEY, SOURCE, Bucket
from tests.support.site import Site, fresh_key, quoted_md5
from tests.support.watch import Watch

CALLS = "tests.clients.cos_python_calls"


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ({"secret_key": "not the secret of this key"}, "SignatureDoesNotMatch"),
        ({"secret_id": "GWnobodynobodynobody00000000000001"}, "InvalidAccessKeyId"),
        ({"secret_id": SERVER_KEY.secret_id, "secret_key": SERVER_KEY.secret_key}, "InvalidAccessKeyId"),
    ],
    ids=["wrong secret", "unknown key", "the server's own credential"],
)
@pytest.mark.parametrize("mode", ["endpoint", "ip", "proxy"])
def test_a_key_the_gateway_did_not_issue_is_refused_and_nothing_is_sent(
    sdk: ClientProcess, gateway_site: Site, caller: dict[str, Any], mode: str, key: dict[str, str], code: str
) -> None:
    upstream = Watch(gateway_site)
    seen = sdk.call(
        f"{CALLS}:refused_put", connection={"mode": mode, **caller, **key}, bucket=astuple(EXAMPLE), key=fresh_key()
    )
    assert (seen["status"], seen["code"]) == (403, code)
    assert seen["message"]
    assert seen["request_id"]
    assert upstream.new() == []


@pytest.mark.parametrize("bucket", [ABSENT, FOREIGN], ids=["absent", "another account's"])
def test_a_bucket_that_is_not_ours_is_refused_and_nothing_is_sent(
    sdk: ClientProcess, gateway_site: Site, caller: dict[str, Any], bucket: Bucket
) -> None:
    upstream = Watch(gateway_site)
    seen = sdk.call(
        f"{CALLS}:refused_put", connection={"mode": "proxy", **caller}, bucket=astuple(bucket), key=fresh_key()
    )
    assert (seen["status"], seen["code"]) == (403, "AccessDenied")
    assert upstream.new() == []


@pytest.mark.parametrize("mode", ["endpoint", "ip", "proxy"])
async def test_a_condition_that_fails_is_a_412_the_sdk_understands(
    sdk: ClientProcess, gateway_site: Site, caller: dict[str, Any], mode: str
) -> None:
    source = await gateway_site.seed(SOURCE, b"content")
    upstream = Watch(gateway_site)
    seen = sdk.call(
        f"{CALLS}:refused_part_copy",
        connection={"mode": mode, **caller},
        source=astuple(SOURCE),
        source_key=source,
        target=astuple(EXAMPLE),
        key=fresh_key("target"),
        conditions={"CopySourceIfMatch": quoted_md5(b"something else")},
    )
    assert (seen["status"], seen["code"]) == (412, "PreconditionFailed")
    assert [entry.operation for entry in upstream.new()].count("UploadPartCopy") == 1


async def test_conflicting_conditions_are_refused_and_no_copy_is_sent(
    sdk: ClientProcess, gateway_site: Site, caller: dict[str, Any]
) -> None:
    source = await gateway_site.seed(SOURCE, b"content")
    upstream = Watch(gateway_site)
    seen = sdk.call(
        f"{CALLS}:refused_part_copy",
        connection={"mode": "ip", **caller},
        source=astuple(SOURCE),
        source_key=source,
        target=astuple(EXAMPLE),
        key=fresh_key("target"),
        conditions={"CopySourceIfMatch": quoted_md5(b"content"), "CopySourceIfNoneMatch": quoted_md5(b"other")},
    )
    assert seen["status"] in (400, 409)
    assert "UploadPartCopy" not in [entry.operation for entry in upstream.new()]


async def test_a_missing_source_is_a_404_the_sdk_understands(sdk: ClientProcess, caller: dict[str, Any]) -> None:
    seen = sdk.call(
        f"{CALLS}:refused_part_copy",
        connection={"mode": "ip", **caller},
        source=astuple(SOURCE),
        source_key="missing",
        target=astuple(EXAMPLE),
        key=fresh_key("target"),
        conditions={},
    )
    assert seen["status"] == 404
    assert seen["code"] in ("NoSuchKey", "NoSuchCopySource")
