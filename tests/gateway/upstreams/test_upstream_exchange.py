"""One request and its response: the bytes that leave, and the bytes that come back."""

from __future__ import annotations

import pytest

from gateway.ports import UpstreamError
from gateway.upstreams import TransportKind
from tests.gateway.upstreams.scripted_server import (
    HOST,
    Peer,
    answering,
    build_answer,
    build_request,
    fetch,
    open_upstream,
    pieces,
    serve,
)


@pytest.mark.parametrize(
    "target",
    [
        b"/",
        b"/a/../b",
        b"/a/./b",
        b"//",
        b"//a//b",
        b"/a%2Fb",
        b"/a%2fb%zz",
        b"/..",
        b"/?",
        b"/key?partNumber=1&uploadId=x%2B%20y+z",
        b"/key?acl",
        b"/key?a=b?c&&d==",
        b"/key;v=1",
        b"/\"<>\\^`{|}'",
        b"/key#fragment",
    ],
    ids=repr,
)
async def test_target_is_sent_byte_for_byte(kind: TransportKind, target: bytes) -> None:
    async with serve(answering(build_answer())) as server, open_upstream(kind, server.url) as upstream:
        await fetch(upstream, build_request(target=target))
    assert server.heads[0].split(b"\r\n")[0] == b"GET " + target + b" HTTP/1.1"


async def test_headers_are_sent_in_order_and_none_is_added(kind: TransportKind) -> None:
    headers = (
        (b"x-cos-copy-source", b"b-1.cos.ap-guangzhou.myqcloud.com/k%20\xe4\xb8\xad"),
        (b"authorization", b"q-sign-algorithm=sha1&q-ak=a"),
        (b"x-cos-meta-a", b"1"),
        (b"x-cos-meta-a", b"2"),
        (b"content-length", b"0"),
        (b"x-cos-copy-source-range", b""),
    )
    async with serve(answering(build_answer())) as server, open_upstream(kind, server.url) as upstream:
        await fetch(upstream, build_request("PUT", headers=headers))
    lines = server.heads[0].split(b"\r\n")[1:-2]
    assert [tuple(line.split(b": ", 1)) for line in lines] == [(b"host", HOST.encode()), *headers]


@pytest.mark.parametrize("target", [b"", b"/a b", b"/a\r\nx: y", b"/a\x00", b"/\xe4\xb8\xad"], ids=repr)
async def test_target_that_would_split_the_request_is_refused(kind: TransportKind, target: bytes) -> None:
    async with serve(answering(build_answer())) as server, open_upstream(kind, server.url) as upstream:
        with pytest.raises(UpstreamError):
            await fetch(upstream, build_request(target=target))
    assert server.heads == []


@pytest.mark.parametrize("header", [(b"x-a", b"1\r\nx-b: 2"), (b"x-a: 1\r\nx-b", b"2"), (b"", b"1"), (b"x-a", b"\0")])
async def test_header_that_would_split_the_request_is_refused(kind: TransportKind, header: tuple[bytes, bytes]) -> None:
    async with serve(answering(build_answer())) as server, open_upstream(kind, server.url) as upstream:
        with pytest.raises(UpstreamError):
            await fetch(upstream, build_request(headers=(header,)))
    assert server.heads == []


@pytest.mark.parametrize(
    ("method", "answer", "expected"),
    [
        ("GET", build_answer(b"hello"), (200, b"hello")),
        ("GET", build_answer(b""), (200, b"")),
        ("GET", build_answer(b"<Error/>", status=b"404 Not Found"), (404, b"<Error/>")),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"")),
        ("GET", b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n', (304, b"")),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", (304, b"")),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n", (200, b"")),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", (200, b"")),
        ("HEAD", b"HTTP/1.1 404 Not Found\r\n\r\n", (404, b"")),
        (
            "GET",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
            (200, b"hello!"),
        ),
        (
            "GET",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
            (200, b"hello"),
        ),
        ("GET", b"HTTP/1.1 200 OK\r\n\r\nuntil the end", (200, b"until the end")),
        ("GET", b"HTTP/1.0 200 OK\r\n\r\nold", (200, b"old")),
        ("GET", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\n" + build_answer(b"x"), (200, b"x")),
        ("GET", b"HTTP/1.1 503\r\nContent-Length: 1\r\n\r\nx", (503, b"x")),
    ],
    ids=lambda value: value[:60] if isinstance(value, bytes) else None,
)
async def test_response_is_read_to_its_end(
    kind: TransportKind, method: str, answer: bytes, expected: tuple[int, bytes]
) -> None:
    async with serve(answering(answer)) as server, open_upstream(kind, server.url) as upstream:
        assert await fetch(upstream, build_request(method)) == expected


async def test_response_in_single_bytes_is_read_to_its_end(kind: TransportKind) -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n3\r\nabc\r\n0\r\n\r\n"

    async def script(peer: Peer) -> None:
        await peer.read_head()
        for index in range(len(answer)):
            await peer.send(answer[index : index + 1])

    async with serve(script) as server, open_upstream(kind, server.url) as upstream:
        assert await fetch(upstream) == (200, b"abc")


async def test_compressed_body_is_not_touched(kind: TransportKind) -> None:
    body = b"\x1f\x8b\x08not really gzip"
    answer = build_answer(body, extra=b"Content-Encoding: gzip\r\n")
    async with serve(answering(answer)) as server, open_upstream(kind, server.url) as upstream:
        assert await fetch(upstream) == (200, body)


async def test_response_headers_keep_their_bytes_and_repeats(kind: TransportKind) -> None:
    extra = b'ETag: "A"\r\nx-cos-meta-N: \xe4\xb8\xad\r\nX-R: 1\r\nX-R: 2\r\nX-Empty:\r\n'
    async with serve(answering(build_answer(b"", extra=extra))) as server, open_upstream(kind, server.url) as upstream:
        response = await upstream.send(build_request(), b"")
        await response.aclose()
    assert list(response.headers) == [
        (b"content-length", b"0"),
        (b"etag", b'"A"'),
        (b"x-cos-meta-n", "中".encode()),
        (b"x-r", b"1"),
        (b"x-r", b"2"),
        (b"x-empty", b""),
    ]


async def test_redirect_is_an_answer_and_not_followed(kind: TransportKind) -> None:
    answer = build_answer(status=b"301 Moved", extra=b"Location: http://127.0.0.1:1/\r\nSet-Cookie: a=b\r\n")
    async with serve(answering(answer, build_answer())) as server, open_upstream(kind, server.url) as upstream:
        assert (await fetch(upstream))[0] == 301
    assert len(server.heads) == 1


@pytest.mark.parametrize("streamed", [False, True], ids=["bytes", "stream"])
@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 300_000])
async def test_body_of_declared_length_arrives_unchanged(kind: TransportKind, size: int, streamed: bool) -> None:
    body = bytes(index * 7 % 251 for index in range(size))
    received = bytearray()

    async def script(peer: Peer) -> None:
        await peer.read_head()
        received.extend(await peer.read_exactly(size))
        await peer.send(build_answer(b"stored"))

    request = build_request("PUT", headers=((b"content-length", b"%d" % size),))
    async with serve(script) as server, open_upstream(kind, server.url) as upstream:
        sent = pieces(body[:10], b"", body[10:]) if streamed else body
        assert await fetch(upstream, request, sent) == (200, b"stored")
    assert bytes(received) == body


@pytest.mark.parametrize("streamed", [False, True], ids=["bytes", "stream"])
async def test_body_of_unknown_length_leaves_in_chunks(kind: TransportKind, streamed: bool) -> None:
    received = bytearray()

    async def script(peer: Peer) -> None:
        await peer.read_head()
        received.extend(await peer.reader.readuntil(b"0\r\n\r\n"))
        await peer.send(build_answer(b"stored"))

    request = build_request("PUT", headers=((b"transfer-encoding", b"chunked"),))
    async with serve(script) as server, open_upstream(kind, server.url) as upstream:
        sent = pieces(b"hello ", b"", b"world, hello") if streamed else b"hello"
        assert await fetch(upstream, request, sent) == (200, b"stored")
    expected = b"6\r\nhello \r\nc\r\nworld, hello\r\n0\r\n\r\n" if streamed else b"5\r\nhello\r\n0\r\n\r\n"
    assert bytes(received) == expected


async def test_empty_body_of_unknown_length_is_one_last_chunk(kind: TransportKind) -> None:
    received = bytearray()

    async def script(peer: Peer) -> None:
        await peer.read_head()
        received.extend(await peer.read_exactly(5))
        await peer.send(build_answer())

    request = build_request("PUT", headers=((b"transfer-encoding", b"chunked"),))
    async with serve(script) as server, open_upstream(kind, server.url) as upstream:
        await fetch(upstream, request, b"")
    assert bytes(received) == b"0\r\n\r\n"


@pytest.mark.parametrize("streamed", [False, True], ids=["bytes", "stream"])
@pytest.mark.parametrize("size", [9, 11], ids=["shorter", "longer"])
async def test_body_of_another_length_than_declared_is_refused(kind: TransportKind, size: int, streamed: bool) -> None:
    received = bytearray()

    async def script(peer: Peer) -> None:
        await peer.read_head()
        while data := await peer.reader.read(65536):
            received.extend(data)

    request = build_request("PUT", headers=((b"content-length", b"10"),))
    body = b"x" * size
    async with serve(script) as server, open_upstream(kind, server.url) as upstream:
        with pytest.raises(UpstreamError):
            await fetch(upstream, request, pieces(body[:5], body[5:]) if streamed else body)
        assert len(received) <= 9
    assert server.connections <= 1


async def test_body_without_framing_is_refused(kind: TransportKind) -> None:
    async with serve(answering(build_answer())) as server, open_upstream(kind, server.url) as upstream:
        with pytest.raises(UpstreamError):
            await fetch(upstream, build_request("PUT"), pieces(b"GET /smuggled HTTP/1.1\r\n\r\n"))


@pytest.mark.parametrize(
    "headers",
    [
        ((b"content-length", b"1"), (b"transfer-encoding", b"chunked")),
        ((b"content-length", b"1"), (b"content-length", b"2")),
        ((b"content-length", b"+1"),),
        ((b"transfer-encoding", b"gzip, chunked"),),
    ],
)
async def test_request_with_two_framings_is_refused(
    kind: TransportKind, headers: tuple[tuple[bytes, bytes], ...]
) -> None:
    async with serve(answering(build_answer())) as server, open_upstream(kind, server.url) as upstream:
        with pytest.raises(UpstreamError):
            await fetch(upstream, build_request("PUT", headers=headers), b"x")
    assert server.heads == []
