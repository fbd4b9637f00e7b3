"""The head of a request is within bounds and says in exactly one way where its body ends."""

from __future__ import annotations

import pytest

from cos.errors import COSError
from cos.request import MAX_HEADER_BYTES, MAX_HEADERS
from gateway.server.framing import check_head

Fields = list[tuple[bytes, bytes]]
HOST = (b"host", b"h")
LENGTH, CHUNKED = (b"content-length", b"7"), (b"transfer-encoding", b"chunked")
EXPECTS = (b"expect", b"100-Continue")


@pytest.mark.parametrize(
    ("fields", "version", "waits"),
    [
        pytest.param([HOST], "1.0", False, id="no-body"),
        pytest.param([HOST, LENGTH], "1.0", False, id="length"),
        pytest.param([HOST, (b"content-length", b" 7\t")], "1.1", False, id="length-in-white-space"),
        pytest.param([HOST, (b"content-length", b"9" * 15)], "1.1", False, id="15-digits"),
        pytest.param([HOST, CHUNKED], "1.1", False, id="chunked"),
        pytest.param([HOST, EXPECTS], "1.1", True, id="waits-without-a-body"),
        pytest.param([HOST, EXPECTS, LENGTH], "1.1", True, id="waits-with-a-length"),
        pytest.param([CHUNKED, HOST, EXPECTS], "1.1", True, id="waits-with-chunks"),
        pytest.param([HOST, LENGTH, (b"expect", b"something-else")], "1.1", False, id="another-expectation"),
    ],
)
def test_a_head_with_one_meaning_is_taken(fields: Fields, version: str, waits: bool) -> None:
    assert check_head(fields, version=version) is waits


@pytest.mark.parametrize(
    ("fields", "version", "code"),
    [
        pytest.param([HOST, (b"content-length", b"")], "1.1", "InvalidRequest", id="empty-length"),
        pytest.param([HOST, (b"content-length", b"0x7")], "1.1", "InvalidRequest", id="hexadecimal-length"),
        pytest.param([HOST, (b"content-length", b"+7")], "1.1", "InvalidRequest", id="sign"),
        pytest.param([HOST, (b"content-length", b"7, 7")], "1.1", "InvalidRequest", id="list-of-lengths"),
        pytest.param([HOST, (b"content-length", b"9" * 16)], "1.1", "InvalidRequest", id="16-digits"),
        pytest.param([LENGTH, HOST, LENGTH], "1.1", "InvalidRequest", id="two-lengths"),
        pytest.param([LENGTH, CHUNKED], "1.1", "InvalidRequest", id="length-and-chunks"),
        pytest.param([CHUNKED, CHUNKED], "1.1", "InvalidRequest", id="two-codings"),
        pytest.param([(b"transfer-encoding", b"gzip, chunked")], "1.1", "NotImplemented", id="another-coding"),
        pytest.param([CHUNKED], "1.0", "InvalidRequest", id="chunks-before-1.1"),
        pytest.param([EXPECTS, (b"content-length", b"x")], "1.1", "InvalidRequest", id="bad-length-that-waits"),
        pytest.param([HOST] * (MAX_HEADERS + 1), "1.1", "InvalidRequest", id="one-field-too-many"),
        pytest.param([(b"a", b"b" * MAX_HEADER_BYTES)], "1.1", "InvalidRequest", id="one-byte-too-many"),
    ],
)
def test_every_other_head_is_refused(fields: Fields, version: str, code: str) -> None:
    with pytest.raises(COSError) as caught:
        check_head(fields, version=version)
    assert caught.value.code == code


def test_bounds_are_inclusive() -> None:
    assert check_head([HOST] * MAX_HEADERS, version="1.1") is False
    assert check_head([(b"a", b"b" * (MAX_HEADER_BYTES - 1))], version="1.1") is False
