"""How long a body is, said exactly one way."""

from __future__ import annotations

import pytest

from cos.errors import COSError
from cos.framing import read_body_length, read_content_length
from cos.headers import Headers


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        pytest.param([], 0, id="no-body"),
        pytest.param([(b"content-length", b"0")], 0, id="empty"),
        pytest.param([(b"content-length", b"5368709120")], 5368709120, id="length"),
        pytest.param([(b"transfer-encoding", b"chunked")], None, id="chunked"),
        pytest.param([(b"transfer-encoding", b"Chunked")], None, id="chunked-in-any-case"),
    ],
)
def test_body_length(fields: list[tuple[bytes, bytes]], length: int | None) -> None:
    assert read_body_length(Headers.of(fields)) == length
    assert read_content_length(Headers.of(fields)) == length


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([(b"content-length", b"0"), (b"transfer-encoding", b"chunked")], id="both"),
        pytest.param([(b"transfer-encoding", b"gzip, chunked")], id="two-codings"),
        pytest.param([(b"transfer-encoding", b"identity")], id="identity"),
        pytest.param([(b"transfer-encoding", b"")], id="empty-coding"),
        pytest.param([(b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"chunked")], id="coding-twice"),
        pytest.param([(b"content-length", b"")], id="empty-length"),
        pytest.param([(b"content-length", b"+1")], id="sign"),
        pytest.param([(b"content-length", b"-1")], id="negative"),
        pytest.param([(b"content-length", b"1_0")], id="underscore"),
        pytest.param([(b"content-length", b"0x1")], id="hexadecimal"),
        pytest.param([(b"content-length", b"1, 1")], id="list"),
        pytest.param([(b"content-length", b"1" * 16)], id="16-digits"),
        pytest.param([(b"content-length", b"1"), (b"content-length", b"1")], id="length-twice"),
    ],
)
def test_other_framings_are_refused(fields: list[tuple[bytes, bytes]]) -> None:
    for read in (read_body_length, read_content_length):
        with pytest.raises(COSError) as caught:
            read(Headers.of(fields))
        assert caught.value.code in ("InvalidRequest", "NotImplemented")


CHUNKS = (b"x-amz-content-sha256", b"STREAMING-UNSIGNED-PAYLOAD-TRAILER")
CHUNKED = (b"transfer-encoding", b"chunked")


def declared(length: bytes) -> tuple[bytes, bytes]:
    return (b"x-amz-decoded-content-length", length)


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        pytest.param([CHUNKS, (b"content-length", b"60"), declared(b"20")], 20, id="length"),
        pytest.param([CHUNKS, CHUNKED, declared(b"20")], 20, id="chunked"),
        pytest.param([CHUNKS, (b"content-length", b"20"), declared(b"20")], 20, id="as-long"),
        pytest.param([CHUNKS, (b"content-length", b"9"), declared(b"0")], 0, id="no-content"),
        pytest.param([(b"content-length", b"7"), declared(b"20")], 7, id="not-in-chunks"),
        pytest.param([(b"x-amz-content-sha256", b"UNSIGNED-PAYLOAD"), (b"content-length", b"7")], 7, id="unsigned"),
    ],
)
def test_the_length_of_content_is_that_of_what_is_in_its_chunks(fields: list[tuple[bytes, bytes]], length: int) -> None:
    assert read_content_length(Headers.of(fields)) == length


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        pytest.param([CHUNKS, (b"content-length", b"0")], "MissingContentLength", id="not-declared-of-nothing"),
        pytest.param([CHUNKS, (b"content-length", b"60")], "MissingContentLength", id="not-declared"),
        pytest.param([CHUNKS, (b"content-length", b"60"), declared(b"-1")], "InvalidRequest", id="sign"),
        pytest.param(
            [CHUNKS, (b"content-length", b"19"), declared(b"20")], "InvalidRequest", id="longer-than-the-body"
        ),
        pytest.param([CHUNKS, declared(b"1")], "InvalidRequest", id="in-no-body"),
    ],
)
def test_other_lengths_of_content_are_refused(fields: list[tuple[bytes, bytes]], code: str) -> None:
    with pytest.raises(COSError) as caught:
        read_content_length(Headers.of(fields))
    assert caught.value.code == code
