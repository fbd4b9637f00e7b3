"""What the gateway makes of a COS that fails: the caller always learns the truth, once.

Each fault is real: the embedded COS delays, refuses, cuts or adds bytes on its own socket. Every test has its
control, the same request without the fault. Sources: reference page §0.4, §3.4; threat model C11, fault plan.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emulator.faults import Action, ErrorInside200, ExtraBytes, FaultRule, Refuse, Reset, Truncate
from tests.support.client import target
from tests.support.expect import assert_common_headers, assert_error, assert_success
from tests.support.http1 import MalformedAnswer, Response
from tests.support.names import EXAMPLE, SOURCE
from tests.support.site import Site, fresh_key, part_etag, pattern, quoted_md5
from tests.support.watch import Watch

CONTENT = pattern(200_000, seed=53)


@pytest.fixture
def cos(gateway_site: Site) -> Iterator[Site]:
    """The gateway; faults end with the test."""
    yield gateway_site
    gateway_site.emulator.emulator.faults.clear()


def fail(cos: Site, action: Action, operation: str, *, times: int | None = None) -> None:
    cos.emulator.emulator.faults.add(FaultRule(action, operation=operation, times=times))


async def part_copy(cos: Site) -> Response:
    upload = await cos.initiate()
    return await cos.copy_part(upload, SOURCE.source(await cos.seed(SOURCE, CONTENT)))


async def object_copy(cos: Site) -> Response:
    source = SOURCE.source(await cos.seed(SOURCE, CONTENT))
    return await cos.call("PUT", EXAMPLE, fresh_key("copy"), headers=[("x-cos-copy-source", source)])


async def complete(cos: Site) -> Response:
    upload = await cos.initiate()
    etag = (await cos.upload_part(upload, 1, CONTENT)).header("etag") or ""
    return await cos.complete(upload, [(1, etag)])


@pytest.mark.parametrize("code", ["InternalError", "SlowDown", "ServiceUnavailable", "NoSuchKey"])
@pytest.mark.parametrize(
    ("operation", "ask"),
    [("UploadPartCopy", part_copy), ("PutObjectCopy", object_copy), ("CompleteMultipartUpload", complete)],
    ids=["UploadPartCopy", "PutObjectCopy", "CompleteMultipartUpload"],
)
async def test_an_error_inside_a_200_becomes_a_real_error(cos: Site, operation: str, ask: object, code: str) -> None:
    assert callable(ask)
    assert_success(await ask(cos))
    fail(cos, ErrorInside200(code), operation)
    answer = await ask(cos)
    assert answer.status >= 400, answer
    assert_error(answer, answer.status, code)
    assert (answer.status >= 500) == (code != "NoSuchKey")


@pytest.mark.parametrize(
    ("code", "status"),
    [("SlowDown", 503), ("ServiceUnavailable", 503), ("InternalError", 500), ("NoSuchKey", 404), ("AccessDenied", 403)],
)
async def test_an_error_of_cos_is_relayed_as_it_is(cos: Site, code: str, status: int) -> None:
    fail(cos, Refuse(code), "UploadPartCopy")
    assert_error(await part_copy(cos), status, code)


@pytest.mark.parametrize("code", ["SignatureDoesNotMatch", "InvalidAccessKeyId", "RequestTimeTooSkewed"])
async def test_what_cos_says_about_the_gateways_own_signature_is_not_the_callers_business(cos: Site, code: str) -> None:
    fail(cos, Refuse(code, "about AKIDserver"), "UploadPartCopy")
    answer = await part_copy(cos)
    assert answer.status in (502, 503), answer
    assert_error(answer, answer.status, "ServiceUnavailable", "BadGateway")
    assert b"AKIDserver" not in answer.body


async def test_a_copy_whose_answer_is_lost_is_sent_again_or_reported(cos: Site) -> None:
    # A part copy replaces itself: sending it twice is safe, losing it silently is not.
    fail(cos, Reset(), "UploadPartCopy", times=1)
    answer = await part_copy(cos)
    if answer.status == 200:
        assert part_etag(answer) == quoted_md5(CONTENT)
    else:
        assert answer.status in (502, 503, 504), answer
        assert_common_headers(answer)


async def test_an_upload_whose_answer_is_lost_is_reported_and_not_sent_again(cos: Site) -> None:
    upstream = Watch(cos)
    fail(cos, Reset(), "PutObject")
    answer = await cos.put(EXAMPLE, fresh_key(), CONTENT)
    assert answer.status in (502, 503, 504), answer
    assert_error(answer, answer.status, "BadGateway", "ServiceUnavailable", "GatewayTimeout")
    assert [entry.operation for entry in upstream.new()] == ["PutObject"]


@pytest.mark.parametrize("fault", [Truncate(100_000), Reset(100_000)], ids=["closed", "reset"])
async def test_a_download_that_is_cut_is_seen_to_be_cut(cos: Site, fault: Action) -> None:
    key = await cos.seed(EXAMPLE, CONTENT)
    assert (await cos.get(EXAMPLE, key)).body == CONTENT
    fail(cos, fault, "GetObject")
    with pytest.raises((MalformedAnswer, ConnectionError)):
        await cos.get(EXAMPLE, key)


async def test_bytes_after_an_answer_never_answer_the_next_caller(cos: Site) -> None:
    poison = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
    key = await cos.seed(EXAMPLE, CONTENT)
    fail(cos, ExtraBytes(poison), "HeadObject")
    for _ in range(5):
        assert (await cos.head(EXAMPLE, key)).header("content-length") == str(len(CONTENT))
        answer = await cos.client.send("GET", EXAMPLE.host, target(key))
        assert answer.body == CONTENT
