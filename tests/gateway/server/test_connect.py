"""CONNECT: a client that takes the gateway for an HTTPS proxy is told what to do instead, and gets no tunnel."""

from __future__ import annotations

import pytest

from gateway.exchange import Exchange
from gateway.server.deadlines import Deadlines
from tests.gateway.server.test_server import ask, ok, serving

PATIENT = Deadlines(60, 60, 60)
HOST = b"media-1250000000.cos.ap-guangzhou.myqcloud.com:443"
INNER = b"GET /inner HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.mark.parametrize(
    "target", [HOST, b"127.0.0.1:22", b"[::1]:443", b"/", b"http://h/", b"*"], ids=lambda target: target.decode()
)
@pytest.mark.parametrize("rest", [b"", INNER * 2, b"\x16\x03\x01\x02\x00"], ids=["nothing", "requests", "tls"])
async def test_no_target_is_tunnelled_to_and_what_follows_is_not_a_request(target: bytes, rest: bytes) -> None:
    seen: list[bytes] = []

    async def handler(exchange: Exchange) -> None:
        seen.append(exchange.raw_target)
        await ok(exchange)

    async with serving(handler, PATIENT) as port:
        answer = await ask(port, b"CONNECT " + target + b" HTTP/1.1\r\nHost: h\r\n\r\n" + rest)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.startswith((b"HTTP/1.1 405 ", b"HTTP/1.1 400 "))
    assert seen == []


async def test_the_status_line_and_the_message_say_what_to_do_instead() -> None:
    async with serving(ok, PATIENT) as port:
        answer = await ask(port, b"CONNECT " + HOST + b" HTTP/1.1\r\nHost: " + HOST + b"\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    status_line = head.partition(b"\r\n")[0]
    assert status_line.startswith(b"HTTP/1.1 405 The gateway does not tunnel")
    assert b"http scheme" in status_line
    assert b"endpoint" in status_line
    lower = head.lower()
    for field in (b"connection: close", b"allow: get, head, put, post, delete, options", b"x-cos-request-id: "):
        assert field in lower
    assert b"<Code>MethodNotAllowed</Code>" in body
    assert status_line.removeprefix(b"HTTP/1.1 405 ") in body


async def test_requests_before_it_are_answered_first() -> None:
    async with serving(ok, PATIENT) as port:
        answer = await ask(port, b"GET / HTTP/1.1\r\nHost: h\r\n\r\nCONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n" + INNER)
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.count(b"HTTP/1.1 200") == 1
    assert answer.count(b"HTTP/1.1 405") == 1
    assert answer.count(b"HTTP/1.1 ") == 2
