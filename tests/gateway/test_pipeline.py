"""The walk of one request: its order, its refusals, and what reaches the upstream."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_network

import pytest

from cos.address import Level
from cos.request import read_request
from cos.signing import check_coverage, read_claim, verify
from gateway.ports import AccessKey, KeyState, UpstreamBroken, UpstreamTimeout, UpstreamUnreachable
from gateway.secret import Secret
from tests.support.fakes import (
    KEY_ID,
    KEY_SECRET,
    POLICY,
    UPSTREAM_ID,
    UPSTREAM_SECRET,
    Bench,
    ScriptedResponse,
)

SOURCE = "src-1250000000.cos.ap-guangzhou.myqcloud.com/public/big.bin"


async def test_a_part_copy_is_forwarded_as_it_was_judged() -> None:
    bench = Bench()
    answer = await bench.copy_part()
    assert answer.status == 200, answer.body
    assert answer.element("ETag") == '"0"'
    [(request, body)] = bench.upstream.requests
    assert request.method == "PUT"
    assert request.host == "dst-1250000000.cos.ap-guangzhou.myqcloud.com"
    assert request.target == b"/up/film.mov?partNumber=1&uploadId=u1"
    headers = dict(request.headers)
    assert headers[b"x-cos-copy-source"] == SOURCE.encode()
    assert headers[b"x-cos-copy-source-range"] == b"bytes=0-1048575"
    assert headers[b"content-length"] == b"0"
    assert body == b""


async def test_the_upstream_request_is_signed_by_the_held_credential_over_all_of_it() -> None:
    bench = Bench()
    await bench.copy_part()
    [(sent, _)] = bench.upstream.requests
    received = read_request(sent.method, sent.target, [(b"host", sent.host.encode()), *sent.headers])
    claim = read_claim(received)
    assert claim.access_key_id == UPSTREAM_ID
    verify(received, claim, UPSTREAM_SECRET)
    check_coverage(received, claim, level=Level.OBJECT)
    assert KEY_ID.encode() not in b"".join(value for _, value in sent.headers)


REFUSED_BEFORE_ANYTHING = {
    "unsigned": ({"sign_it": False}, 403, "AccessDenied"),
    "wrong secret": ({"secret_key": "another-secret"}, 403, "SignatureDoesNotMatch"),
    "unknown key": ({"secret_id": "GWAKNOBODY"}, 403, "InvalidAccessKeyId"),
    "expired signature": ({"now": 1_700_000_000}, 403, "AccessDenied"),
    "range changed after signing": (
        {"tampered": {"x-cos-copy-source-range": "bytes=0-2097151"}},
        403,
        "SignatureDoesNotMatch",
    ),
    "source denied by prefix": ({"source": "private/x"}, 403, "AccessDenied"),
    "source climbs out of its prefix": ({"source": "public/..%2Fprivate/x"}, 403, "AccessDenied"),
    "source bucket unknown": (
        {"headers": {"x-cos-copy-source": "other-1259999999.cos.ap-guangzhou.myqcloud.com/public/x"}},
        403,
        "AccessDenied",
    ),
    "source region is not its bucket's": (
        {"headers": {"x-cos-copy-source": "src-1250000000.cos.ap-shanghai.myqcloud.com/public/x"}},
        403,
        "AccessDenied",
    ),
    "source in another region": (
        {"headers": {"x-cos-copy-source": "far-1250000000.cos.ap-shanghai.myqcloud.com/public/x"}},
        403,
        "AccessDenied",
    ),
    "destination denied": ({"path": "/admin/film.mov"}, 403, "AccessDenied"),
    "destination bucket unknown": ({"host": "nobody-1250000000.cos.ap-guangzhou.myqcloud.com"}, 403, "AccessDenied"),
    "malformed source": ({"headers": {"x-cos-copy-source": "http://evil.test/x"}}, 400, "InvalidCopySource"),
    "empty source": ({"headers": {"x-cos-copy-source": ""}}, 400, "InvalidCopySource"),
    "malformed range": ({"headers": {"x-cos-copy-source-range": "bytes=5-"}}, 400, "InvalidArgument"),
    "range ends before it starts": ({"headers": {"x-cos-copy-source-range": "bytes=9-5"}}, 400, "InvalidArgument"),
    "range above 5 GiB": ({"headers": {"x-cos-copy-source-range": "bytes=0-5368709120"}}, 400, None),
    "conflicting conditions": (
        {"headers": {"x-cos-copy-source-if-match": '"a"', "x-cos-copy-source-if-none-match": '"b"'}},
        400,
        None,
    ),
    "malformed condition": (
        {"headers": {"x-cos-copy-source-if-modified-since": "yesterday"}},
        400,
        "InvalidArgument",
    ),
    "a body": ({"body": b"x"}, 400, "UnexpectedContent"),
    "foreign host": ({"host": "evil.test"}, 400, None),
}


@pytest.mark.parametrize(("change", "status", "code"), REFUSED_BEFORE_ANYTHING.values(), ids=REFUSED_BEFORE_ANYTHING)
async def test_a_refused_copy_opens_no_credential_and_sends_nothing(
    change: dict[str, object], status: int, code: str | None
) -> None:
    bench = Bench()
    answer = await bench.copy_part(**change)
    assert answer.status == status, answer.body
    assert code is None or answer.element("Code") == code
    assert bench.credentials.opened == 0
    assert bench.upstream.requests == []
    assert bench.audit.of_type("intent") == []
    assert UPSTREAM_ID.encode() not in answer.body


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"partNumber": "0", "uploadId": "u1"}, "InvalidArgument"),
        ({"partNumber": "10001", "uploadId": "u1"}, "InvalidArgument"),
        ({"partNumber": "one", "uploadId": "u1"}, "InvalidArgument"),
        ({"partNumber": "1", "uploadId": ""}, "InvalidArgument"),
        ({"partNumber": "1"}, "InvalidArgument"),
        ({"uploadId": "u1"}, "InvalidArgument"),
        ({"partNumber": "1", "uploadId": "u1", "acl": ""}, "InvalidArgument"),
        ({"partNumber": "1", "uploadId": "u1", "surprise": "1"}, "InvalidArgument"),
    ],
    ids=str,
)
async def test_a_malformed_query_is_refused_before_anything(query: dict[str, str], code: str) -> None:
    bench = Bench()
    answer = await bench.ask(query=query, headers={"x-cos-copy-source": SOURCE})
    assert (answer.status, answer.element("Code")) == (400, code)
    assert bench.credentials.opened == 0
    assert bench.upstream.requests == []


@pytest.mark.parametrize(
    "key",
    [
        AccessKey(KEY_ID, Secret(KEY_SECRET), "team:test", state=KeyState.DISABLED),
        AccessKey(KEY_ID, Secret(KEY_SECRET), "team:test", expires_at=datetime(2020, 1, 1, tzinfo=UTC)),
        AccessKey(KEY_ID, Secret(KEY_SECRET), "team:test", networks=(ip_network("198.51.100.0/24"),)),
    ],
    ids=["disabled", "expired", "other network"],
)
async def test_a_key_that_may_not_be_used_is_refused_although_its_signature_is_right(key: AccessKey) -> None:
    bench = Bench(keys=(key,))
    answer = await bench.copy_part()
    assert (answer.status, answer.element("Code")) == (403, "AccessDenied")
    assert bench.upstream.requests == []


async def test_a_disabled_key_is_not_told_apart_without_its_secret() -> None:
    bench = Bench(keys=(AccessKey(KEY_ID, Secret(KEY_SECRET), "team:test", state=KeyState.DISABLED),))
    answer = await bench.copy_part(secret_key="guessed")
    assert answer.element("Code") == "SignatureDoesNotMatch"


async def test_nothing_is_sent_when_the_intent_cannot_be_written() -> None:
    bench = Bench()
    bench.audit.broken = True
    answer = await bench.copy_part()
    assert (answer.status, answer.element("Code")) == (503, "ServiceUnavailable")
    assert answer.headers[b"retry-after"] == b"1"
    assert bench.credentials.opened == 0
    assert bench.upstream.requests == []


async def test_the_intent_is_recorded_before_the_request_is_sent() -> None:
    bench = Bench()
    seen: list[int] = []
    bench.upstream.before_answer = lambda: seen.append(len(bench.audit.of_type("intent")))
    await bench.copy_part()
    assert seen == [1]


async def test_the_audit_names_both_ends_of_a_copy_and_its_outcome() -> None:
    bench = Bench()
    await bench.copy_part()
    [intent] = bench.audit.of_type("intent")
    assert intent["principal"] == "team:test"
    assert intent["action"] == "cos:UploadPartCopy"
    assert intent["source"]["bucket"] == "src-1250000000"
    assert intent["source"]["key"] == "public/big.bin"
    assert intent["source"]["access"] == "read"
    assert intent["resource"]["bucket"] == "dst-1250000000"
    assert intent["resource"]["access"] == "write"
    assert intent["policy"]["statement"] == "copy"
    [outcome] = bench.audit.of_type("outcome")
    assert outcome["decision_id"] == intent["decision_id"]
    assert (outcome["result"], outcome["status"]) == ("completed", 200)


async def test_a_denial_names_its_reason_and_an_id_that_finds_the_audit_line() -> None:
    bench = Bench()
    answer = await bench.copy_part("private/x")
    assert "source.key" in answer.element("Message")
    [outcome] = bench.audit.of_type("outcome")
    assert answer.element("DecisionId") == outcome["decision_id"]
    assert outcome["result"] == "refused"
    assert {"statement": "copy", "failed": "source.key"}.items() <= outcome["trace"][0].items()


async def test_no_secret_and_no_signature_reaches_the_audit_log() -> None:
    bench = Bench()
    await bench.copy_part()
    await bench.copy_part(secret_key="wrong")
    told = repr(bench.audit.events)
    for canary in (KEY_SECRET, UPSTREAM_SECRET, "q-signature", "authorization"):
        assert canary not in told


async def test_a_size_is_measured_only_when_a_rule_hinges_on_it() -> None:
    head = ScriptedResponse(headers=[(b"content-length", b"1048576")], pieces=())
    bench = Bench(head, ScriptedResponse())
    answer = await bench.copy_part("measured/x", headers={"x-cos-copy-source-range": ""})
    assert answer.status == 200, answer.body
    assert [request.method for request, _ in bench.upstream.requests] == ["HEAD", "PUT"]
    assert bench.upstream.requests[0][0].host == "src-1250000000.cos.ap-guangzhou.myqcloud.com"
    assert [event["type"] for event in bench.audit.events] == ["measure", "intent", "outcome"]


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        (ScriptedResponse(headers=[(b"content-length", b"1048577")], pieces=()), 403, "AccessDenied"),
        (ScriptedResponse(status=404, pieces=()), 404, "NoSuchKey"),
        (ScriptedResponse(status=500, pieces=()), 502, "BadGateway"),
        (ScriptedResponse(headers=[], pieces=()), 502, "BadGateway"),
    ],
    ids=["too large", "missing", "upstream error", "no length"],
)
async def test_a_source_that_cannot_be_shown_small_enough_is_not_copied(
    head: ScriptedResponse, status: int, code: str
) -> None:
    bench = Bench(head)
    answer = await bench.copy_part("measured/x", headers={"x-cos-copy-source-range": None})
    assert (answer.status, answer.element("Code")) == (status, code)
    assert [request.method for request, _ in bench.upstream.requests] == ["HEAD"]


async def test_a_source_with_its_customers_key_is_measured_with_it() -> None:
    head = ScriptedResponse(headers=[(b"content-length", b"1048576")], pieces=())
    bench = Bench(head, ScriptedResponse())
    customer = {"algorithm": "AES256", "key": "S0VZ", "key-md5": "TUQ1"}
    source = {f"x-cos-copy-source-server-side-encryption-customer-{name}": value for name, value in customer.items()}
    answer = await bench.copy_part("measured/x", headers={"x-cos-copy-source-range": "", **source})
    assert answer.status == 200, answer.body
    sent = dict(bench.upstream.requests[0][0].headers)
    for name, value in customer.items():
        assert sent[f"x-cos-server-side-encryption-customer-{name}".encode()] == value.encode()
    assert "S0VZ" not in str(bench.audit.events)


async def test_every_key_of_a_batch_delete_is_judged() -> None:
    bench = Bench(ScriptedResponse(pieces=(b"<DeleteResult/>",)))
    body = b"<Delete><Object><Key>up/a</Key></Object><Object><Key>admin/b</Key></Object></Delete>"
    narrow = Bench(
        policy="""
version: 1
statements:
  - id: bucket
    effect: allow
    principals: ["team:test"]
    actions: ["cos:DeleteMultipleObjects"]
    resource: {bucket: dst-1250000000, key: "up/*"}
"""
    )
    answer = await narrow.ask("POST", "/", {"delete": ""}, body=body)
    assert (answer.status, answer.element("Code")) == (403, "AccessDenied")
    assert narrow.upstream.requests == []
    allowed = await bench.ask("POST", "/", {"delete": ""}, body=body)
    assert allowed.status == 200
    assert bench.upstream.requests[0][1] == body


async def test_an_upload_is_streamed_with_the_length_that_was_declared() -> None:
    bench = Bench(ScriptedResponse(pieces=()))
    answer = await bench.ask(body=[b"one", b"two"])
    assert answer.status == 200
    [(request, body)] = bench.upstream.requests
    assert body == b"onetwo"
    assert dict(request.headers)[b"content-length"] == b"6"


async def test_a_key_travels_byte_for_byte() -> None:
    bench = Bench(ScriptedResponse(pieces=()), policy=POLICY.replace('key: "up/*"}', 'key: "*"}'))
    await bench.ask("GET", "/up/./a//b+c %41/中.txt")
    [(request, _)] = bench.upstream.requests
    assert request.path == "/up/./a//b+c %41/中.txt".encode()
    assert request.target == b"/up/.%2Fa//b%2Bc%20%2541/%E4%B8%AD.txt"


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (UpstreamUnreachable("refused", sent=False), 503, "ServiceUnavailable"),
        (UpstreamTimeout("no answer", sent=True), 504, "GatewayTimeout"),
        (UpstreamBroken("garbage", sent=True), 502, "BadGateway"),
    ],
    ids=["unreachable", "timeout", "broken"],
)
async def test_a_failing_upstream_is_a_clear_error(failure: Exception, status: int, code: str) -> None:
    bench = Bench(failure)
    answer = await bench.ask("DELETE")
    assert (answer.status, answer.element("Code")) == (status, code)
    assert answer.headers[b"x-cos-request-id"] == b"request-id"
    assert bench.audit.of_type("outcome")[0]["result"] == "refused"


async def test_a_part_copy_is_tried_again_when_the_connection_broke() -> None:
    bench = Bench(UpstreamBroken("reset", sent=True), ScriptedResponse())
    assert (await bench.copy_part()).status == 200
    assert len(bench.upstream.requests) == 2


async def test_a_streamed_upload_is_never_sent_twice() -> None:
    bench = Bench(UpstreamBroken("reset", sent=True), ScriptedResponse())
    assert (await bench.ask(body=b"data")).status == 502
    assert len(bench.upstream.requests) == 1


async def test_a_complete_is_not_repeated_once_it_was_sent() -> None:
    bench = Bench(UpstreamBroken("reset", sent=True), ScriptedResponse())
    body = b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>a</ETag></Part></CompleteMultipartUpload>"
    assert (await bench.ask("POST", query={"uploadId": "u1"}, body=body)).status == 502
    assert len(bench.upstream.requests) == 1


async def test_more_at_once_than_allowed_is_slow_down() -> None:
    bench = Bench(max_requests=0)
    answer = await bench.copy_part()
    assert (answer.status, answer.element("Code")) == (503, "SlowDown")
    assert bench.upstream.requests == []


async def test_places_are_given_back() -> None:
    bench = Bench(max_requests=1)
    for _ in range(3):
        assert (await bench.copy_part()).status == 200
    assert bench.in_flight.count == 0


async def test_every_error_has_what_sdks_look_for() -> None:
    answer = await Bench().copy_part("private/x")
    for name in ("Code", "Message", "Resource", "RequestId", "TraceId"):
        assert answer.element(name)
    assert answer.headers[b"x-cos-request-id"]
    assert answer.headers[b"date"].endswith(b"GMT")
    assert answer.headers[b"content-type"] == b"application/xml"


async def test_a_head_that_is_refused_has_no_body() -> None:
    answer = await Bench().ask("HEAD", "/admin/x")
    assert (answer.status, answer.body) == (403, b"")


async def test_an_unexpected_failure_refuses_and_sends_nothing() -> None:
    class FailingKeys:
        def find(self, access_key_id: str) -> AccessKey | None:
            raise RuntimeError("a fault nobody thought of")

    bench = Bench()
    bench.pipeline._authenticator._keys = FailingKeys()
    answer = await bench.copy_part()
    assert (answer.status, answer.element("Code")) == (500, "InternalError")
    assert b"nobody thought of" not in answer.body
    assert bench.credentials.opened == 0
    assert bench.upstream.requests == []


async def test_the_loop_stays_awake_for_who_has_one_request_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    class Poller:
        def __init__(self) -> None:
            self._name = "response" if said else "request"
            said.append(f"made {self._name}")

        def expect(self) -> None:
            said.append(f"expect {self._name}")

        def arrived(self) -> None:
            said.append(f"arrived {self._name}")

    monkeypatch.setattr("gateway.pipeline.BusyPoller", Poller)
    bench = Bench()
    bench.upstream.before_answer = lambda: said.append("sent")
    said.clear()
    await bench.copy_part()
    assert said == ["arrived request", "expect response", "sent", "arrived response", "expect request"]
    said.clear()
    bench.in_flight.admit("team:another")
    await bench.copy_part()
    assert said == ["arrived request", "sent", "arrived response"]
