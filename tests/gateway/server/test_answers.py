"""How answers leave: whole or in pieces, as long as they say, and never looking whole when they are not."""

from __future__ import annotations

import asyncio

import pytest

from gateway.exchange import Exchange
from gateway.server.deadlines import Deadlines
from tests.gateway.server.test_server import Handler, ask, ok, serving
from tests.support.waiting import PATIENCE_SECONDS

PATIENT = Deadlines(60, 60, 60)
GET = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
HEAD = GET.replace(b"GET", b"HEAD")


def answering(status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> Handler:
    async def handler(exchange: Exchange) -> None:
        await exchange.answer(status, headers, body)

    return handler


async def asked(handler: Handler, raw: bytes = GET) -> tuple[bytes, bytes]:
    """Head and body of the answer; a connection that was cut has no more of either."""
    async with serving(handler, PATIENT) as port:
        try:
            answer = await ask(port, raw)
        except ConnectionResetError:
            answer = b""
    head, _, body = answer.partition(b"\r\n\r\n")
    return head, body


async def test_a_whole_answer_says_its_length_once_and_its_date() -> None:
    head, body = await asked(answering(200, [(b"content-length", b"2"), (b"etag", b'"1"')], b"ok"))
    lines = head.split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 200 OK"
    assert [line.partition(b":")[0] for line in lines[1:]] == [b"Date", b"Content-Length", b"ETag", b"Connection"]
    assert body == b"ok"


async def test_a_whole_answer_without_a_length_is_one_chunk() -> None:
    head, body = await asked(answering(200, [], b"ok"))
    assert b"Transfer-Encoding: chunked" in head
    assert body == b"2\r\nok\r\n0\r\n\r\n"


@pytest.mark.parametrize("status", [200, 403])
async def test_to_head_no_body_is_sent_whatever_the_length(status: int) -> None:
    head, body = await asked(answering(status, [(b"content-length", b"2")], b"ok"), HEAD)
    assert b"Content-Length: 2" in head
    assert body == b""


@pytest.mark.parametrize("status", [204, 304])
async def test_statuses_without_a_body_have_none_and_no_framing_of_one(status: int) -> None:
    head, body = await asked(answering(status, [], b""))
    assert b"Transfer-Encoding" not in head
    assert body == b""


async def test_not_modified_may_say_the_length_of_what_was_not_modified() -> None:
    head, body = await asked(answering(304, [(b"content-length", b"2")], b""))
    assert head.startswith(b"HTTP/1.1 304 ")
    assert b"Content-Length: 2" in head
    assert body == b""


@pytest.mark.parametrize("body", [b"o", b"ok!"], ids=["too short", "too long"])
async def test_a_whole_answer_of_another_length_is_not_sent(body: bytes) -> None:
    problems: list[str] = []

    async def handler(exchange: Exchange) -> None:
        try:
            await exchange.answer(200, [(b"content-length", b"2")], body)
        except RuntimeError as error:
            problems.append(str(error))

    assert await asked(handler) == (b"", b"")
    assert problems == [f"expected a response body of 2 bytes, got {len(body)}"]


@pytest.mark.parametrize("pieces", [[b"o"], [b"ok", b"!"]], ids=["too short", "too long"])
async def test_pieces_of_another_length_do_not_look_whole(pieces: list[bytes]) -> None:
    problems: list[str] = []

    async def handler(exchange: Exchange) -> None:
        try:
            await exchange.start(200, [(b"content-length", b"2")])
            for piece in pieces:
                await exchange.write(piece)
            await exchange.finish()
        except RuntimeError as error:
            problems.append(str(error))

    _, body = await asked(handler)
    assert body != b"ok!"
    assert problems == ["expected a response body of Content-Length"]


async def test_a_head_leaves_though_its_body_is_not_there_yet() -> None:
    may_go_on = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        await exchange.start(200, [(b"content-length", b"2")])
        await may_go_on.wait()
        await exchange.finish(b"ok")

    async with serving(handler, PATIENT) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET)
        assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_SECONDS)).startswith(b"HTTP/1.1 200")
        may_go_on.set()
        assert await asyncio.wait_for(reader.read(), PATIENCE_SECONDS) == b"ok"
        writer.close()


@pytest.mark.parametrize(
    "header",
    [(b"x-a", b"1\r\nx-b: 2"), (b"x-a", b"\x00"), (b"x-a", b"\x7f"), (b"x a", b"1"), (b"x-a:", b"1"), (b"", b"1")],
    ids=["line end", "nul", "delete", "blank in a name", "colon in a name", "no name"],
)
async def test_a_field_that_would_be_read_as_another_is_not_sent(header: tuple[bytes, bytes]) -> None:
    async def handler(exchange: Exchange) -> None:
        with pytest.raises(RuntimeError, match="expected header"):
            await exchange.answer(200, [header], b"")

    assert await asked(handler) == (b"", b"")


async def test_values_keep_tabs_percent_signs_and_bytes_beyond_ascii() -> None:
    head, _ = await asked(answering(200, [(b"x-a", b"1\t100%b \xc3\xa4"), (b"x-%b", b"%d")], b""))
    assert b"\r\nx-a: 1\t100%b \xc3\xa4\r\n" in head
    assert b"\r\nx-%b: %d\r\n" in head


async def test_whoever_ends_without_an_answer_has_told_the_client_so() -> None:
    async def silent(exchange: Exchange) -> None:
        return

    head, body = await asked(silent, GET.replace(b"Connection: close\r\n", b""))
    assert head.startswith(b"HTTP/1.1 500 ")
    assert b"Connection: close" in head
    assert b"<Code>InternalError</Code>" in body


async def test_there_is_one_answer_to_a_request() -> None:
    async def twice(exchange: Exchange) -> None:
        await ok(exchange)
        with pytest.raises(RuntimeError, match="one answer"):
            await exchange.answer(200, [(b"content-length", b"0")])

    head, body = await asked(twice)
    assert (head.count(b"HTTP/1.1 "), body) == (1, b"ok")
