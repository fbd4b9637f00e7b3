"""A request that is read by an expression is read as the parser reads it, to the byte; every other is the parser's."""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import httptools
import pytest
from uvicorn.server import ServerState

from benchmarks.fuzz.mutation import Mutator
from cos.errors import COSError
from cos.headers import Headers
from cos.request import MAX_HEADER_BYTES
from gateway.exchange import ClientGone, Exchange
from gateway.server.data_protocol import MAX_PIPELINED, data_protocol
from gateway.server.deadlines import Deadlines
from gateway.server.framing import read_fields
from gateway.server.usual_requests import (
    MAX_FIELDS,
    MAX_HEAD_BYTES,
    MAX_USUAL,
    MAX_WHOLE_BYTES,
    SEEN_BEFORE_USUAL,
    remember,
    take_usual,
)
from tests.security.stream_fuzz import PIECES

LONG = [pytest.mark.slow, pytest.mark.timeout(900)]

Read = tuple[str, bytes, list[tuple[bytes, bytes]], bytes]

COPY = (
    b"PUT /films/a%20b.mov?partNumber=7&uploadId=15f2 HTTP/1.1\r\nHost: b-1250000000.cos.ap-guangzhou.myqcloud.com\r\n"
    b"User-Agent: cos-sdk\r\nx-cos-copy-source: raw/in.mov\r\ncontent-length: 0\r\nAuthorization: q-ak=AK\r\n\r\n"
)
ASKED = (
    b"GET /up/plain?acl HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip, deflate\r\nAccept: */*\r\n"
    b"Connection: keep-alive\r\nX-Empty:\r\nx-cos-meta-name: \xe5\x90\x8d\t1\r\n\r\n"
)
POSTED = b"POST /a?uploads HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\nContent-Type: text/xml\r\n\r\n<a></a>"
BARE = b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"
USUAL = (COPY, ASKED, POSTED, BARE)
MORE_PIECES = (
    *PIECES,
    b": ",
    b"\r\n\r\n",
    b"Connection: Keep-Alive\r\n",
    b"Connection: upgrade\r\n",
    b"Proxy-Connection: close\r\n",
    b"Content-Length: 7\r\n",
    b"Content-Length: 007\r\n",
    b"http://h/",
    b"*",
    b"#",
    b"HEAD ",
    b"CONNECT ",
    b"PATCH ",
    b"\x7f",
    b"7",
    b" \r\n",
)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


class Parsed:
    """What the parser finds in some bytes."""

    def __init__(self, data: bytes) -> None:
        self.begun = self.ended = 0
        self.target = self.body = b""
        self.names: list[bytes] = []
        self.values: list[bytes] = []
        self.kept_alive = False
        self.headers: Headers | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.begun = 0

    def on_message_begin(self) -> None:
        self.begun += 1

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.names.append(name)
        self.values.append(value)

    def on_headers_complete(self) -> None:
        self.method = self._parser.get_method().decode("ascii")
        self.kept_alive = self._parser.should_keep_alive()
        headers, self.awaits_continue = read_fields(self.names, self.values, self._parser.get_http_version())
        self.headers = headers

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.ended += 1

    @property
    def whole(self) -> Read | None:
        """The one request that the bytes are, after which the connection lives on."""
        if (self.begun, self.ended, self.kept_alive) != (1, 1, True) or self.headers is None or self.awaits_continue:
            return None
        return self.method, self.target, list(self.headers), self.body


def make_usual(names: Sequence[bytes]) -> None:
    for _ in range(SEEN_BEFORE_USUAL):
        remember(tuple(names))


def take(data: bytes) -> Read | None:
    taken = take_usual(data)
    if taken is None:
        return None
    method, target, headers, body = taken
    for name, value in headers:
        assert headers.get(name) == value
    return method, target, list(headers), body


@pytest.fixture(autouse=True)
def _usual() -> None:
    for data in USUAL:
        make_usual(Parsed(data).names)


@pytest.mark.parametrize("data", USUAL, ids=["copy", "keep-alive", "body", "bare"])
def test_what_was_seen_often_is_read_as_the_parser_reads_it(data: bytes) -> None:
    assert take(data) == Parsed(data).whole is not None


def test_names_are_usual_once_they_were_seen_often_enough() -> None:
    data = b"GET / HTTP/1.1\r\nX-Seldom: 1\r\n\r\n"
    for _ in range(SEEN_BEFORE_USUAL - 1):
        remember((b"X-Seldom",))
    assert take(data) is None
    remember((b"X-Seldom",))
    assert take(data) == ("GET", b"/", [(b"x-seldom", b"1")], b"")
    # Names are known by their letters, as they were sent.
    assert take(data.replace(b"X-S", b"x-s")) is None


def test_as_many_are_tried_as_there_may_be_and_no_more() -> None:
    requests = [b"GET / HTTP/1.1\r\nX-%d: 1\r\n\r\n" % number for number in range(MAX_USUAL + 1)]
    for data in requests:
        make_usual(Parsed(data).names)
    assert [take(data) is not None for data in requests] == [False] + [True] * MAX_USUAL
    make_usual([b"X-0"])
    assert take(requests[0]) is not None


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(BARE[:-1], id="unfinished"),
        pytest.param(BARE + b"\r\n", id="a-line-more"),
        pytest.param(b"\r\n" + BARE, id="a-line-before"),
        pytest.param(BARE + BARE, id="two"),
        pytest.param(POSTED[:-1], id="body-unfinished"),
        pytest.param(POSTED + b"x", id="a-byte-more"),
        pytest.param(POSTED.replace(b": 7", b": +7"), id="signed-length"),
        pytest.param(POSTED.replace(b": 7", b":"), id="no-length"),
        pytest.param(POSTED.replace(b": 7", b": 7, 7"), id="list-of-lengths"),
        pytest.param(POSTED.replace(b": 7", b": " + b"0" * 15 + b"7"), id="16-digits"),
        pytest.param(POSTED.replace(b": 7", b": 7 "), id="blank-behind"),
        pytest.param(BARE.replace(b": h", b" : h"), id="blank-before-colon"),
        pytest.param(BARE.replace(b": h", b": h\n"), id="bare-lf"),
        pytest.param(BARE.replace(b": h", b": h\ri"), id="bare-cr"),
        pytest.param(BARE.replace(b": h", b": h\x00"), id="nul"),
        pytest.param(BARE.replace(b": h", b": h\x7f"), id="del"),
        pytest.param(BARE.replace(b": h", b": h\r\n i"), id="folded"),
        pytest.param(BARE.replace(b"\r\n", b"\n"), id="lf-only"),
        pytest.param(BARE.replace(b"/1.1", b"/1.0"), id="1.0"),
        pytest.param(BARE.replace(b" HTTP/1.1", b""), id="0.9"),
        pytest.param(BARE.replace(b"/ ", b"/  "), id="two-blanks"),
        pytest.param(BARE.replace(b"/ ", b"http://h/ "), id="absolute-form"),
        pytest.param(BARE.replace(b"/ ", b"* "), id="asterisk-form"),
        pytest.param(BARE.replace(b"/ ", b"/#a "), id="fragment"),
        pytest.param(BARE.replace(b"/ ", b"/\xe5 "), id="not-ascii"),
        pytest.param(BARE.replace(b"HEAD", b"CONNECT"), id="tunnel"),
        pytest.param(BARE.replace(b"HEAD", b"PATCH"), id="another-method"),
        pytest.param(BARE.replace(b"HEAD", b"head"), id="small-letters"),
        pytest.param(ASKED.replace(b"keep-alive", b"close"), id="close"),
        pytest.param(ASKED.replace(b"keep-alive", b"keep-alive, upgrade"), id="switch"),
    ],
)
def test_what_differs_in_the_least_is_left_to_the_parser(data: bytes) -> None:
    assert take(data) is None


@pytest.mark.parametrize(
    "field",
    [
        b"Transfer-Encoding: chunked",
        b"Expect: 100-continue",
        b"Upgrade: h2c",
        b"Proxy-Connection: keep-alive",
        b"host: h",
    ],
)
def test_fields_that_frame_or_switch_or_repeat_are_never_usual(field: bytes) -> None:
    data = BARE[:-2] + field + b"\r\n\r\n"
    make_usual([b"Host", field.partition(b":")[0]])
    assert take(data) is None


def test_lengths_are_bounded() -> None:
    target = b"/" + b"a" * (MAX_HEAD_BYTES - len(BARE))
    assert take(BARE.replace(b"/ ", target + b" ", 1)) is not None
    assert take(BARE.replace(b"/ ", target + b"a ", 1)) is None
    head = POSTED[:-7].replace(b": 7", b": %d")
    for more, taken in ((0, True), (1, False)):
        body = b"x" * (MAX_WHOLE_BYTES - len(head % 10_000) + more)
        assert (take(head % len(body) + body) is not None) is taken


def test_what_is_read_is_plain_for_whoever_judges_it() -> None:
    """Nobody looks at the values again: none of them holds what is refused, and they are within the same bounds."""
    for byte in range(256):
        taken = take_usual(BARE.replace(b": h", b": h%bi" % bytes([byte])))
        refused = (byte < 0x20 and byte != 0x09) or byte == 0x7F
        assert (taken is None) is refused, byte
        if taken is not None:
            assert taken[2].plain
    assert not Headers.of([(b"host", b"h")]).plain
    assert MAX_HEAD_BYTES <= MAX_HEADER_BYTES


def test_fields_are_bounded() -> None:
    for count, taken in ((MAX_FIELDS, True), (MAX_FIELDS + 1, False)):
        names = [b"X-%d" % number for number in range(count)]
        make_usual(names)
        data = b"GET / HTTP/1.1\r\n" + b"".join(b"%b: 1\r\n" % name for name in names) + b"\r\n"
        assert (take(data) is not None) is taken
    long = [b"X" * (MAX_HEADER_BYTES // 2)]
    make_usual(long)
    assert take(b"GET / HTTP/1.1\r\n%b: 1\r\n\r\n" % long[0]) is None


# --- against the parser --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seed", "count"),
    [(20_261_122, 6000), pytest.param(7, 400_000, marks=[pytest.mark.slow, pytest.mark.timeout(900)])],
)
def test_bent_requests_are_read_as_the_parser_reads_them_or_left_to_it(seed: int, count: int) -> None:
    """Whatever names the parser finds are made usual, so that no expression is spared."""
    mutator = Mutator(seed, USUAL, MORE_PIECES, max_bytes=2048)
    came: Counter[str] = Counter()
    for _ in range(count):
        data = mutator.next()
        parsed = Parsed(data)
        expected, taken = parsed.whole, take(data)
        if taken is None and expected is not None:
            make_usual(parsed.names)
            taken = take(data)
        assert taken is None or taken == expected, data
        came["taken" if taken is not None else "left" if expected is not None else "refused"] += 1
    assert min(came["taken"], came["left"], came["refused"]) > count // 50, came


# --- on a connection -----------------------------------------------------------------------------------------------


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.ended = False

    def write(self, data: Any) -> None:
        self.written += data

    def close(self) -> None:
        self.ended = True

    abort = write_eof = close

    def can_write_eof(self) -> bool:
        return True

    def is_closing(self) -> bool:
        return self.ended

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def converse(pieces: Sequence[bytes], *, at_once: bool = False) -> tuple[list[object], list[bytes], bool]:
    """What requests a connection finds, what statuses it answers, and whether it ends.

    `at_once`: nothing is answered before all pieces have come.
    """
    found: list[object] = []

    async def handler(exchange: Exchange) -> None:
        found.append((exchange.method, exchange.raw_target, list(exchange.headers)))
        body = b""
        try:
            async for piece in exchange.body():
                body += piece
        except (ClientGone, COSError) as exc:
            found.append(type(exc))
            raise
        found.append(body)
        await exchange.answer(200, [(b"content-length", b"0")])

    config: Any = SimpleNamespace(app=handler)
    wire = Wire()
    connection = data_protocol(Deadlines(30, 30, 30))(config, ServerState())
    connection.connection_made(wire)
    for piece in pieces:
        connection.data_received(piece)
        for _ in range(0 if at_once else 8):
            await asyncio.sleep(0)
    for _ in range(8 * len(pieces)):
        await asyncio.sleep(0)
    ended = wire.ended
    connection.connection_lost(None)
    await asyncio.sleep(0)
    return found, re.findall(rb"HTTP/1\.1 ([0-9]{3})", wire.written), ended


@pytest.mark.parametrize(("seed", "count"), [(20_261_122, 300), pytest.param(7, 20_000, marks=LONG)])
async def test_how_a_connection_is_cut_into_pieces_makes_no_difference(seed: int, count: int) -> None:
    """What comes in pieces is the parser's, so each request is read both ways, with others before and after it."""
    draw = random.Random(seed)
    mutator = Mutator(seed, USUAL, MORE_PIECES, max_bytes=2048)
    both = 0
    for _ in range(count):
        requests = [draw.choice(USUAL) if draw.random() < 0.6 else mutator.next() for _ in range(draw.randint(1, 4))]
        cut = [piece for data in requests for at in [draw.randint(1, 40)] for piece in (data[:at], data[at:]) if piece]
        whole = await converse(requests)
        assert whole == await converse(cut), requests
        both += any(take(data) is not None for data in requests)
    assert both > count // 2


@pytest.mark.parametrize("count", [1, 2, MAX_PIPELINED + 1, MAX_PIPELINED + 2, 30])
async def test_requests_that_come_before_the_answer_wait_for_it_and_so_many_may(count: int) -> None:
    found, statuses, ended = await converse([BARE] * count, at_once=True)
    allowed = min(count, MAX_PIPELINED + 1)
    assert len(found) == 2 * allowed
    assert (len(statuses), ended) == ((count, False) if count == allowed else (allowed + 1, True))
    cut = [piece for _ in range(count) for piece in (BARE[:9], BARE[9:])]
    assert (found, statuses, ended) == await converse(cut, at_once=True)
