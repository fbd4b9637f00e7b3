"""Every fault of the upstream × a copy, a download and an upload, behind the running gateway.

The caller gets a well-formed answer or a visibly broken connection, never a complete-looking wrong one; the number
of attempts is bounded; and the next request is answered as if nothing had happened.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from gateway.app import Gateway
from gateway.app import running as running_gateway
from tests.security.faulty_upstream import BOMB, COPIED, GOOD, MODES, FaultyUpstream, faulty_upstream
from tests.security.fixture_gateway import FIXTURE, fixture_settings
from tests.support.client import Client
from tests.support.http1 import MalformedAnswer, Response
from tests.support.names import Key
from tests.support.servers import in_background
from tests.support.waiting import until

SHORT_SECONDS = 1.0
"""Every deadline towards the upstream; the defaults are 5 to 600 s."""
LONGEST_SECONDS = 30.0
"""No caller waits longer for an answer, three attempts and a busy machine included."""
HOST = "dst-1250000000.cos.ap-guangzhou.myqcloud.com"
COPY_HEADERS = (
    ("x-cos-copy-source", "src-1250000000.cos.ap-guangzhou.myqcloud.com/public/film.mov"),
    ("x-cos-copy-source-range", "bytes=0-1048575"),
)
UPLOAD = b"u" * 300_000

OPERATIONS = ("copy", "get", "put")
Expected = Mapping[str, frozenset[int | None]]
OWN: frozenset[int | None] = frozenset({502, 503, 504})
"""Statuses of the gateway's own errors about its upstream."""
CUT = None
"""The connection ends before the answer does."""


@dataclass(frozen=True, slots=True)
class Site:
    gateway: Gateway
    upstream: FaultyUpstream
    audit: Path

    @property
    def client(self) -> Client:
        alice = FIXTURE["keys"]["alice"]
        return Client(self.gateway.data_port, Key(alice["ak"], alice["sk"]))

    async def ask(self, operation: str) -> Response | None:
        """One request; None when its answer was cut short."""
        try:
            match operation:
                case "copy":
                    return await self.client.send(
                        "PUT", HOST, "/up/copy?partNumber=1&uploadId=u1", headers=COPY_HEADERS
                    )
                case "get":
                    return await self.client.send("GET", HOST, "/up/download")
                case "put":
                    return await self.client.send("PUT", HOST, "/up/upload", body=UPLOAD)
        except (MalformedAnswer, ConnectionError, asyncio.IncompleteReadError):
            return CUT
        raise ValueError(operation)


@asynccontextmanager
async def running_faulty_site(folder: Path) -> AsyncIterator[Site]:
    async with faulty_upstream() as upstream:
        deadlines = {
            "connect_timeout_seconds": SHORT_SECONDS,
            "response_timeout_seconds": SHORT_SECONDS,
            "copy_timeout_seconds": SHORT_SECONDS,
            "idle_timeout_seconds": SHORT_SECONDS,
            "complete_hold_seconds": 5.0,
        }
        settings = fixture_settings(upstream.endpoint, folder, upstream={"endpoint": upstream.endpoint, **deadlines})
        async with running_gateway(settings) as gateway:
            yield Site(gateway, upstream, settings.audit.path)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with in_background(running_faulty_site(tmp_path_factory.mktemp("faults"))) as site:
        yield site


@pytest.fixture
def upstream(site: Site) -> Iterator[FaultyUpstream]:
    yield site.upstream
    site.upstream.mode = None


def each(*statuses: int) -> dict[str, frozenset[int | None]]:
    """The same outcomes for every operation."""
    return {operation: frozenset(statuses) for operation in OPERATIONS}


def alike(names: Iterable[str], expected: Expected) -> dict[str, Expected]:
    return dict.fromkeys(names, expected)


FINE: frozenset[int | None] = frozenset({200})
BROKEN_BODY: Expected = {"copy": OWN, "get": frozenset({CUT}), "put": frozenset({CUT})}
EXPECTED: dict[str, Expected] = {
    **alike(MODES, each(502, 503, 504)),
    **alike(
        ("length-truncated", "length-reset", "chunks-without-end", "chunk-cut", "chunk-size-bad", "stall-mid-body"),
        BROKEN_BODY,
    ),
    # The answer itself is whole; what follows it must never be seen.
    **alike(("extra-bytes", "extra-response"), each(200)),
    **alike(("503-slow-down", "early-503-reset"), each(503)),
    "429": each(429),
    "500-xml": each(500),
    "early-403": each(403),
    # Only a copy promises a document; for the others these are contents like any.
    **alike(
        ("200-error", "200-error-after-space", "200-empty", "200-html", "200-broken-xml"),
        {"copy": frozenset({500, 502}), "get": FINE, "put": FINE},
    ),
    "gzip-bomb": {"copy": OWN, "get": FINE, "put": FINE},
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("name", MODES)
async def test_a_fault_is_told_or_seen_and_the_next_request_is_clean(
    name: str, operation: str, site: Site, upstream: FaultyUpstream
) -> None:
    control = await site.ask(operation)
    assert control is not None, "the control run, without the fault"
    assert control.status == 200
    upstream.mode, upstream.attempts = MODES[name], 0
    started = time.monotonic()
    answer = await site.ask(operation)
    assert time.monotonic() - started < LONGEST_SECONDS

    status = answer.status if answer is not None else CUT
    assert status in EXPECTED[name][operation], f"{status}: {answer}"
    assert upstream.attempts <= (1 if operation == "put" and upstream.mode.reads != "nothing" else 4)
    if answer is not None:
        assert answer.header("x-cos-request-id")
        assert answer.header("location") is None
        if answer.status >= 400:
            assert answer.text("Code")
            assert FIXTURE["upstream"]["ak"].encode() not in answer.body
        if name == "gzip-bomb" and operation == "get":
            assert answer.body == BOMB

    upstream.mode = None
    for _ in range(3):
        after = await site.ask(operation)
        assert after is not None, "the request after the fault"
        assert after.status == 200
        assert after.body == {"copy": COPIED, "get": GOOD, "put": b""}[operation]
    await _places_free(site, LONGEST_SECONDS)


@pytest.mark.parametrize("name", ["200-error", "200-error-after-space", "200-empty", "200-html", "503-slow-down"])
async def test_what_failed_upstream_is_written_down_as_failed(name: str, site: Site, upstream: FaultyUpstream) -> None:
    upstream.mode = MODES[name]
    before = site.audit.read_bytes().count(b"\n")
    await site.ask("copy")
    await until(lambda: site.audit.read_bytes().count(b"\n") == before + 2)
    last = json.loads(site.audit.read_bytes().splitlines()[-1])
    assert (last["type"], last["result"]) == ("outcome", "failed")


async def test_a_streamed_body_is_sent_once_whatever_happens(site: Site, upstream: FaultyUpstream) -> None:
    for name in ("close-after-request", "reset-after-request", "garbage-status", "stall-before-head"):
        upstream.mode, upstream.attempts = MODES[name], 0
        await site.ask("put")
        assert upstream.attempts == 1, name


async def test_a_bomb_of_an_error_is_not_held(site: Site, upstream: FaultyUpstream) -> None:
    upstream.mode = MODES["error-16-mib"]
    before = _resident_bytes()
    for _ in range(3):
        answer = await site.ask("get")
        assert answer is not None
        assert answer.status == 502
        assert len(answer.body) < 2000
    assert _resident_bytes() - before < 24 * 1024 * 1024


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        ("http://x.invalid:9", "no such name"),
        ("http://127.0.0.1:1", "nobody listens"),
        ("https://127.0.0.1:{port}", "no TLS"),
    ],
    ids=["dns", "refused", "tls"],
)
async def test_no_way_to_the_upstream_is_503_and_nothing_is_sent(endpoint: str, why: str, tmp_path: Path) -> None:
    async with faulty_upstream() as upstream:
        short = {"endpoint": endpoint.format(port=upstream.port), "connect_timeout_seconds": SHORT_SECONDS}
        settings = fixture_settings(upstream.endpoint, tmp_path, upstream=short)
        async with running_gateway(settings) as gateway:
            answer = await Site(gateway, upstream, settings.audit.path).ask("copy")
    assert answer is not None
    assert (answer.status, answer.text("Code")) == (503, "ServiceUnavailable"), why
    assert answer.header("retry-after") == "1"
    assert upstream.uploads_completed == 0


async def test_an_upstream_nobody_vouches_for_is_sent_nothing(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    async with faulty_upstream(context) as upstream:
        endpoint = upstream.endpoint.replace("http:", "https:")
        settings = fixture_settings(upstream.endpoint, tmp_path, upstream={"endpoint": endpoint})
        async with running_gateway(settings) as gateway:
            answer = await Site(gateway, upstream, settings.audit.path).ask("copy")
    assert answer is not None
    assert (answer.status, answer.text("Code")) == (503, "ServiceUnavailable")
    assert upstream.attempts == 0


# --- clients that leave -----------------------------------------------------------------------------------------


async def test_a_client_that_leaves_in_its_upload_never_completes_it(site: Site, upstream: FaultyUpstream) -> None:
    upstream.uploads_completed = 0
    raw = site.client.render("PUT", HOST, "/up/upload", body=UPLOAD)
    _, writer = await asyncio.open_connection("127.0.0.1", site.gateway.data_port)
    writer.write(raw[:-100_000])
    await writer.drain()
    await asyncio.sleep(0.2)
    writer.close()
    await _places_free(site, LONGEST_SECONDS)
    await until(lambda: b'"client_aborted"' in site.audit.read_bytes().splitlines()[-1])
    assert upstream.uploads_completed == 0


@pytest.mark.parametrize("mode", ["stall-before-head", "stall-mid-body"])
async def test_a_client_that_leaves_cancels_what_the_upstream_does_for_it(mode: str, tmp_path: Path) -> None:
    async with faulty_upstream() as upstream:
        settings = fixture_settings(upstream.endpoint, tmp_path)
        async with running_gateway(settings) as gateway:
            site = Site(gateway, upstream, settings.audit.path)
            upstream.mode = MODES[mode]
            _, writer = await asyncio.open_connection("127.0.0.1", gateway.data_port)
            writer.write(site.client.render("GET", HOST, "/up/download"))
            while not upstream.attempts:
                await asyncio.sleep(0.01)
            writer.close()
            await _places_free(site, LONGEST_SECONDS)
            async with asyncio.timeout(LONGEST_SECONDS):
                while upstream.open_now:
                    await asyncio.sleep(0.01)


async def _places_free(site: Site, seconds: float) -> None:
    """Return when no request is in flight; fail when that takes longer than `seconds`."""
    async with asyncio.timeout(seconds):
        while site.gateway.services.pipeline._in_flight.count:
            await asyncio.sleep(0.01)


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096
