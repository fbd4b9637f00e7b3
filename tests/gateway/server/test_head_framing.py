"""The head of a request is within bounds and says in exactly one way where its body ends."""

from __future__ import annotations

import pytest

from cos.errors import COSError
from cos.headers import Headers
from cos.request import MAX_HEADER_BYTES, MAX_HEADERS
from gateway.server import framing

Fields = list[tuple[bytes, bytes]]
HOST = (b"host", b"h")
LENGTH, CHUNKED = (b"content-length", b"7"), (b"transfer-encoding", b"chunked")
EXPECTS = (b"expect", b"100-Continue")


def read_fields(fields: Fields, version: str) -> tuple[Headers, bool]:
    return framing.read_fields([name for name, _ in fields], [value for _, value in fields], version)


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
    headers, awaits_continue = read_fields(fields, version)
    assert list(headers) == [(name, value.strip()) for name, value in fields]
    assert awaits_continue is waits


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
        read_fields(fields, version)
    assert caught.value.code == code


def test_bounds_are_inclusive() -> None:
    assert len(read_fields([HOST] * MAX_HEADERS, "1.1")[0]) == MAX_HEADERS
    assert len(read_fields([(b"a", b"b" * (MAX_HEADER_BYTES - 1))], "1.1")[0]) == 1


def test_names_become_lower_case_and_are_the_same_objects_for_everybody() -> None:
    first, _ = read_fields([(b"HOST", b"a"), (b"X-Cos-Acl", b"Private")], "1.1")
    second, _ = read_fields([(bytes(bytearray(b"HOST")), b"b"), (bytes(bytearray(b"X-Cos-Acl")), b"c")], "1.1")
    assert list(first) == [(b"host", b"a"), (b"x-cos-acl", b"Private")]
    assert list(second) == [(b"host", b"b"), (b"x-cos-acl", b"c")]
    assert first.known is second.known


@pytest.mark.parametrize("other", [b"zero", b"", b"-0", b"0, 0", b"0x0"])
def test_a_length_of_nothing_says_nothing_of_the_next_request_with_the_same_names(other: bytes) -> None:
    read_fields([HOST, (b"Content-Length", b"0")], "1.1")
    for _ in range(2):
        with pytest.raises(COSError):
            read_fields([HOST, (b"Content-Length", other)], "1.1")
