"""A dry run is judged and explained exactly as the request would be, and nothing is sent."""

from __future__ import annotations

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from policies.decision import ReasonDetail
from tests.support.fakes import KEY_ID, KEY_SECRET, Bench

DRY = {"x-cos-gateway-dry-run": "true"}


async def test_what_would_be_allowed_is_said_to_be_and_nothing_is_sent() -> None:
    bench = Bench()
    answer = await bench.copy_part(headers=DRY)
    assert answer.status == 200
    assert answer.element("Verdict") == "allow"
    assert answer.element("Statement") == "copy"
    assert answer.element("DecisionId") == answer.headers[b"x-cosgw-decision-id"].decode()
    assert bench.upstream.requests == []
    assert bench.credentials.opened == 0
    assert bench.audit.of_type("intent") == []
    [outcome] = bench.audit.of_type("outcome")
    assert (outcome["dry_run"], outcome["policy"]["verdict"]) == (True, "allow")


async def test_what_would_be_refused_is_explained_with_200() -> None:
    bench = Bench()
    answer = await bench.copy_part("private/x", headers=DRY)
    real = await bench.copy_part("private/x")
    assert (answer.status, real.status) == (200, 403)
    assert answer.element("Verdict") == "deny"
    assert answer.element("Code") == "AccessDenied"
    assert answer.element("Reason") in real.element("Message")


async def test_a_fact_is_named_and_not_measured() -> None:
    bench = Bench()
    answer = await bench.copy_part("measured/x", headers={**DRY, "x-cos-copy-source-range": None})
    assert (answer.status, answer.element("Verdict"), answer.element("Needs")) == (200, "needs_facts", "source_size")
    assert bench.upstream.requests == []


async def test_a_signer_of_every_header_may_use_the_gateways_own_name() -> None:
    host = "dst-1250000000.cos.ap-guangzhou.myqcloud.com"
    request = AWSRequest("GET", f"https://{host}/up/film.mov", headers={"x-cosgw-dry-run": "true"})
    S3SigV4Auth(Credentials(KEY_ID, KEY_SECRET), "s3", "ap-guangzhou").add_auth(request)
    fields = [(name.lower().encode(), value.encode()) for name, value in request.headers.items()]
    bench = Bench()
    answer = await bench.exchange("GET", b"/up/film.mov", [(b"host", host.encode()), *fields], [])
    assert (answer.status, answer.element("Verdict"), answer.element("Statement")) == (200, "allow", "own")
    assert bench.upstream.requests == []


@pytest.mark.parametrize("name", ["x-cosgw-dry-run", "x-cos-gateway-dry-run"])
async def test_an_unsigned_header_does_not_make_a_dry_run(name: str) -> None:
    bench = Bench()
    answer = await bench.copy_part(tampered={name: "true"})
    assert (answer.status, answer.element("Code")) == (403, "AccessDenied")
    assert answer.element("HeadersNotSigned") == name
    assert bench.upstream.requests == []


@pytest.mark.parametrize("value", ["false", "1", "TRUE", "true,true"])
async def test_only_true_is_taken(value: str) -> None:
    bench = Bench()
    answer = await bench.copy_part(headers={"x-cos-gateway-dry-run": value})
    assert (answer.status, answer.element("Code")) == (400, "InvalidArgument")
    assert bench.upstream.requests == []


async def test_an_upload_is_judged_without_its_body_being_sent() -> None:
    bench = Bench()
    answer = await bench.ask(body=b"content", headers=DRY)
    assert (answer.status, answer.element("Verdict"), answer.element("Statement")) == (200, "allow", "own")
    assert bench.upstream.requests == []


async def test_a_batch_is_judged_up_to_the_first_key_that_is_refused() -> None:
    bench = Bench()
    body = b"<Delete><Object><Key>a</Key></Object></Delete>"
    answer = await bench.ask(
        "POST", "/", {"delete": ""}, DRY, body, host="src-1250000000.cos.ap-guangzhou.myqcloud.com"
    )
    assert answer.status == 200
    assert answer.element("Verdict") == "allow"
    assert bench.upstream.requests == []


async def test_dry_runs_are_counted_apart() -> None:
    bench = Bench()
    await bench.copy_part(headers=DRY)
    await bench.copy_part("private/x", headers=DRY)
    await bench.copy_part()
    registry = bench.telemetry.registry
    assert registry.get_sample_value("cosgw_dry_runs_total", {"verdict": "allow"}) == 1
    assert registry.get_sample_value("cosgw_dry_runs_total", {"verdict": "deny"}) == 1
    assert registry.get_sample_value("cosgw_decisions_total", {"verdict": "allow"}) == 1
    assert registry.get_sample_value("cosgw_decisions_total", {"verdict": "deny"}) is None


@pytest.mark.parametrize(
    ("detail", "reason"),
    [(ReasonDetail.FULL, "source.key: "), (ReasonDetail.RULE, "source.key"), (ReasonDetail.NONE, "")],
    ids=str,
)
async def test_a_dry_run_tells_no_more_than_a_denial(detail: ReasonDetail, reason: str) -> None:
    bench = Bench(reason_detail=detail)
    answer = await bench.copy_part("private/x", headers=DRY)
    assert answer.element("Reason").startswith(reason)
    assert (answer.element("Reason") == reason) is (detail is not ReasonDetail.FULL)
    assert answer.element("Verdict") == "deny"


async def test_the_header_is_no_control_header_to_policy() -> None:
    policy = """
version: 1
statements:
  - id: plain-copies
    effect: allow
    principals: ["team:test"]
    actions: ["cos:UploadPartCopy"]
    source: {bucket: src-1250000000}
    destination: {bucket: dst-1250000000}
    when: {headers: {forbid: ["gateway-*", "*dry-run*"]}}
"""
    bench = Bench(policy=policy)
    answer = await bench.copy_part(headers={"x-cos-gateway-dry-run": "true"})
    assert answer.element("Verdict") == "allow"
