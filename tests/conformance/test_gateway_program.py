"""The gateway as a program: what policy lets through, what it keeps to itself, how it starts and stops.

Sources: DESIGN §2, §3 (invariants 1, 4, 5), §8 (signals); threat model C18, fault plan.
"""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.client import target
from tests.support.expect import assert_error, assert_success
from tests.support.gateway_program import GatewayProgram, gateway_program
from tests.support.http1 import exchange
from tests.support.names import CALLER_KEY, EXAMPLE, FARAWAY, OTHER_CALLER_KEY, SERVER_KEY, SOURCE
from tests.support.site import Kind, Site, fresh_key, part_etag, pattern, quoted_md5
from tests.support.watch import Watch

RELOAD_SECONDS = 30
CONTENT = pattern(3000, seed=54)
POLICY = f"""\
version: 1
statements:
  - id: own-objects
    effect: allow
    principals: ["team:conformance"]
    actions: ["cos:*"]
    resource: {{bucket: [{EXAMPLE.name}, {SOURCE.name}], key: "*"}}
  - id: copy-what-is-open
    effect: allow
    principals: ["team:conformance"]
    actions: ["cos:UploadPartCopy"]
    source: {{bucket: {SOURCE.name}, key: "open/*"}}
    destination: {{bucket: {EXAMPLE.name}, key: "*"}}
    when:
      range: {{max: 1KiB}}
"""


@pytest.fixture(scope="module")
def program(emulator_site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProgram]:
    endpoint = f"http://127.0.0.1:{emulator_site.port}"
    with gateway_program(tmp_path_factory.mktemp("program"), endpoint, POLICY) as running:
        yield running


@pytest.fixture
def site(program: GatewayProgram, emulator_site: Site) -> Site:
    """The program's data port, asked with the caller's key."""
    return Site(Kind.GATEWAY, replace(emulator_site.client, port=program.port, key=CALLER_KEY), emulator_site.emulator)


async def eventually(condition: Callable[[], object]) -> None:
    """Wait for something another process does; fails after RELOAD_SECONDS."""
    deadline = time.monotonic() + RELOAD_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


async def test_a_copy_that_policy_allows_reaches_cos_with_the_servers_credential(site: Site) -> None:
    key = await site.seed(SOURCE, CONTENT, stem="open/source")
    upload = await site.initiate()
    upstream = Watch(site)
    answer = await site.copy_part(upload, SOURCE.source(key), byte_range="bytes=0-1023")
    assert part_etag(answer) == quoted_md5(CONTENT[:1024])
    (seen,) = upstream.new()
    assert (seen.operation, seen.access_key_id) == ("UploadPartCopy", SERVER_KEY.secret_id)


@pytest.mark.parametrize(
    ("source", "byte_range", "reason"),
    [
        (SOURCE.source("closed/object"), "bytes=0-9", "source.key"),
        (SOURCE.source("openly/object"), "bytes=0-9", "source.key"),
        (SOURCE.source("open/../closed/object"), "bytes=0-9", "source.key"),
        (SOURCE.source("Open/object"), "bytes=0-9", "source.key"),
        (EXAMPLE.source("open/object"), "bytes=0-9", "source.bucket"),
        (FARAWAY.source("open/object"), "bytes=0-9", "source.bucket"),
        (SOURCE.source("open/object"), "bytes=0-1024", "range.max"),
    ],
)
async def test_a_copy_that_policy_does_not_allow_is_refused_by_name_and_nothing_is_sent(
    site: Site, program: GatewayProgram, source: str, byte_range: str, reason: str
) -> None:
    upload = await site.initiate()
    upstream = Watch(site)
    answer = await site.copy_part(upload, source, byte_range=byte_range)
    assert_error(answer, 403, "AccessDenied")
    assert reason in answer.text("Message")
    assert upstream.new() == []
    # The refusal can be found again by what the caller was told.
    request_id = answer.header("x-cos-request-id") or ""
    await eventually(lambda: request_id in program.audit.read_text())


async def test_a_caller_whom_no_statement_names_may_do_nothing(site: Site) -> None:
    upstream = Watch(site)
    stranger = site.with_key(OTHER_CALLER_KEY)
    assert_error(await stranger.get(EXAMPLE, "key"), 403, "AccessDenied")
    assert_error(await stranger.put(EXAMPLE, "key", b"x"), 403, "AccessDenied")
    assert_error(await stranger.client.send("GET", "service.cos.myqcloud.com", "/"), 403, "AccessDenied")
    assert upstream.new() == []


async def test_the_intent_of_every_copy_is_on_record_before_its_outcome(site: Site, program: GatewayProgram) -> None:
    key = await site.seed(SOURCE, CONTENT, stem="open/source")
    upload = await site.initiate()
    answer = await site.copy_part(upload, SOURCE.source(key), byte_range="bytes=0-9")
    assert_success(answer)
    told = answer.header("x-cos-request-id")

    def recorded() -> list[str]:
        events = [json.loads(line) for line in program.audit.read_text().rpartition("\n")[0].splitlines()]
        # A relayed answer carries COS's own request ID; the outcome names it beside the gateway's.
        ours = {
            event["request_id"] for event in events if told in (event["request_id"], event.get("upstream_request_id"))
        }
        return [event["type"] for event in events if event["request_id"] in ours]

    await eventually(lambda: len(recorded()) == 2)
    assert recorded() == ["intent", "outcome"]


async def test_no_secret_and_no_signature_shows_anywhere(site: Site, program: GatewayProgram) -> None:
    answers = [
        await site.put(EXAMPLE, fresh_key(), CONTENT),
        await site.get(EXAMPLE, "missing"),
        await site.with_key(replace(CALLER_KEY, secret_key="wrong")).get(EXAMPLE, "key"),
        await site.with_key(SERVER_KEY).get(EXAMPLE, "key"),
        await site.with_key(None).get(EXAMPLE, "key"),
        await site.copy_part(await site.initiate(), "http://evil.example/key"),
        await exchange(program.port, b"GARBAGE\r\n\r\n"),
        await exchange(program.port, site.client.render("GET", EXAMPLE.host, target("a")).replace(b"q-ak=", b"q-ak=x")),
    ]
    signature = re.search(rb"q-signature=([0-9a-f]{40})", site.client.render("GET", EXAMPLE.host, target("signed")))
    assert signature is not None
    signed = site.client.render("GET", EXAMPLE.host, target("signed")).replace(b"signed", b"other", 1)
    answers.append(await exchange(program.port, signed))
    time.sleep(0.3)
    canaries = [
        SERVER_KEY.secret_key,
        CALLER_KEY.secret_key,
        OTHER_CALLER_KEY.secret_key,
        program.master_key,
    ]
    told = b"".join(answer.body + repr(answer.headers).encode() for answer in answers).decode("latin-1")
    said = "".join(program.output) + program.audit.read_text()
    stored = "".join(path.read_bytes().decode("latin-1") for path in program.folder.glob("gateway.db*"))
    for canary in canaries:
        assert canary not in told
        assert canary not in said
        assert canary not in stored
    assert SERVER_KEY.secret_id not in told
    assert not re.search(r"q-signature=[0-9a-f]{40}", said + told)
    assert program.process is not None
    environment = Path(f"/proc/{program.process.pid}/environ")
    if environment.exists():
        assert not [canary for canary in canaries if canary.encode() in environment.read_bytes()]


async def test_hup_activates_a_new_policy_and_keeps_the_old_one_when_it_is_broken(
    site: Site, program: GatewayProgram
) -> None:
    stranger = site.with_key(OTHER_CALLER_KEY)
    key = await site.seed(EXAMPLE, CONTENT)
    assert program.process is not None
    try:
        program.policy.write_text(POLICY.replace("statements:", "statements: [nonsense", 1))
        lines = len(program.output)
        program.process.send_signal(signal.SIGHUP)
        await eventually(lambda: "policy" in "".join(program.output[lines:]).lower())
        assert (await site.get(EXAMPLE, key)).body == CONTENT
        assert_error(await stranger.get(EXAMPLE, key), 403, "AccessDenied")
        grown = POLICY.replace('principals: ["team:conformance"]', 'principals: ["team:conformance", "team:nobody"]', 1)
        program.policy.write_text(grown)
        program.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + RELOAD_SECONDS
        while (await stranger.get(EXAMPLE, key)).status != 200:
            assert time.monotonic() < deadline, "the new policy never came into force"
    finally:
        program.policy.write_text(POLICY)
        program.process.send_signal(signal.SIGHUP)


@pytest.fixture
def own_program(emulator_site: Site, tmp_path: Path) -> Iterator[GatewayProgram]:
    """A program that a test may stop."""
    with gateway_program(tmp_path, f"http://127.0.0.1:{emulator_site.port}", POLICY) as running:
        yield running


async def test_term_ends_the_program_with_0_and_kill_leaves_nothing_that_hinders_a_start(
    own_program: GatewayProgram, emulator_site: Site
) -> None:
    key = await emulator_site.seed(EXAMPLE, CONTENT)

    async def serves() -> bool:
        client = replace(emulator_site.client, port=own_program.port, key=CALLER_KEY)
        return (await client.send("GET", EXAMPLE.host, target(key))).body == CONTENT

    assert await serves()
    assert own_program.stop() == 0, "".join(own_program.output)
    own_program.start()
    assert await serves()
    own_program.stop(kill=True)
    own_program.start()
    assert await serves()
