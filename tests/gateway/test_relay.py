"""The answer's way back: what the client sees of an upstream that cannot be trusted."""

from __future__ import annotations

import pytest
import structlog

from gateway.ports import UpstreamBroken, UpstreamTimeout
from tests.support.fakes import COPY_RESULT, Answered, Bench, ScriptedResponse

ERROR = b"""<?xml version='1.0' encoding='utf-8' ?>
<Error><Code>%s</Code><Message>m</Message><Resource>/</Resource><RequestId>r</RequestId><TraceId>t</TraceId></Error>"""
COMPLETE_RESULT = (
    b"<CompleteMultipartUploadResult><Location>l</Location><Bucket>b</Bucket><Key>k</Key>"
    b'<ETag>"0-1"</ETag></CompleteMultipartUploadResult>'
)
COMPLETE_BODY = (
    b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>a</ETag></Part></CompleteMultipartUpload>"
)


async def complete(bench: Bench) -> Answered:
    return await bench.ask("POST", query={"uploadId": "u1"}, body=COMPLETE_BODY)


def outcome(bench: Bench) -> dict[str, object]:
    [event] = bench.audit.of_type("outcome")
    return event


@pytest.mark.parametrize(
    ("code", "status"),
    [(b"InternalError", 500), (b"SlowDown", 503), (b"PreconditionFailed", 412), (b"NeverHeardOf", 500)],
)
async def test_an_error_inside_a_200_becomes_a_real_error(code: bytes, status: int) -> None:
    bench = Bench(ScriptedResponse(pieces=(b"  \n", ERROR % code)))
    answer = await bench.copy_part()
    assert answer.status == status
    assert answer.element("Code") == code.decode()
    assert outcome(bench)["result"] == "failed"
    assert outcome(bench)["code"] == code.decode()


@pytest.mark.parametrize(
    "body",
    [b"", b"   ", b"<html>ok</html>", b"not xml", b"<CopyObjectResult/>"],
    ids=["empty", "space", "html", "text", "other"],
)
async def test_a_200_that_holds_no_result_is_not_a_success(body: bytes) -> None:
    bench = Bench(ScriptedResponse(pieces=(body,)))
    answer = await bench.copy_part()
    assert (answer.status, answer.element("Code")) == (502, "BadGateway")
    assert outcome(bench)["result"] == "failed"


async def test_a_result_is_relayed_without_the_keep_alive_before_it() -> None:
    bench = Bench(ScriptedResponse(headers=[(b"x-cos-copy-source-version-id", b"v1")], pieces=(b" ", COPY_RESULT)))
    answer = await bench.copy_part()
    assert (answer.status, answer.body) == (200, COPY_RESULT)
    assert answer.headers[b"x-cos-copy-source-version-id"] == b"v1"


async def test_a_slow_complete_is_held_until_its_result_is_known() -> None:
    bench = Bench(ScriptedResponse(pieces=(b" ", 0.05, b" ", 0.05, ERROR % b"InternalError")), hold_seconds=60)
    assert (await complete(bench)).status == 500


async def test_after_the_hold_keep_alive_white_space_is_relayed_as_it_comes() -> None:
    bench = Bench(ScriptedResponse(pieces=(b" ", 0.3, b" ", COMPLETE_RESULT)), hold_seconds=0.05)
    answer = await complete(bench)
    assert answer.status == 200
    assert answer.body == b"  " + COMPLETE_RESULT
    assert answer.complete
    assert outcome(bench)["result"] == "completed"


async def test_an_error_after_the_hold_is_relayed_and_audited_as_a_failure() -> None:
    bench = Bench(ScriptedResponse(pieces=(b" ", 0.3, ERROR % b"InternalError")), hold_seconds=0.05)
    answer = await complete(bench)
    assert answer.status == 200
    assert b"<Code>InternalError</Code>" in answer.body
    assert outcome(bench)["result"] == "failed"


@pytest.mark.parametrize(
    "rest", [(b"<html/>",), (UpstreamBroken("cut", sent=True),), ()], ids=["no result", "broken", "nothing"]
)
async def test_what_follows_the_hold_without_a_result_breaks_the_connection(
    rest: tuple[bytes | Exception, ...],
) -> None:
    bench = Bench(ScriptedResponse(pieces=(b" ", 0.3, *rest)), hold_seconds=0.05)
    answer = await complete(bench)
    assert answer.aborted
    assert not answer.complete
    assert outcome(bench)["result"] == "failed"


@pytest.mark.parametrize(
    "code",
    [b"SignatureDoesNotMatch", b"InvalidAccessKeyId", b"RequestTimeTooSkewed", b"ExpiredToken", b"InvalidToken"],
)
@pytest.mark.parametrize("status", [200, 403])
async def test_errors_about_our_own_credential_stay_here(code: bytes, status: int) -> None:
    bench = Bench(ScriptedResponse(status=status, pieces=(ERROR % code,)))
    answer = await bench.copy_part()
    assert (answer.status, answer.element("Code")) == (503, "ServiceUnavailable")
    assert code not in answer.body


@pytest.mark.parametrize("status", [200, 403])
async def test_a_clock_that_is_behind_is_our_trouble_and_not_the_callers(status: int) -> None:
    body = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
    with structlog.testing.capture_logs() as events:
        answer = await Bench(ScriptedResponse(status=status, pieces=(body,))).copy_part()
    assert (answer.status, answer.element("Code")) == (503, "ServiceUnavailable")
    assert b"expired" not in answer.body
    (event,) = [event for event in events if event["event"] == "upstream_refused_our_credential"]
    assert event["reason"] == "the clock here is behind"


async def test_another_denial_of_cos_is_relayed() -> None:
    body = b"<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>"
    answer = await Bench(ScriptedResponse(status=403, pieces=(body,))).copy_part()
    assert (answer.status, answer.body) == (403, body)


async def test_a_cos_error_is_relayed_byte_for_byte() -> None:
    body = ERROR % b"NoSuchUpload"
    bench = Bench(ScriptedResponse(status=404, headers=[(b"x-cos-request-id", b"theirs")], pieces=(body,)))
    answer = await bench.copy_part()
    assert (answer.status, answer.body) == (404, body)
    assert answer.headers[b"x-cos-request-id"] == b"theirs"
    assert outcome(bench)["upstream_request_id"] == "theirs"


@pytest.mark.parametrize(("status", "told"), [(301, 502), (302, 502), (307, 502), (308, 502), (500, 502), (503, 503)])
async def test_what_is_not_a_cos_answer_becomes_our_own_error(status: int, told: int) -> None:
    bench = Bench(ScriptedResponse(status=status, headers=[(b"location", b"http://evil.test/")], pieces=(b"<html/>",)))
    answer = await bench.ask("GET")
    assert answer.status == told
    assert answer.element("Code")
    assert b"location" not in answer.headers


async def test_a_304_is_relayed() -> None:
    bench = Bench(ScriptedResponse(status=304, headers=[(b"etag", b'"e"')], pieces=()))
    answer = await bench.ask("GET")
    assert (answer.status, answer.body, answer.headers[b"etag"]) == (304, b"", b'"e"')


async def test_an_endless_error_body_is_not_relayed() -> None:
    bench = Bench(ScriptedResponse(status=500, pieces=(b"x" * 65_536 for _ in range(10_000))))
    answer = await bench.ask("GET")
    assert answer.status == 502
    assert len(answer.body) < 1000


@pytest.mark.parametrize("failure", [UpstreamBroken("cut", sent=True), UpstreamTimeout("stalled", sent=True)], ids=repr)
async def test_a_download_that_breaks_is_visibly_broken(failure: Exception) -> None:
    bench = Bench(ScriptedResponse(headers=[(b"content-length", b"10")], pieces=(b"12345", failure)))
    answer = await bench.ask("GET")
    assert answer.status == 200
    assert answer.aborted
    assert not answer.complete
    assert outcome(bench)["result"] == "failed"


@pytest.mark.parametrize(
    "name",
    [b"set-cookie", b"connection", b"transfer-encoding", b"location", b"proxy-authenticate", b"date", b"alt-svc"],
)
async def test_fields_that_are_not_the_clients_business_stay_behind(name: bytes) -> None:
    bench = Bench(ScriptedResponse(headers=[(name, b"spoofed"), (b"etag", b'"e"')], pieces=(b"x",)))
    answer = await bench.ask("GET")
    assert answer.headers.get(name) != b"spoofed"
    assert answer.headers[b"etag"] == b'"e"'


async def test_a_response_without_request_id_gets_one() -> None:
    bench = Bench(ScriptedResponse(pieces=(b"x",)))
    assert (await bench.ask("GET")).headers[b"x-cos-request-id"] == b"request-id"


async def test_the_upstream_response_is_always_closed() -> None:
    for response in (
        ScriptedResponse(),
        ScriptedResponse(status=302),
        ScriptedResponse(pieces=(UpstreamBroken("cut", sent=True),)),
    ):
        bench = Bench(response)
        await bench.copy_part()
        assert response.closed
