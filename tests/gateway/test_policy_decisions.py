"""What policy demands on the wire: pinned sources, measured uploads, told reasons, statements on trial."""

from __future__ import annotations

from typing import Any

import pytest

from policies.decision import ReasonDetail, Verdict
from policies.loading import DocumentSource, load_policies
from policies.nodes import nodes_of
from policies.reader import Reader
from policies.request import AccessRequest
from policies.written import read_request
from tests.support.fakes import COPY_RESULT, POLICY, Bench, ScriptedResponse

PINNED = """
version: 1
statements:
  - id: pinned
    effect: allow
    principals: ["team:test"]
    actions: ["cos:UploadPartCopy", "cos:PutObjectCopy"]
    source: {bucket: src-1250000000}
    destination: {bucket: dst-1250000000}
    when: {source_conditions: {pin: etag}}
"""
MEASURED = ScriptedResponse(200, [(b"content-length", b"9000000"), (b"etag", b'"e1"')], ())
COPIED = ScriptedResponse(200, [(b"content-type", b"application/xml")], (COPY_RESULT,))


def read(asked: dict[str, Any]) -> AccessRequest:
    reader = Reader("audit")
    request = read_request(reader, nodes_of(asked), "")
    assert request is not None
    assert reader.errors == []
    return request


# --- amendments --------------------------------------------------------------------------------------------


async def test_a_pinned_copy_carries_the_measured_etag_signed_and_audited() -> None:
    bench = Bench(MEASURED, COPIED, policy=PINNED)
    answer = await bench.copy_part()
    assert answer.status == 200, answer.body
    [(head, _), (sent, _)] = bench.upstream.requests
    assert (head.method, sent.method) == ("HEAD", "PUT")
    headers = dict(sent.headers)
    assert headers[b"x-cos-copy-source-if-match"] == b'"e1"'
    assert b"x-cos-copy-source-if-match" in headers[b"authorization"]
    [intent] = bench.audit.of_type("intent")
    assert intent["policy"]["added"] == {"copy-source-if-match": '"e1"'}


async def test_a_callers_own_etag_is_left_and_nothing_is_measured() -> None:
    bench = Bench(COPIED, policy=PINNED)
    answer = await bench.copy_part(headers={"x-cos-copy-source-if-match": '"mine"'})
    assert answer.status == 200
    [(sent, _)] = bench.upstream.requests
    assert [value for name, value in sent.headers if name == b"x-cos-copy-source-if-match"] == [b'"mine"']
    [intent] = bench.audit.of_type("intent")
    assert "added" not in intent["policy"]


@pytest.mark.parametrize(
    ("condition", "value"),
    [
        ("if-none-match", '"x"'),
        ("if-modified-since", "Mon, 04 Sep 2017 04:45:45 GMT"),
        ("if-match", "*"),
        ("if-match", '"a", "b"'),
    ],
)
async def test_what_cannot_be_pinned_safely_is_refused(condition: str, value: str) -> None:
    bench = Bench(policy=PINNED)
    answer = await bench.copy_part(headers={f"x-cos-copy-source-{condition}": value})
    assert answer.status == 403
    assert "source_conditions.pin" in answer.element("Message")
    assert bench.upstream.requests == []


@pytest.mark.parametrize("etag", [None, b"", b'"a,b"', b'"*"', b'"a\x01"'], ids=repr)
async def test_a_source_without_a_usable_etag_is_not_copied(etag: bytes | None) -> None:
    headers = [(b"content-length", b"9")] + ([(b"etag", etag)] if etag is not None else [])
    bench = Bench(ScriptedResponse(200, headers, ()), policy=PINNED)
    answer = await bench.copy_part()
    assert answer.status == 403
    assert [request.method for request, _ in bench.upstream.requests] == ["HEAD"]


async def test_beside_if_unmodified_since_the_etag_is_added() -> None:
    bench = Bench(MEASURED, COPIED, policy=PINNED)
    date = "Mon, 04 Sep 2017 04:45:45 GMT"
    assert (await bench.copy_part(headers={"x-cos-copy-source-if-unmodified-since": date})).status == 200
    headers = dict(bench.upstream.requests[1][0].headers)
    assert headers[b"x-cos-copy-source-if-match"] == b'"e1"'
    assert headers[b"x-cos-copy-source-if-unmodified-since"] == date.encode()


# --- total size --------------------------------------------------------------------------------------------

SIZED = """
version: 1
statements:
  - id: up-to-10-bytes
    effect: allow
    principals: ["team:test"]
    actions: ["cos:CompleteMultipartUpload", "cos:PutObject"]
    resource: {bucket: dst-1250000000}
    when: {object_size: 10}
"""


def listing(parts: dict[int, tuple[str, int]], *, next_marker: int | None = None) -> ScriptedResponse:
    rows = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>&quot;{etag}&quot;</ETag><Size>{size}</Size></Part>"
        for number, (etag, size) in parts.items()
    )
    more = f"<NextPartNumberMarker>{next_marker}</NextPartNumberMarker>" if next_marker is not None else ""
    truncated = "true" if next_marker is not None else "false"
    body = f"<ListPartsResult>{rows}{more}<IsTruncated>{truncated}</IsTruncated></ListPartsResult>"
    return ScriptedResponse(200, [], (body.encode(),))


COMPLETED = ScriptedResponse(
    200, [], (b'<CompleteMultipartUploadResult><ETag>"x"</ETag></CompleteMultipartUploadResult>',)
)


def completion(*parts: tuple[int, str]) -> bytes:
    rows = "".join(f'<Part><PartNumber>{n}</PartNumber><ETag>"{etag}"</ETag></Part>' for n, etag in parts)
    return f"<CompleteMultipartUpload>{rows}</CompleteMultipartUpload>".encode()


async def complete(bench: Bench, *parts: tuple[int, str]) -> Any:
    return await bench.ask("POST", "/up/a", {"uploadId": "u1"}, body=completion(*parts))


@pytest.mark.parametrize(("second", "status"), [(5, 200), (6, 403)])
async def test_the_parts_of_a_completion_are_measured_together(second: int, status: int) -> None:
    bench = Bench(listing({1: ("a", 5), 2: ("b", second), 3: ("unused", 99)}), COMPLETED, policy=SIZED)
    answer = await complete(bench, (1, "a"), (2, "b"))
    assert answer.status == status, answer.body
    methods = [request.method for request, _ in bench.upstream.requests]
    assert methods == (["GET", "POST"] if status == 200 else ["GET"])
    measured = read(bench.audit.of_type("outcome")[0]["asked"])
    assert measured.facts.upload_size_bytes == 5 + second
    if status == 403:
        assert "object_size.max" in answer.element("Message")


async def test_parts_are_listed_page_by_page() -> None:
    pages = (listing({1: ("a", 5)}, next_marker=1), listing({2: ("b", 5)}))
    bench = Bench(*pages, COMPLETED, policy=SIZED)
    assert (await complete(bench, (1, "a"), (2, "b"))).status == 200
    targets = [request.target for request, _ in bench.upstream.requests]
    assert targets[0] == b"/up/a?uploadId=u1&max-parts=1000&part-number-marker=0"
    assert targets[1] == b"/up/a?uploadId=u1&max-parts=1000&part-number-marker=1"


@pytest.mark.parametrize("parts", [((1, "other"),), ((2, "a"),), ((1, "a"), (2, "b"))], ids=str)
async def test_a_part_that_is_not_as_named_is_an_invalid_part(parts: Any) -> None:
    bench = Bench(listing({1: ("a", 1)}), policy=SIZED)
    answer = await complete(bench, *parts)
    assert (answer.status, answer.element("Code")) == (400, "InvalidPart")
    assert len(bench.upstream.requests) == 1


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (ScriptedResponse(404, [], ()), 404, "NoSuchUpload"),
        (ScriptedResponse(500, [], ()), 502, "BadGateway"),
        (ScriptedResponse(200, [], (b"<Other/>",)), 502, "BadGateway"),
        (ScriptedResponse(200, [], (b"not xml",)), 502, "BadGateway"),
        (listing({1: ("a", -5)}), 502, "BadGateway"),
        (listing({1: ("a", 1)}, next_marker=1), 502, "BadGateway"),
    ],
    ids=["no upload", "failure", "another document", "no document", "negative size", "endless pages"],
)
async def test_an_upload_that_cannot_be_measured_is_not_completed(
    answer: ScriptedResponse, status: int, code: str
) -> None:
    bench = Bench(answer, policy=SIZED)
    found = await complete(bench, (1, "a"))
    assert (found.status, found.element("Code")) == (status, code)
    assert not [request for request, _ in bench.upstream.requests if request.method == "POST"]


@pytest.mark.parametrize(("length", "status"), [(10, 200), (11, 403)])
async def test_an_uploads_declared_length_is_judged(length: int, status: int) -> None:
    bench = Bench(ScriptedResponse(200, [], ()), policy=SIZED)
    assert (await bench.ask(body=b"x" * length)).status == status


# --- reasons -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("detail", "message"),
    [
        (ReasonDetail.FULL, "Access Denied: source.key: 'private/x' asked, expected public/*."),
        (ReasonDetail.RULE, "Access Denied: source.key."),
        (ReasonDetail.NONE, "Access Denied."),
    ],
    ids=str,
)
async def test_a_denial_tells_what_the_settings_let_it(detail: ReasonDetail, message: str) -> None:
    bench = Bench(reason_detail=detail)
    answer = await bench.copy_part("private/x")
    assert answer.element("Message").startswith(message.rstrip("."))
    [outcome] = bench.audit.of_type("outcome")
    assert outcome["reason"].startswith("source.key: ")
    if detail is not ReasonDetail.FULL:
        assert answer.element("Message") == message


@pytest.mark.parametrize(
    ("detail", "status", "code"), [(ReasonDetail.FULL, 404, "NoSuchKey"), (ReasonDetail.NONE, 403, "AccessDenied")]
)
async def test_whether_a_measured_source_exists_is_told_only_with_reasons(
    detail: ReasonDetail, status: int, code: str
) -> None:
    bench = Bench(ScriptedResponse(404, [], ()), reason_detail=detail)
    answer = await bench.copy_part("measured/x", headers={"x-cos-copy-source-range": None})
    assert (answer.status, answer.element("Code")) == (status, code)


# --- shadow ------------------------------------------------------------------------------------------------

TRIAL = """
  - id: trial
    effect: deny
    mode: shadow
    principals: ["team:test"]
    actions: ["cos:UploadPartCopy"]
    source: {bucket: "*"}
    destination: {bucket: "*"}
"""


async def test_a_shadow_statement_is_counted_and_audited_and_refuses_nothing() -> None:
    bench = Bench(policy=POLICY + TRIAL)
    assert (await bench.copy_part()).status == 200
    [outcome] = bench.audit.of_type("outcome")
    assert outcome["policy"]["verdict"] == "allow"
    assert outcome["rehearsed"] == "deny"
    assert [(item["statement"], item["matched"]) for item in outcome["shadow"]] == [("trial", True)]
    labels = {"document": "test.yaml", "statement": "trial", "effect": "deny", "matched": "true"}
    assert bench.telemetry.registry.get_sample_value("cosgw_shadow_total", labels) == 1
    changes = {"verdict": "allow", "rehearsed": "deny"}
    assert bench.telemetry.registry.get_sample_value("cosgw_shadow_changes_total", changes) == 1


async def test_a_whole_document_on_trial_refuses_nothing() -> None:
    trial = "version: 1\nmode: shadow\nstatements:" + TRIAL.replace("    mode: shadow\n", "")
    policies = load_policies([DocumentSource("live.yaml", POLICY), DocumentSource("trial.yaml", trial)])
    bench = Bench()
    await bench.copy_part()
    asked = read(bench.audit.of_type("intent")[0]["asked"])
    decision = policies.decide(asked)
    assert (decision.verdict, decision.rehearsed) == (Verdict.ALLOW, Verdict.DENY)


# --- what is recorded --------------------------------------------------------------------------------------


async def test_the_recorded_request_is_decided_again_as_it_was() -> None:
    bench = Bench(MEASURED, COPIED)
    await bench.copy_part("measured/x", headers={"x-cos-copy-source-range": None})
    await bench.copy_part("private/x", headers={"x-cos-storage-class": "ARCHIVE", "x-cos-acl": "private"})
    policies = load_policies([DocumentSource("test.yaml", POLICY)])
    outcomes = bench.audit.of_type("outcome")
    assert len(outcomes) == 2
    for outcome in outcomes:
        decision = policies.decide(read(outcome["asked"]))
        assert (str(decision.verdict), decision.statement_id) == (
            outcome["policy"]["verdict"],
            outcome["policy"]["statement"],
        )
        assert outcome["reason"] == decision.reason
    assert outcomes[0]["asked"]["size"] == 9_000_000
    assert (outcomes[1]["asked"]["storage_class"], outcomes[1]["asked"]["headers"]) == (
        "ARCHIVE",
        ["acl", "copy-source", "copy-source-range", "storage-class"],
    )


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"x-cos-server-side-encryption": "AES256"}, "sse-cos"),
        ({"x-cos-server-side-encryption": "cos/kms"}, "sse-kms"),
        ({"x-cos-server-side-encryption": "other"}, "other"),
        ({"x-cos-server-side-encryption-customer-algorithm": "AES256"}, "sse-c"),
    ],
    ids=str,
)
async def test_encryption_is_read_from_the_headers(headers: dict[str, str], expected: str | None) -> None:
    bench = Bench()
    await bench.copy_part(headers=headers)
    assert bench.audit.of_type("intent")[0]["asked"].get("encryption") == expected


async def test_a_batch_records_the_keys_that_were_judged() -> None:
    bench = Bench()
    body = b"<Delete><Object><Key>a</Key></Object><Object><Key>b</Key><VersionId>v</VersionId></Object></Delete>"
    await bench.ask("POST", "/", {"delete": ""}, {}, body)
    [intent] = bench.audit.of_type("intent")
    assert intent["asked_keys"] == [["a", None], ["b", "v"]]
