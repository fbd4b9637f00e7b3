"""The response reader and its parts, fed in memory: where a response ends does not depend on how it was cut."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.upstreams.chunked import (
    MAX_LINE_BYTES,
    MAX_TRAILER_BYTES,
    ChunkedDecoder,
    ChunkError,
    render_chunk,
)
from gateway.upstreams.framing import HeadError, read_request_length
from gateway.upstreams.heads import (
    MAX_HEAD_BYTES,
    MAX_REMEMBERED_BYTES,
    MAX_USUAL,
    SEEN_BEFORE_USUAL,
    ResponseHead,
    render_head,
    take_head,
)
from gateway.upstreams.response_reader import ResponseError, ResponseReader

OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


def parse_head(raw: bytes, method: bytes) -> ResponseHead:
    """A head that is whole with nothing after it, or HeadError."""
    taken = take_head(raw, method)
    if taken is None or taken[1]:
        raise HeadError("Expected one head.")
    return taken[0]


def decode(data: bytes) -> tuple[bytes, bool, bool]:
    decoder = ChunkedDecoder()
    return decoder.feed(data), decoder.complete, decoder.excess


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"0\r\n\r\n", (b"", True, False)),
        (b"4\r\nfine\r\n0\r\n\r\n", (b"fine", True, False)),
        (b"04\r\nfine\r\n000\r\n\r\n", (b"fine", True, False)),
        (b"A\r\n0123456789\r\n0\r\n\r\n", (b"0123456789", True, False)),
        (b'a;x="y";z\r\n0123456789\r\n0;end\r\n\r\n', (b"0123456789", True, False)),
        (b"4 ;x\r\nfine\r\n0\r\nTrailer: x\r\n\r\n", (b"fine", True, False)),
        (b"4\r\n\r\n\r\n\r\n0\r\n\r\n", (b"\r\n\r\n", True, False)),
        (b"0\r\n\r\n\r\n", (b"", True, True)),
        (b"0\r\n\r\nx", (b"", True, True)),
        (b"0\r\n", (b"", False, False)),
        (b"4\r\nfi", (b"fi", False, False)),
        (b"f" * 15 + b"\r\nx", (b"x", False, False)),
    ],
)
def test_chunks_are_decoded_to_their_last_byte(data: bytes, expected: tuple[bytes, bool, bool]) -> None:
    assert decode(data) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"\n",
        b"4\nfine\r\n",
        b"4\r\nfine\n",
        b"4\r\nfinexx0\r\n\r\n",
        b" 4\r\n",
        b"+4\r\n",
        b"0x4\r\n",
        b"4_0\r\n",
        b"4 4\r\n",
        b"g\r\n",
        b"\xef\xbc\x94\r\n",
        b"f" * 16 + b"\r\n",
        b"4;a\rb\r\n",
        b"4;a\x00b\r\n",
        b"4;" + b"a" * MAX_LINE_BYTES,
        b"4;" + b"a" * MAX_LINE_BYTES + b"\r\n",
        b"0\r\n" + (b"a: " + b"b" * 1000 + b"\r\n") * (MAX_TRAILER_BYTES // 1000 + 1),
        b"0\r\nTrailer: x\n",
    ],
    ids=lambda data: repr(data[:24]),
)
def test_other_chunks_are_refused(data: bytes) -> None:
    with pytest.raises(ChunkError):
        decode(data)


@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=6),
    st.lists(st.integers(0, 400), max_size=8),
    st.binary(max_size=3),
)
def test_chunks_cut_anywhere_give_the_same_body(parts: list[bytes], cuts: list[int], tail: bytes) -> None:
    data = b"".join(map(render_chunk, parts)) + b"0\r\n\r\n" + tail
    decoder, body, start = ChunkedDecoder(), b"", 0
    for cut in [*sorted(cuts), len(data)]:
        body += decoder.feed(data[start:cut])
        start = max(start, cut)
    assert (body, decoder.complete, decoder.excess) == (b"".join(parts), True, bool(tail))


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
@given(data=st.binary(max_size=300), cut=st.integers(0, 300))
@example(data=OK + b"\r\n", cut=0)
@example(data=OK + b"Content-Length: 3\r\n\r\nabcd", cut=40)
@example(data=OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", cut=50)
@example(data=b"HTTP/1.1 100 Continue\r\n\r\n" * 4, cut=30)
def test_any_bytes_are_a_response_or_one_error(method: bytes, data: bytes, cut: int) -> None:
    for prefix in (b"", b"HTTP/1.1 ", OK, OK + b"Transfer-Encoding: chunked\r\n\r\n"):
        reader = ResponseReader(method)
        try:
            reader.feed((prefix + data)[:cut])
            reader.feed((prefix + data)[cut:])
            reader.end()
        except ResponseError:
            continue
        assert reader.complete
        assert reader.head is not None


@given(
    status=st.sampled_from([b"200 OK", b"204 No Content", b"404 Not Found"]),
    body=st.binary(max_size=60),
    tail=st.binary(max_size=3),
    interim=st.integers(0, 3),
    cuts=st.lists(st.integers(0, 300), max_size=6),
)
def test_response_cut_anywhere_ends_at_the_same_byte(
    status: bytes, body: bytes, tail: bytes, interim: int, cuts: list[int]
) -> None:
    body = b"" if status.startswith(b"204") else body
    head = b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
    data = b"HTTP/1.1 100 Continue\r\n\r\n" * interim + head + body + tail
    reader, found, start = ResponseReader(b"GET"), b"", 0
    for cut in [*sorted(cuts), len(data)]:
        found += reader.feed(data[start:cut])
        start = max(start, cut)
    if reader.whole_body is not None:
        assert found == b""
        found = reader.whole_body
    assert (found, reader.complete, reader.excess) == (body, True, bool(tail))


def test_head_of_the_largest_size_is_read_and_one_byte_more_is_not() -> None:
    filler = MAX_HEAD_BYTES - len(OK + b"Content-Length: 0\r\nX: \r\n\r\n")
    for extra, fits in ((0, True), (1, False)):
        raw = OK + b"Content-Length: 0\r\nX: " + b"a" * (filler + extra) + b"\r\n\r\n"
        reader = ResponseReader(b"GET")
        if fits:
            reader.feed(raw)
            assert reader.complete
        else:
            with pytest.raises(ResponseError, match="at most"):
                reader.feed(raw)


@pytest.mark.parametrize(
    ("raw", "method", "expected"),
    [
        (OK + b"Content-Length: 7\r\n\r\n", b"GET", (7, False, True)),
        (OK + b"Content-Length: 7\r\n\r\n", b"HEAD", (0, False, True)),
        (OK + b"Transfer-Encoding: Chunked\r\n\r\n", b"GET", (None, True, True)),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"HEAD", (0, False, True)),
        (OK + b"\r\n", b"GET", (None, False, True)),
        (OK + b"Connection: close\r\nContent-Length: 0\r\n\r\n", b"GET", (0, False, False)),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\n", b"GET", (7, False, False)),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", b"GET", (0, False, True)),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"PUT", (0, False, True)),
    ],
)
def test_framing_of_a_response(raw: bytes, method: bytes, expected: tuple[int | None, bool, bool]) -> None:
    head = parse_head(raw, method)
    assert (head.content_length, head.chunked, head.keep_alive) == expected


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_two_lengths_are_refused_whatever_the_method(method: bytes) -> None:
    with pytest.raises(HeadError):
        parse_head(OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", method)


@pytest.mark.parametrize(
    ("raw", "headers"),
    [
        (OK + b"ETag:x\r\n\r\n", [(b"etag", b"x")]),
        (OK + b"ETag: \t x y \t \r\nDate:\r\n\r\n", [(b"etag", b"x y"), (b"date", b"")]),
        (OK + b"A: b:c\r\nA: d\te\r\n\r\n", [(b"a", b"b:c"), (b"a", b"d\te")]),
        (OK + b"x-cos-meta-a: \xe4\xbd\xa0\xff\r\n\r\n", [(b"x-cos-meta-a", b"\xe4\xbd\xa0\xff")]),
        (OK + b"!#$%&'*+-.^_`|~09aZ: x\r\n\r\n", [(b"!#$%&'*+-.^_`|~09az", b"x")]),
        (b"HTTP/1.1 200\r\n\r\n", []),
        (b"HTTP/1.1 200 \r\nDate: x\r\n\r\n", [(b"date", b"x")]),
        (b"HTTP/1.1 200 O\xe4 K\t\r\n\r\n", []),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_fields_of_a_response_keep_their_order_and_bytes(raw: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    assert list(parse_head(raw, b"GET").headers) == headers


@pytest.mark.parametrize(
    "raw",
    [
        b"\r\n" + OK + b"\r\n",
        b" " + OK + b"\r\n",
        b"http/1.1 200 OK\r\n\r\n",
        b"HTTP/1.2 200 OK\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/0.9 200 OK\r\n\r\n",
        b"HTTP/1.1\t200 OK\r\n\r\n",
        b"HTTP/1.1  200 OK\r\n\r\n",
        b"HTTP/1.1 200OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 +20 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/1.1 600 OK\r\n\r\n",
        b"HTTP/1.1 200 O\x01K\r\n\r\n",
        b"HTTP/1.1 200 OK\nETag: x\r\n\r\n",
        b"HTTP/1.1 200 OK\rETag: x\r\n\r\n",
        OK + b"ETag: x\nDate: y\r\n\r\n",
        OK + b"ETag: x\rDate: y\r\n\r\n",
        OK + b"ETag: x\r\r\nDate: y\r\n\r\n",
        OK + b"ETag: x\n\r\nDate: y\r\n\r\n",
        OK + b"ETag: x\r\n y\r\n\r\n",
        OK + b"ETag: x\r\n\ty: z\r\n\r\n",
        OK + b" ETag: x\r\n\r\n",
        OK + b"ETag : x\r\n\r\n",
        OK + b"ETag\t: x\r\n\r\n",
        OK + b"E Tag: x\r\n\r\n",
        OK + b"Content-Length : 5\r\n\r\n",
        OK + b": x\r\n\r\n",
        OK + b"ETag\r\n\r\n",
        OK + b"ETag: x\r\nDate\r\nServer: y\r\n\r\n",
        OK + b"E\xe4: x\r\n\r\n",
        OK + b"E(: x\r\n\r\n",
        OK + b"ETag: x\x00\r\n\r\n",
        OK + b"ETag: x\x0by\r\n\r\n",
        OK + b"ETag: x\x1b\r\n\r\n",
        OK + b"ETag: x\x7f\r\n\r\n",
        OK + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
        OK + b"Content-Length: 1, 1\r\n\r\n",
        OK + b"Content-Length: +1\r\n\r\n",
        OK + b"Content-Length: \r\n\r\n",
        OK + b"Content-Length: " + b"1" * 19 + b"\r\n\r\n",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ids=repr,
)
def test_head_that_is_not_what_the_grammar_says_is_refused(raw: bytes) -> None:
    with pytest.raises(HeadError):
        parse_head(raw, b"GET")


FIELD_BYTES = st.sampled_from([b"\r", b"\n", b"\r\n", b" ", b"\t", b":", b"\x00", b"\x7f", b"\xe4", b"a", b"A: b\r\n"])


@given(pieces=st.lists(FIELD_BYTES, max_size=12))
@example(pieces=[b"A: b\r\n"] * 2)
def test_head_that_is_read_is_all_its_lines_and_nothing_else(pieces: list[bytes]) -> None:
    raw = (OK + b"".join(pieces)).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    try:
        head = parse_head(raw, b"GET")
    except HeadError:
        return
    lines = raw[:-4].split(b"\r\n")[1:]
    assert [name + b":" + value for name, value in head.headers] == [
        name.lower() + b":" + value.strip(b" \t") for name, _, value in (line.partition(b":") for line in lines)
    ]
    assert not {0, 10, 13, 127}.intersection(b"".join(lines))


def test_usual_head_is_read_as_it_was_the_first_time_and_no_other_instead() -> None:
    lines = [b"Content-Length: 7", b"ETag:\t a b", b"x-usual: \xe4", b"Connection: close"]
    raw = OK + b"\r\n".join(lines) + b"\r\n\r\n"
    heads = [parse_head(raw, b"GET") for _ in range(SEEN_BEFORE_USUAL + 2)]
    assert all(head == heads[0] for head in heads)
    assert list(heads[0].headers) == [
        (b"content-length", b"7"), (b"etag", b"a b"), (b"x-usual", b"\xe4"), (b"connection", b"close")
    ]  # fmt: skip
    assert parse_head(raw.replace(b"a b", b"a b \t"), b"GET") == heads[0]
    later = parse_head(raw.replace(b"200 OK", b"404").replace(b"close", b"open").replace(b"7", b"12"), b"GET")
    assert (later.status, later.content_length, later.keep_alive) == (404, 12, True)
    renamed = parse_head(raw.replace(b"ETag", b"Etag").replace(b"x-usual", b"unusual"), b"GET")
    assert [name for name, _ in renamed.headers] == [b"content-length", b"etag", b"unusual", b"connection"]
    for old, new in [
        (b"\xe4", b"\x00"), (b"\xe4", b"\n"), (b"\xe4", b"\r"), (b"\xe4", b"\r\n a"), (b"ETag:", b"ETag :"),
        (b"HTTP/1.1 200", b"HTTP/1.2 200"), (b" 200 OK", b" 600 OK"), (b"x-usual: ", b"x-usual "), (b"7", b"+7"),
        (b"ETag:", b"Content-Length:"), (b"x-usual:", b"Transfer-Encoding:"), (b"\xe4", b"\x7f"),
        (b"OK", b"O\x01"), (b"close", b"a\nb: c"),
    ]:  # fmt: skip
        with pytest.raises(HeadError):
            parse_head(raw.replace(old, new), b"GET")


def test_usual_heads_take_turns() -> None:
    raws = [OK + b"".join(b"x-%d: v\r\n" % field for field in range(fields)) for fields in range(1, MAX_USUAL + 3)]
    for raw in raws * SEEN_BEFORE_USUAL:
        assert len(list(parse_head(raw + b"\r\n", b"GET").headers)) == raw.count(b"x-")
    for raw in raws:
        taken = take_head(raw + b"\r\nrest\r\n\r\n", b"GET")
        assert taken is not None
        assert taken[1] == b"rest\r\n\r\n"
        assert take_head(raw + b"\r", b"GET") is None


@pytest.mark.parametrize("excess", [-1, 0, 1])
def test_usual_head_is_no_longer_than_any(excess: int) -> None:
    start, end = OK + b"x-of-any-length: ", b"\r\n\r\n"
    for _ in range(SEEN_BEFORE_USUAL + 1):
        parse_head(start + b"a" + end, b"GET")
    filler = b"a" * (MAX_HEAD_BYTES - len(start + end) + excess)
    assert (take_head(start + filler + end, b"GET") is None) == (excess > 0)


def test_head_too_long_to_be_remembered_is_read_the_same() -> None:
    short = [b"Content-Length: 7", b"Connection: close"]
    long = [*short, b"x-filler: " + b"a" * MAX_REMEMBERED_BYTES]
    heads = [parse_head(OK + b"\r\n".join(lines) + b"\r\n\r\n", b"GET") for lines in (short, long)]
    assert list(heads[0].headers) == list(heads[1].headers)[:2]
    assert [(head.content_length, head.keep_alive) for head in heads] == [(7, False)] * 2
    with pytest.raises(HeadError):
        parse_head(OK + b"\r\n".join([*long, b"E\xe4: x"]) + b"\r\n\r\n", b"GET")


def rendered(method: bytes, target: bytes, fields: Sequence[tuple[bytes, bytes]]) -> tuple[bytes, int | None]:
    return render_head(method, target, tuple(name for name, _ in fields), tuple(value for _, value in fields))


@pytest.mark.parametrize("method", [b"", b"get", b"GET ", b"GE T", b"GET\r\n", b"A" * 21])
def test_method_that_is_not_a_word_is_refused(method: bytes) -> None:
    with pytest.raises(HeadError):
        rendered(method, b"/", ())


def test_request_head_is_rendered_field_by_field() -> None:
    assert rendered(b"PUT", b"/a?b", [(b"host", b"h"), (b"x-e", b"")]) == (
        b"PUT /a?b HTTP/1.1\r\nhost: h\r\nx-e: \r\n\r\n",
        0,
    )


@pytest.mark.parametrize(
    "field",
    [
        (b"x", b"a\r\nb: c"),
        (b"x", b"a\n"),
        (b"x", b"a\r"),
        (b"x", b"\x00"),
        (b"x\r\ny", b"a"),
        (b"x:", b"a"),
        (b"", b"a"),
    ],
    ids=repr,
)
def test_field_that_would_end_its_line_early_is_refused(field: tuple[bytes, bytes]) -> None:
    with pytest.raises(HeadError):
        rendered(b"PUT", b"/", [(b"host", b"h"), field])


def test_percent_signs_are_sent_as_they_are() -> None:
    head, _ = rendered(b"PUT", b"/%25%s", [(b"x-%s%%-%b", b"%d%%")])
    assert head == b"PUT /%25%s HTTP/1.1\r\nx-%s%%-%b: %d%%\r\n\r\n"


@pytest.mark.parametrize("target", [b"", b"/a b", b"/a\r\nx: y", b"/\x00", b"/\xe4"], ids=repr)
def test_target_that_is_not_visible_ascii_is_refused(target: bytes) -> None:
    with pytest.raises(HeadError):
        rendered(b"PUT", target, ())


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], 0),
        ([(b"content-length", b"0")], 0),
        ([(b"content-length", b"12")], 12),
        ([(b"transfer-encoding", b"chunked")], None),
    ],
)
def test_declared_request_length(headers: list[tuple[bytes, bytes]], expected: int | None) -> None:
    assert read_request_length(headers) == expected
    assert rendered(b"PUT", b"/", headers)[1] == expected
