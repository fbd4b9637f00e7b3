"""What the fields of a request say of its body, and that they are judged as they are, whatever came before."""

from __future__ import annotations

import pytest

from cos.errors import COSError
from cos.request import MAX_HEADER_BYTES, MAX_HEADERS
from gateway.server.framing import read_fields

HOST = (b"Host", b"h")


def test_names_are_lower_case_and_the_same_objects_for_everybody() -> None:
    first, _ = read_fields([(b"HOST", b"a"), (b"X-Cos-Acl", b"Private")], "1.1")
    second, _ = read_fields([(bytes(bytearray(b"HOST")), b"b"), (bytes(bytearray(b"X-Cos-Acl")), b"c")], "1.1")
    assert first == ((b"host", b"a"), (b"x-cos-acl", b"Private"))
    assert second == ((b"host", b"b"), (b"x-cos-acl", b"c"))
    assert [name for name, _ in first] == [name for name, _ in second]
    assert all(one[0] is other[0] for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize(
    ("fields", "version", "awaits"),
    [
        ([], "1.1", False),
        ([(b"Content-Length", b"0")], "1.1", False),
        ([(b"content-length", b"12")], "1.0", False),
        ([(b"Content-Length", b" 12 ")], "1.1", False),
        ([(b"Transfer-Encoding", b"chunked")], "1.1", False),
        ([(b"Content-Length", b"12"), (b"Expect", b"100-continue")], "1.1", True),
        ([(b"Expect", b"100-Continue"), (b"Transfer-Encoding", b"chunked")], "1.1", True),
        ([(b"Expect", b"something")], "1.1", False),
    ],
)
def test_one_way_to_say_where_a_body_ends_is_taken(
    fields: list[tuple[bytes, bytes]], version: str, awaits: bool
) -> None:
    read, awaits_continue = read_fields([HOST, *fields], version)
    assert awaits_continue is awaits
    assert [value for _, value in read[1:]] == [value for _, value in fields]


@pytest.mark.parametrize(
    ("fields", "version"),
    [
        ([(b"Content-Length", b"0"), (b"Content-Length", b"0")], "1.1"),
        ([(b"Content-Length", b"0"), (b"content-length", b"5")], "1.1"),
        ([(b"Content-Length", b"0"), (b"Transfer-Encoding", b"chunked")], "1.1"),
        ([(b"Content-Length", b"")], "1.1"),
        ([(b"Content-Length", b"-0")], "1.1"),
        ([(b"Content-Length", b"0, 0")], "1.1"),
        ([(b"Content-Length", b"0x0")], "1.1"),
        ([(b"Content-Length", b"1234567890123456")], "1.1"),
        ([(b"Transfer-Encoding", b"chunked")], "1.0"),
        ([(b"Transfer-Encoding", b"gzip")], "1.1"),
        ([(b"Transfer-Encoding", b"chunked"), (b"Transfer-Encoding", b"chunked")], "1.1"),
    ],
)
def test_any_other_way_is_refused_each_time(fields: list[tuple[bytes, bytes]], version: str) -> None:
    for _ in range(2):
        with pytest.raises(COSError) as refused:
            read_fields([HOST, *fields], version)
        assert refused.value.code in ("InvalidRequest", "NotImplemented")


def test_a_length_of_nothing_says_nothing_of_the_next_request_with_the_same_names() -> None:
    read_fields([HOST, (b"Content-Length", b"0")], "1.1")
    with pytest.raises(COSError):
        read_fields([HOST, (b"Content-Length", b"zero")], "1.1")


@pytest.mark.parametrize("count", [MAX_HEADERS - 1, MAX_HEADERS, MAX_HEADERS + 1])
def test_only_so_many_fields_are_taken(count: int) -> None:
    fields = [(b"x", b"y")] * count
    if count > MAX_HEADERS:
        with pytest.raises(COSError, match="at most 100 header fields"):
            read_fields(fields, "1.1")
    else:
        assert len(read_fields(fields, "1.1")[0]) == count


@pytest.mark.parametrize("extra_bytes", [-1, 0, 1])
@pytest.mark.parametrize("where", ["name", "value"])
def test_only_so_many_bytes_of_fields_are_taken(where: str, extra_bytes: int) -> None:
    filler = b"a" * (MAX_HEADER_BYTES - 1 + extra_bytes)
    fields = [(filler, b"y")] if where == "name" else [(b"x", filler)]
    if extra_bytes > 0:
        with pytest.raises(COSError, match="bytes of headers"):
            read_fields(fields, "1.1")
    else:
        assert len(read_fields(fields, "1.1")[0]) == 1
