"""What a request promises of its body. Where nothing is promised, nobody reads along."""

from __future__ import annotations

import hashlib

import pytest

from cos.address import Level
from cos.errors import COSError
from cos.operations import find_operation
from cos.payload import PayloadReader, open_payload
from cos.request import read_request

CONTENT = b"content"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
S3 = (b"x-amz-date", b"20260801T000000Z")
CRC32 = (b"x-amz-checksum-crc32", b"/sUwqQ==")
DECODED = (b"x-amz-decoded-content-length", b"7")
CHUNKS = (b"x-amz-content-sha256", b"STREAMING-UNSIGNED-PAYLOAD-TRAILER")
SIGNED_CHUNKS = (b"x-amz-content-sha256", b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD")


def opened(*fields: tuple[bytes, bytes], sha256: str | None = None, length: bytes = b"7") -> PayloadReader | None:
    request = read_request("PUT", b"/k", [(b"host", b"gateway.test"), (b"content-length", length), *fields])
    return open_payload(request, find_operation(request, Level.OBJECT), sha256=sha256, signatures=None)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([], id="cos"),
        pytest.param([S3], id="s3"),
        pytest.param([(b"content-md5", b"")], id="empty-md5-of-cos"),
        pytest.param([S3, (b"content-md5", b"mgNkuembtIDdJeHwKEyFVQ==")], id="md5-which-cos-compares"),
        pytest.param([(b"x-amz-content-sha256", b"UNSIGNED-PAYLOAD")], id="said-to-be-unsigned"),
        pytest.param([(b"x-cos-checksum-crc32", b"/sUwqQ==")], id="checksum-of-s3-in-cos"),
    ],
)
def test_where_nothing_is_promised_there_is_nothing_to_check(fields: list[tuple[bytes, bytes]]) -> None:
    assert opened(*fields) is None


@pytest.mark.parametrize(
    ("fields", "sha256"),
    [
        pytest.param([], DIGEST, id="hash-that-the-signature-covers"),
        pytest.param([S3, CRC32], None, id="checksum"),
        pytest.param([S3, CRC32], DIGEST, id="both"),
    ],
)
def test_a_promise_is_checked(fields: list[tuple[bytes, bytes]], sha256: str | None) -> None:
    kept, broken = opened(*fields, sha256=sha256), opened(*fields, sha256=sha256)
    assert kept is not None
    assert broken is not None
    assert kept.feed(CONTENT) == CONTENT
    kept.finish()
    broken.feed(b"CONTENT")
    with pytest.raises(COSError) as caught:
        broken.finish()
    assert caught.value.code in ("XAmzContentSHA256Mismatch", "BadDigest")


@pytest.mark.parametrize(
    ("fields", "length", "code"),
    [
        pytest.param([], b"x", "InvalidRequest", id="length-where-nothing-is-promised"),
        pytest.param([S3, (b"content-md5", b"")], b"7", "InvalidDigest", id="empty-md5-of-s3"),
        pytest.param([CHUNKS], b"60", "MissingContentLength", id="chunks-without-the-length-of-their-content"),
        pytest.param([SIGNED_CHUNKS, DECODED], b"60", "InvalidRequest", id="signed-chunks-without-a-chain"),
    ],
)
def test_promises_that_cannot_be_understood_are_refused(
    fields: list[tuple[bytes, bytes]], length: bytes, code: str
) -> None:
    with pytest.raises(COSError) as caught:
        opened(*fields, length=length)
    assert caught.value.code == code
