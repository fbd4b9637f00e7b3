"""Encryption and storage class are settled where an object begins: no upload begins, and so none is filled, without."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.fakes import COPY_RESULT, Answered, Bench, ScriptedResponse

ENCRYPTED = """
version: 1
statements:
  - id: objects
    effect: allow
    principals: ["team:test"]
    actions: ["cos:InitiateMultipartUpload", "cos:PutObject", "cos:AppendObject", "cos:UploadPart"]
    resource: {bucket: dst-1250000000}
    when: {encryption: {expected: require, methods: [sse-cos]}, storage_class: [STANDARD_IA]}
  - id: copies
    effect: allow
    principals: ["team:test"]
    actions: ["cos:PutObjectCopy", "cos:UploadPartCopy"]
    source: {bucket: src-1250000000}
    destination: {bucket: dst-1250000000}
    when: {encryption: {expected: require, methods: [sse-cos]}, storage_class: [STANDARD_IA]}
"""
BOTH = {"server-side-encryption": "AES256", "storage-class": "STANDARD_IA"}
STARTED = ScriptedResponse(
    200, [], (b"<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>",)
)
STORED = ScriptedResponse(200, [(b"etag", b'"e"')], ())
XML = [(b"content-type", b"application/xml")]
PART_COPIED = ScriptedResponse(200, XML, (COPY_RESULT,))
COPIED = ScriptedResponse(200, XML, (COPY_RESULT.replace(b"CopyPart", b"CopyObject"),))


async def start(bench: Bench, headers: dict[str, str]) -> Answered:
    return await bench.ask("POST", "/up/a", {"uploads": ""}, headers=headers)


async def put(bench: Bench, headers: dict[str, str]) -> Answered:
    return await bench.ask("PUT", "/up/a", headers=headers, body=b"x")


async def append(bench: Bench, headers: dict[str, str]) -> Answered:
    return await bench.ask("POST", "/up/a", {"append": "", "position": "0"}, headers=headers, body=b"x")


async def copy(bench: Bench, headers: dict[str, str]) -> Answered:
    source = {"x-cos-copy-source": "src-1250000000.cos.ap-guangzhou.myqcloud.com/public/a"}
    return await bench.ask("PUT", "/up/a", headers=source | headers)


BEGINNINGS = pytest.mark.parametrize(
    ("begin", "answer"),
    [
        pytest.param(start, STARTED, id="InitiateMultipartUpload"),
        pytest.param(put, STORED, id="PutObject"),
        pytest.param(append, STORED, id="AppendObject"),
        pytest.param(copy, COPIED, id="PutObjectCopy"),
    ],
)


@BEGINNINGS
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"server-side-encryption": None}, "encryption", id="not encrypted"),
        pytest.param({"server-side-encryption": ""}, "encryption", id="an empty header"),
        pytest.param({"server-side-encryption": "cos/kms"}, "encryption.methods", id="with another key"),
        pytest.param({"storage-class": None}, "storage_class", id="no class"),
        pytest.param({"storage-class": "STANDARD"}, "storage_class", id="another class"),
        pytest.param({"storage-class": "standard_ia"}, "storage_class", id="a class in small letters"),
    ],
)
async def test_no_object_begins_without_what_policy_demands(
    begin: Any, answer: ScriptedResponse, change: dict[str, str | None], reason: str
) -> None:
    bench = Bench(answer, policy=ENCRYPTED)
    given = {f"x-cos-{name}": value for name, value in {**BOTH, **change}.items() if value is not None}
    refused = await begin(bench, given)
    assert refused.status == 403, refused.body
    assert refused.element("Message").startswith(f"Access Denied: {reason}: ")
    assert bench.upstream.requests == []


@BEGINNINGS
async def test_an_object_begins_with_what_policy_demands(begin: Any, answer: ScriptedResponse) -> None:
    bench = Bench(answer, policy=ENCRYPTED)
    assert (await begin(bench, {f"x-cos-{name}": value for name, value in BOTH.items()})).status == 200
    [(sent, _)] = bench.upstream.requests
    headers = dict(sent.headers)
    for name, value in BOTH.items():
        assert headers[f"x-cos-{name}".encode()] == value.encode()
        assert f"x-cos-{name}".encode() in headers[b"authorization"]


async def test_headers_that_are_not_signed_do_not_count() -> None:
    bench = Bench(STARTED, policy=ENCRYPTED)
    unsigned = {f"x-cos-{name}": value for name, value in BOTH.items()}
    answer = await bench.ask("POST", "/up/a", {"uploads": ""}, tampered=unsigned)
    assert answer.status == 403
    assert bench.upstream.requests == []


async def test_parts_take_what_their_upload_began_with() -> None:
    bench = Bench(PART_COPIED, policy=ENCRYPTED)
    assert (await bench.copy_part()).status == 200
    [(sent, _)] = bench.upstream.requests
    assert not [name for name, _ in sent.headers if b"encryption" in name or b"storage-class" in name]
