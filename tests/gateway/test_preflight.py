"""CORS preflights: unsigned, answered by COS from the bucket's rules, and only where a policy lets anybody ask."""

from __future__ import annotations

import pytest

from tests.support.expect import assert_error
from tests.support.fakes import POLICY, Bench, ScriptedResponse
from tests.support.http1 import Response
from tests.support.names import ABSENT, CALLER_KEY, EXAMPLE, OVERSEAS
from tests.support.site import Site
from tests.support.watch import Watch

CORS = (
    b"<CORSConfiguration><CORSRule><AllowedOrigin>https://app.example.org</AllowedOrigin><AllowedMethod>PUT"
    b"</AllowedMethod><AllowedHeader>*</AllowedHeader><ExposeHeader>ETag</ExposeHeader></CORSRule></CORSConfiguration>"
)
ASKED = [
    ("origin", "https://app.example.org"),
    ("access-control-request-method", "PUT"),
    ("access-control-request-headers", "content-type,x-cos-acl"),
]


@pytest.fixture
async def nobody(gateway_site: Site) -> Site:
    answer = await gateway_site.call("PUT", EXAMPLE, query={"cors": ""}, body=CORS)
    assert answer.status == 200, answer
    return gateway_site.with_key(None)


def assert_allowed(answer: Response) -> None:
    assert answer.status == 200, answer
    assert answer.header("access-control-allow-origin") == "https://app.example.org"


async def test_a_preflight_is_answered_from_the_buckets_rules(nobody: Site) -> None:
    assert_allowed(await nobody.call("OPTIONS", EXAMPLE, "dir/目录", headers=ASKED))


@pytest.mark.parametrize(
    "query",
    [
        [("partNumber", "1"), ("uploadId", "u1")],
        [("q-sign-algorithm", "sha1"), ("q-signature", "0" * 40)],
        [("X-Amz-Signature", "0" * 64), ("X-Amz-Algorithm", "AWS4-HMAC-SHA256")],
    ],
    ids=["of a part", "of a presigned URL", "of an S3 presigned URL"],
)
async def test_the_query_of_the_request_to_follow_does_not_matter(nobody: Site, query: list[tuple[str, str]]) -> None:
    upstream = Watch(nobody)
    assert_allowed(await nobody.call("OPTIONS", EXAMPLE, "k", query=query, headers=ASKED))
    assert [entry.operation for entry in upstream.new()] == ["OptionsObject"]


async def test_the_buckets_root_is_asked_about_too(nobody: Site) -> None:
    assert_allowed(await nobody.call("OPTIONS", EXAMPLE, query={"prefix": "a"}, headers=ASKED))


async def test_a_signed_preflight_is_its_callers(nobody: Site) -> None:
    assert_allowed(await nobody.with_key(CALLER_KEY).call("OPTIONS", EXAMPLE, "k", headers=ASKED))


async def test_what_no_rule_allows_is_refused_by_cos(nobody: Site) -> None:
    assert_error(await nobody.call("OPTIONS", OVERSEAS, "k", headers=ASKED), 403, "AccessDenied")


async def test_a_bucket_that_is_not_ours_is_refused_and_nothing_sent(nobody: Site) -> None:
    upstream = Watch(nobody)
    assert_error(await nobody.call("OPTIONS", ABSENT, "k", headers=ASKED), 403, "AccessDenied")
    assert upstream.new() == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "DELETE"])
async def test_nothing_else_may_be_unsigned(nobody: Site, method: str) -> None:
    upstream = Watch(nobody)
    answer = await nobody.call(method, EXAMPLE, "k", query={"append": "", "position": "0"} if method == "POST" else {})
    assert answer.status == 403
    assert upstream.new() == []


ANYBODY = """
  - id: preflights
    effect: allow
    principals: ["anonymous"]
    actions: ["cos:*"]
    resource: {bucket: dst-1250000000, key: "up/*"}
"""


async def test_without_a_grant_a_preflight_is_refused_and_no_secret_opened() -> None:
    bench = Bench()
    answered = await bench.ask("OPTIONS", headers=dict(ASKED), sign_it=False)
    assert (answered.status, answered.element("Code")) == (403, "AccessDenied")
    assert (bench.upstream.requests, bench.credentials.opened) == ([], 0)


@pytest.mark.parametrize(("path", "status"), [("/up/a", 200), ("/down/a", 403)])
async def test_a_grant_to_anonymous_reaches_as_far_as_it_says(path: str, status: int) -> None:
    bench = Bench(ScriptedResponse(headers=[(b"content-length", b"0")], pieces=[]), policy=POLICY + ANYBODY)
    answered = await bench.ask("OPTIONS", path, headers=dict(ASKED), sign_it=False)
    assert answered.status == status
    assert bench.audit.of_type("outcome")[0]["principal"] == "anonymous"


async def test_a_grant_of_everything_to_anonymous_grants_no_unsigned_read() -> None:
    bench = Bench(policy=POLICY + ANYBODY)
    answered = await bench.ask("GET", "/up/a", sign_it=False)
    assert (answered.status, bench.upstream.requests) == (403, [])
