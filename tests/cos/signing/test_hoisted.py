"""Headers in the query of a presigned S3 URL become headers; nothing else in a query does."""

from __future__ import annotations

import pytest

from cos.errors import COSError
from cos.request import read_request
from cos.signing import with_hoisted_headers

SIGNED = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=0"
HOST = (b"host", b"b-1250000000.cos.ap-guangzhou.myqcloud.com")


def test_control_headers_in_a_presigned_url_become_headers() -> None:
    raw = f"/k?versionId=v&x-amz-meta-a=%E7%9B%AE%20b&x-amz-checksum-mode=ENABLED&{SIGNED}".encode()
    request = with_hoisted_headers(read_request("GET", raw, [HOST]))
    assert request.headers.get(b"x-amz-meta-a") == "目 b".encode()
    assert request.headers.get(b"x-amz-checksum-mode") == b"ENABLED"
    assert [name for name, _ in request.target.query] == ["versionId", "X-Amz-Algorithm", "X-Amz-Signature"]


@pytest.mark.parametrize(
    "query", ["x-amz-checksum-mode=ENABLED", "x-cos-acl=private&q-signature=0", "versionId=v", SIGNED]
)
def test_any_other_request_is_unchanged(query: str) -> None:
    request = read_request("GET", f"/k?{query}".encode(), [HOST])
    assert with_hoisted_headers(request) is request


@pytest.mark.parametrize(
    ("parameter", "headers"),
    [
        ("x-amz-acl=private", [(b"x-amz-acl", b"public-read")]),
        ("x-amz-content-sha256=STREAMING-UNSIGNED-PAYLOAD-TRAILER", []),
        ("x-amz-date=20260801T000000Z", []),
        ("x-amz-meta-a=a%E2%80%8Bb", []),
        ("x-amz-meta_a=1", []),
        ("x-amz-%20=1", []),
    ],
    ids=["a header as well", "the payload", "the date", "an invisible character", "underscore", "space"],
)
def test_what_could_be_read_in_two_ways_is_refused(parameter: str, headers: list[tuple[bytes, bytes]]) -> None:
    request = read_request("GET", f"/k?{parameter}&{SIGNED}".encode(), [HOST, *headers])
    with pytest.raises(COSError) as caught:
        with_hoisted_headers(request)
    assert caught.value.code == "InvalidArgument"
