"""Mutated request streams against a running gateway: no fault of its own, no hang, no request that nobody made.

    python -m tests.security.stream_fuzz --streams 1000000 --seed 1

Each stream is one connection: good requests, one with another signed request hidden in its body, bent where framing
is decided. The gateway has short deadlines and must end every stream by itself. When the hidden request arrives at
the upstream, h11 is asked whether the bent stream says so too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import h11

from benchmarks.fuzz.mutation import Mutator
from tests.security.attack_recipe import build, variables
from tests.security.fixture_gateway import FIXTURE, running_site

HANG_SECONDS = 30.0
"""Far beyond every deadline of the gateway under test, and short of its deadline for the upstream (60 s)."""
HIDDEN = b"/up/hidden-"
QUICK = {
    "header_timeout_seconds": 0.2,
    "body_idle_timeout_seconds": 0.2,
    "keepalive_seconds": 0.05,
    "min_upload_bytes_per_second": 1,
}
PIECES = (
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"\t",
    b"\x00",
    b"\x0b",
    b":",
    b"0\r\n\r\n",
    b"5\r\n",
    b";",
    b",",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: identity\r\n",
    b"Content-Length: 0\r\n",
    b"Content-Length: 5\r\n",
    b"content-length",
    b"transfer-encoding",
    b"chunked",
    b"identity",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b"Expect: 100-continue\r\n",
    b"HTTP/1.0",
    b"HTTP/1.1",
    b"GET ",
    b"PUT ",
    b"X: y\r\n",
    b" x\r\n",
    b"-1",
    b"0x",
    b"ffffffff",
    b"Upgrade: h2c\r\n",
    b"Host: x\r\n",
    b"\xff",
    b"+",
    b"Trailer: x\r\n",
)


def samples() -> list[bytes]:
    """Good streams; their signatures hold for the longest time there is."""
    names, keys = variables(FIXTURE, "stream"), FIXTURE["keys"]
    sign = {"mode": "cos", "key": "alice", "headers": ["host"], "sign_time": [-60, 80_000]}

    def request(method: str, path: str, **more: Any) -> dict[str, Any]:
        return {
            "method": method,
            "path": path,
            "query": "",
            "host": "${DST_HOST}",
            "headers": [],
            "body": "",
            "sign": sign,
            **more,
        }

    hidden = request("PUT", "/up/hidden-x", body="x")
    plain = build(request("GET", "/up/plain"), names, keys).raw
    length = {"raw_headers": ["Content-Length: ${INNER_LEN}"], "raw_body": "${INNER}", "no_auto_framing": True}
    inner_bytes = build(hidden, names, keys).raw
    chunks = {
        "raw_headers": ["Transfer-Encoding: chunked"],
        "raw_body": f"{len(inner_bytes):x}\r\n${{INNER}}\r\n0\r\n\r\n",
        "no_auto_framing": True,
    }
    upload = build(request("PUT", "/up/outer", wire=length, inner=hidden), names, keys).raw
    chunked = build(request("PUT", "/up/outer", wire=chunks, inner=hidden), names, keys).raw
    refused = build(
        {**request("PUT", "/up/outer", wire=length, inner=hidden), "sign": {"mode": "none"}}, names, keys
    ).raw
    return [plain + plain, upload + plain, chunked + plain, plain + upload, plain + chunked, refused + plain, refused]


@dataclass(slots=True)
class Outcome:
    """What came of many streams."""

    streams: int = 0
    answers: Counter[int] = field(default_factory=Counter)
    slowest_seconds: float = 0.0
    findings: list[str] = field(default_factory=list)


class _Stream(asyncio.Protocol):
    """Sends one stream and collects until the server ends it."""

    def __init__(self, data: bytes, ended: asyncio.Future[bytes]) -> None:
        self._data, self._ended = data, ended
        self.received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(self._data)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self.received += data

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._ended.done():
            self._ended.set_result(bytes(self.received))


async def send_streams(port: int, *, seed: int, count: int, at_once: int) -> Outcome:
    """Send `count` mutated streams to a gateway, `at_once` at a time."""
    outcome = Outcome()
    mutator = Mutator(seed, samples(), PIECES, max_bytes=16_384)
    loop = asyncio.get_running_loop()

    async def worker() -> None:
        while outcome.streams < count and not outcome.findings:
            outcome.streams += 1
            data = mutator.next()
            ended: asyncio.Future[bytes] = loop.create_future()
            transport, stream = await loop.create_connection(
                lambda: _Stream(data, ended),  # noqa: B023
                "127.0.0.1",
                port,
            )
            started = loop.time()
            try:
                answer = await asyncio.wait_for(ended, HANG_SECONDS)
                outcome.slowest_seconds = max(outcome.slowest_seconds, loop.time() - started)
            except TimeoutError:
                outcome.findings.append(f"hang after {stream.received!r}: {data!r}")
                return
            finally:
                transport.abort()
            for status in statuses(answer):
                outcome.answers[status] += 1
                if status >= 500 and status not in (501, 505):
                    outcome.findings.append(f"{status}: {data!r}\n{answer!r}")

    await asyncio.gather(*(worker() for _ in range(at_once)))
    return outcome


def statuses(answer: bytes) -> list[int]:
    """The status codes in what came back."""
    pieces = answer.split(b"HTTP/1.1 ")
    return [int(piece[:3]) for piece in pieces[1:] if piece[:3].isdigit() and piece[3:4] == b" "]


def requests_h11_sees(data: bytes) -> list[bytes]:
    """The targets of the requests in a stream, according to another strict parser."""
    targets: list[bytes] = []
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=65_536)
    connection.receive_data(data)
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                targets.append(event.target)
            elif event is h11.PAUSED or isinstance(event, h11.EndOfMessage):
                connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
                connection.send(h11.EndOfMessage())
                connection.start_next_cycle()
            elif event is h11.NEED_DATA or isinstance(event, h11.ConnectionClosed):
                return targets
    except h11.ProtocolError:
        return targets


# --- the gateway in a process of its own --------------------------------------------------------------------


def _serve(pipe: Connection) -> None:
    async def live() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with running_site(Path(folder), log_level="error", data={"port": 0, **QUICK}) as site:
                pipe.send(site.port)
                loop = asyncio.get_running_loop()
                while await loop.run_in_executor(None, pipe.recv):
                    targets = [request.target for request in site.upstream.requests]
                    site.upstream.requests.clear()
                    pipe.send([target for target in targets if target.startswith(HIDDEN)])

    asyncio.run(live())


def find_smuggled(streams: Sequence[bytes], hidden: int) -> list[str]:
    """Streams are bent by chance, so some do say that the hidden request is one of theirs: at most so many arrive."""
    said = sum(any(target.startswith(HIDDEN) for target in requests_h11_sees(data)) for data in streams)
    return [] if hidden <= said else [f"{hidden} hidden requests arrived, {said} streams say there is one"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=200)
    chosen = parser.parse_args()
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    port = ours.recv()
    started = time.monotonic()
    answers: Counter[int] = Counter()
    done = hidden_total = 0
    slowest = 0.0
    draw = random.Random(chosen.seed)
    while done < chosen.streams:
        portion, seed = min(5000, chosen.streams - done), draw.getrandbits(32)
        outcome = asyncio.run(send_streams(port, seed=seed, count=portion, at_once=chosen.at_once))
        ours.send(True)
        hidden = len(ours.recv())
        if hidden:
            mutator = Mutator(seed, samples(), PIECES, max_bytes=16_384)
            outcome.findings += find_smuggled([mutator.next() for _ in range(outcome.streams)], hidden)
        done, hidden_total = done + outcome.streams, hidden_total + hidden
        answers += outcome.answers
        slowest = max(slowest, outcome.slowest_seconds)
        if outcome.findings:
            print(f"seed {seed}: {outcome.findings[0]}", file=sys.stderr)
            return 1
    ours.send(False)
    process.join(10)
    seconds = round(time.monotonic() - started, 1)
    summary = {
        "streams": done,
        "seed": chosen.seed,
        "answers": dict(answers),
        "hidden_as_framed": hidden_total,
        "slowest_seconds": round(slowest, 1),
        "seconds": seconds,
    }
    print(json.dumps(summary))
    return 0


if __name__ == "__main__":
    sys.exit(main())
