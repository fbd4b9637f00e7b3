"""Sessions over real sockets: asked for at the sts port, used at the data port."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from cos.rewrite import UpstreamRequest
from cos.signing import Scheme, presign
from gateway.credentials.access_keys import IssuedKeys
from gateway.credentials.administration import Administration
from gateway.credentials.changes import Author, Terms
from gateway.sessions.issue import Asked, SessionDesk
from gateway.stores.database import Database
from tests.gateway.sessions.conftest import STS_HOST, SessionSite, key_of
from tests.support.expect import assert_error, assert_success
from tests.support.fakes import RecordingAudit
from tests.support.names import CALLER_KEY, EXAMPLE, SERVER_KEY, SOURCE, Key
from tests.support.waiting import PATIENCE_SECONDS
from tests.support.watch import Watch

READ_FILMS = {
    "id": "films",
    "effect": "allow",
    "actions": ["cos:GetObject", "cos:PutObject"],
    "resource": {"bucket": EXAMPLE.name, "key": "films/*"},
}
SCHEMES = (Scheme.Q_SIGN, Scheme.SIGV4)
BOTH = pytest.mark.parametrize("scheme", SCHEMES, ids=str)


@BOTH
async def test_a_session_does_what_its_key_may(session_site: SessionSite, scheme: Scheme) -> None:
    holder = session_site.holder(await session_site.session(), scheme)
    assert_success(await holder.send("PUT", EXAMPLE.host, "/films/a", body=b"film"))
    assert (await holder.send("GET", EXAMPLE.host, "/films/a")).body == b"film"


@BOTH
async def test_a_session_can_be_asked_for_in_both_dialects(session_site: SessionSite, scheme: Scheme) -> None:
    key = key_of(await session_site.ask(replace(session_site.sts, scheme=scheme), DurationSeconds=900))
    assert_success(await session_site.holder(key).send("PUT", EXAMPLE.host, "/films/b", body=b"x"))


async def test_the_answer_says_when_it_ends(session_site: SessionSite) -> None:
    before = int(time.time())
    answer = await session_site.ask(DurationSeconds=120)
    issued = json.loads(answer.body)
    assert issued.keys() == {"TmpSecretId", "TmpSecretKey", "Token", "ExpiredTime", "Expiration"}
    assert before + 120 <= issued["ExpiredTime"] <= time.time() + 120
    assert answer.header("cache-control") == "no-store"
    assert answer.header("x-cos-request-id")


async def test_a_session_of_a_narrower_policy_may_only_that(session_site: SessionSite) -> None:
    holder = session_site.holder(await session_site.session(Policy={"statements": [READ_FILMS]}))
    assert_success(await holder.send("PUT", EXAMPLE.host, "/films/c", body=b"film"))
    refused = await holder.send("PUT", EXAMPLE.host, "/other/c", body=b"film")
    assert_error(refused, 403, "AccessDenied")
    assert "session." in refused.text("Message")
    assert_error(await holder.send("DELETE", EXAMPLE.host, "/films/c"), 403, "AccessDenied")


@pytest.mark.parametrize(("key", "status"), [("films/a", 200), ("other/a", 403)])
async def test_a_narrower_policy_holds_for_each_object_of_a_batch_delete(
    session_site: SessionSite, key: str, status: int
) -> None:
    deletes = {**READ_FILMS, "actions": ["cos:DeleteMultipleObjects"]}
    holder = session_site.holder(await session_site.session(Policy={"statements": [deletes]}))
    body = f"<Delete><Object><Key>films/b</Key></Object><Object><Key>{key}</Key></Object></Delete>".encode()
    digest = base64.b64encode(hashlib.md5(body).digest()).decode()
    answer = await holder.send("POST", EXAMPLE.host, "/?delete", headers=[("content-md5", digest)], body=body)
    assert answer.status == status, answer.body


async def test_a_copy_needs_both_ends_in_the_sessions_policy(session_site: SessionSite) -> None:
    await session_site.client.send("PUT", SOURCE.host, "/in/film", body=b"0123456789")
    await session_site.client.send("PUT", SOURCE.host, "/private/film", body=b"0123456789")
    copies = {
        "id": "copies",
        "effect": "allow",
        "actions": ["cos:PutObjectCopy"],
        "source": {"bucket": SOURCE.name, "key": "in/*"},
        "destination": {"bucket": EXAMPLE.name, "key": "films/*"},
    }
    holder = session_site.holder(await session_site.session(Policy=json.dumps({"statements": [copies]})))

    async def copy(source: str, key: str) -> Any:
        return await holder.send("PUT", EXAMPLE.host, key, headers=[("x-cos-copy-source", SOURCE.source(source))])

    assert_success(await copy("in/film", "/films/film"))
    assert_error(await copy("private/film", "/films/film"), 403, "AccessDenied")
    assert_error(await copy("in/film", "/other/film"), 403, "AccessDenied")


async def test_the_token_may_be_sent_unsigned_as_node_and_java_do(session_site: SessionSite) -> None:
    key = await session_site.session()
    bare = session_site.holder(replace(key, token=None))
    token = [("x-cos-security-token", key.token or "")]
    assert_success(await bare.send("PUT", EXAMPLE.host, "/films/d", body=b"x", unsigned_headers=token))


async def test_the_token_may_stand_in_the_url(session_site: SessionSite) -> None:
    key = await session_site.session()
    await session_site.client.send("PUT", EXAMPLE.host, "/films/e", body=b"film")
    for scheme in SCHEMES:
        request = UpstreamRequest.of("GET", EXAMPLE.host, b"/films/e", (), b"/films/e", ())
        url = presign(
            request,
            scheme=scheme,
            secret_id=key.secret_id,
            secret_key=key.secret_key,
            token=key.token,
            now=int(time.time()),
            lifetime_seconds=60,
            region=EXAMPLE.region,
        )
        answer = await session_site.client.with_key(None).send("GET", EXAMPLE.host, url.target.decode())
        assert answer.body == b"film", answer.body


async def test_cos_never_sees_the_session(session_site: SessionSite) -> None:
    key = await session_site.session()
    upstream = Watch(session_site.cos)
    assert_success(await session_site.holder(key).send("PUT", EXAMPLE.host, "/films/f", body=b"x"))
    seen = upstream.new()
    assert {entry.access_key_id for entry in seen} == {SERVER_KEY.secret_id}
    assert key.token not in repr(seen)
    assert "security-token" not in repr(seen)


def changed(text: str) -> str:
    middle = len(text) // 2
    return text[:middle] + ("A" if text[middle] != "A" else "B") + text[middle + 1 :]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        pytest.param(lambda key, _: replace(key, token=None), "InvalidAccessKeyId", id="no token"),
        pytest.param(lambda key, _: replace(key, token=""), "InvalidAccessKeyId", id="an empty token"),
        pytest.param(lambda key, _: replace(key, token="no-token"), "InvalidAccessKeyId", id="no token at all"),
        pytest.param(
            lambda key, _: replace(key, token=changed(key.token)), "InvalidAccessKeyId", id="one letter wrong"
        ),
        pytest.param(lambda key, _: replace(key, token=key.token + "A"), "InvalidAccessKeyId", id="one letter more"),
        pytest.param(lambda key, _: replace(key, token=key.token[:-1]), "InvalidAccessKeyId", id="one letter less"),
        pytest.param(lambda key, _: replace(key, token=key.token + "=="), "InvalidAccessKeyId", id="padded"),
        pytest.param(lambda key, _: replace(key, token="A" * 4097), "InvalidAccessKeyId", id="too long"),
        pytest.param(lambda key, other: replace(key, token=other.token), "InvalidAccessKeyId", id="another's token"),
        pytest.param(
            lambda key, other: replace(other, secret_id=key.secret_id), "InvalidAccessKeyId", id="another's session"
        ),
        pytest.param(lambda key, _: replace(key, secret_id="GWTK" + "A" * 32), "InvalidAccessKeyId", id="a made-up id"),
        pytest.param(
            lambda key, _: replace(key, secret_id=CALLER_KEY.secret_id), "SignatureDoesNotMatch", id="its key"
        ),
        pytest.param(lambda key, _: replace(key, secret_key="wrong"), "SignatureDoesNotMatch", id="a wrong secret"),
        pytest.param(
            lambda key, _: replace(key, secret_key=CALLER_KEY.secret_key),
            "SignatureDoesNotMatch",
            id="its key's secret",
        ),
    ],
)
@BOTH
async def test_a_session_is_its_id_its_secret_and_its_token(
    session_site: SessionSite, wrong: Any, code: str, scheme: Scheme
) -> None:
    key, other = await session_site.session(), await session_site.session()
    answer = await session_site.holder(wrong(key, other), scheme).send("GET", EXAMPLE.host, "/films/a")
    assert_error(answer, 403, code)
    for secret in (key.secret_key, key.token or "-"):
        assert secret.encode() not in answer.body


async def test_no_session_is_issued_for_a_session(session_site: SessionSite) -> None:
    key = await session_site.session()
    answer = await session_site.ask(session_site.sts.with_key(key))
    assert answer.status == 403, answer.body
    assert json.loads(answer.body)["Error"]["Code"] == "InvalidAccessKeyId"


async def test_a_signature_for_the_data_port_makes_no_key(session_site: SessionSite) -> None:
    """The other way round either: what asks for a session names no operation at the data port."""
    assert session_site.gateway.sts_port is not None
    moved = replace(session_site.client, port=session_site.gateway.sts_port)
    answer = await moved.send("PUT", EXAMPLE.host, "/v1/session", body=b"")
    assert answer.status == 405
    answer = await session_site.client.send("POST", EXAMPLE.host, "/v1/session", body=b"")
    assert answer.status in (405, 501), answer.body


@pytest.mark.parametrize(
    "fields",
    [
        {"DurationSeconds": 59},
        {"DurationSeconds": 43_201},
        {"DurationSeconds": 0},
        {"DurationSeconds": -900},
        {"DurationSeconds": "900"},
        {"DurationSeconds": 900.0},
        {"DurationSeconds": True},
        {"DurationSeconds": 10**30},
        {"Policy": "nothing"},
        {"Policy": 7},
        {"Policy": []},
        {"Policy": {"statements": []}},
        {"Policy": {"statements": [{**READ_FILMS, "actions": ["cos:NoSuch"]}]}},
        {"Policy": {"statements": [{**READ_FILMS, "id": "\ud800"}]}},
        {"Policy": {"statements": [READ_FILMS], "tests": []}},
        {"Policy": json.dumps({"statements": [READ_FILMS]}) + " " * 2048},
        {"Token": "x"},
        {"Principal": "team:admin"},
    ],
    ids=str,
)
async def test_what_is_not_a_good_wish_is_refused(session_site: SessionSite, fields: dict[str, Any]) -> None:
    answer = await session_site.ask(**fields)
    assert answer.status == 400, answer.body
    assert json.loads(answer.body)["Error"]["Code"] == "InvalidArgument"


@pytest.mark.parametrize("seconds", [60, 43_200])
async def test_the_shortest_and_the_longest_session(session_site: SessionSite, seconds: int) -> None:
    assert (await session_site.ask(DurationSeconds=seconds)).status == 200


@pytest.mark.parametrize(
    ("changes", "body"),
    [
        pytest.param({"headers": []}, b'{"DurationSeconds": 900}', id="the body is not signed"),
        pytest.param({"headers": [("x-cos-content-sha256", "0" * 64)]}, b"{}", id="another body was signed"),
        pytest.param({"headers": [("x-cos-content-sha256", "")]}, b"", id="an empty hash"),
        pytest.param({"now": 1_000_000_000}, b"", id="long ago"),
        pytest.param({"target": "/v1/session?q=1&Q=2"}, b"", id="two spellings of a parameter"),
    ],
)
async def test_a_call_that_is_not_wholly_signed_is_refused(
    session_site: SessionSite, changes: dict[str, Any], body: bytes
) -> None:
    where = changes.pop("target", "/v1/session")
    answer = await session_site.sts.send("POST", STS_HOST, where, body=body, **changes)
    assert answer.status in (400, 403), answer.body
    assert b"TmpSecretId" not in answer.body


async def test_a_call_with_the_signature_in_its_url_is_refused(session_site: SessionSite) -> None:
    url = presign(
        UpstreamRequest.of("POST", STS_HOST, b"/v1/session", (), b"/v1/session", ()),
        scheme=Scheme.Q_SIGN,
        secret_id=CALLER_KEY.secret_id,
        secret_key=CALLER_KEY.secret_key,
        token=None,
        now=int(time.time()),
        lifetime_seconds=60,
        region="",
    )
    answer = await session_site.post(url.target.decode(), b"")
    assert answer.status == 403


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/session", 405), ("POST", "/", 404), ("POST", "/v1/sessions", 404), ("GET", "/metrics", 404)],
)
async def test_the_port_has_nothing_else(session_site: SessionSite, method: str, path: str, status: int) -> None:
    answer = await session_site.sts.send(method, STS_HOST, path)
    assert answer.status == status
    assert json.loads(answer.body)["RequestId"]


async def test_an_unknown_key_gets_no_session(session_site: SessionSite) -> None:
    answer = await session_site.ask(session_site.sts.with_key(Key("GWAKNOBODY", "no secret")))
    assert answer.status == 403
    assert json.loads(answer.body)["Error"]["Code"] == "InvalidAccessKeyId"


async def test_the_audit_log_knows_every_session_and_no_secret(session_site: SessionSite) -> None:
    key = await session_site.session(Policy={"statements": [READ_FILMS]})
    assert_success(await session_site.holder(key).send("PUT", EXAMPLE.host, "/films/g", body=b"x"))
    lines = (session_site.folder / "audit.jsonl").read_text()
    events = [json.loads(line) for line in lines.splitlines()]
    issued = [event for event in events if event.get("session_id") == key.secret_id]
    assert len(issued) == 1
    assert issued[0]["parent"] == CALLER_KEY.secret_id
    assert issued[0]["policy"]
    used = [event for event in events if event.get("access_key_id") == key.secret_id]
    assert used
    assert {event["parent"] for event in used} == {CALLER_KEY.secret_id}
    assert key.secret_key not in lines
    assert (key.token or "-") not in lines


@pytest.fixture
async def stored_keys(session_site: SessionSite) -> AsyncIterator[IssuedKeys]:
    """The store of the running gateway, as another process changes it."""
    services = session_site.gateway.services
    async with await Database.open(services.settings.store.path) as database:
        yield IssuedKeys(database, services.vault)


async def issued_to(site: SessionSite, keys: IssuedKeys) -> tuple[str, Key]:
    """A key of the store, and a session of it once the gateway has seen the key."""
    issued = await keys.create(principal="team:conformance")
    holder = site.sts.with_key(Key(issued.record.id, issued.secret.reveal()))
    for _ in range(300):
        answer = await site.ask(holder)
        if answer.status == 200:
            return issued.record.id, key_of(answer)
        await asyncio.sleep(0.1)
    raise AssertionError("the gateway did not see the key")


@pytest.mark.parametrize("how", ["disable", "delete", "end"])
async def test_a_withdrawal_reaches_a_sessions_holder_within_five_seconds(
    session_site: SessionSite, stored_keys: IssuedKeys, how: str
) -> None:
    key_id, key = await issued_to(session_site, stored_keys)
    holder = session_site.holder(key)
    assert_success(await holder.send("PUT", EXAMPLE.host, "/films/h", body=b"x"))
    services = session_site.gateway.services
    async with await Database.open(services.settings.store.path) as database:
        match how:
            case "disable":
                await stored_keys.disable(key_id)
            case "delete":
                await stored_keys.delete(key_id)
            case "end":
                administration = Administration(database, services.vault, RecordingAudit())
                await administration.sessions.end(key.secret_id, Terms(Author("local:test")))
    started = time.monotonic()
    while (answer := await holder.send("GET", EXAMPLE.host, "/films/h")).status == 200:
        assert time.monotonic() - started < PATIENCE_SECONDS
        await asyncio.sleep(0.05)
    assert_error(answer, 403, "InvalidAccessKeyId" if how == "delete" else "AccessDenied")


async def test_an_expired_session_is_told_so(session_site: SessionSite) -> None:
    services = session_site.gateway.services
    parent = services.keys.find(CALLER_KEY.secret_id)
    assert parent is not None
    desk = SessionDesk(
        services.vault, RecordingAudit(), default_seconds=60, max_seconds=60, clock=lambda: time.time() - 3600
    )
    old = await desk.issue_for_key(parent, Asked())
    key = Key(old.id, old.secret.reveal(), old.token.reveal())
    for scheme in SCHEMES:
        assert_error(await session_site.holder(key, scheme).send("GET", EXAMPLE.host, "/films/a"), 400, "ExpiredToken")
    wrong = session_site.holder(replace(key, secret_key="wrong"))
    assert_error(await wrong.send("GET", EXAMPLE.host, "/films/a"), 403, "SignatureDoesNotMatch")


async def test_a_session_counts_as_a_use_of_its_key(session_site: SessionSite, stored_keys: IssuedKeys) -> None:
    key_id, key = await issued_to(session_site, stored_keys)
    await session_site.holder(key).send("GET", EXAMPLE.host, "/films/a")
    uses = session_site.gateway.services.sessions.uses
    assert key_id in uses._noted_until
    assert key.secret_id not in {*uses._unwritten, *uses._noted_until}
