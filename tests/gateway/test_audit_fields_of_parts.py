"""What audit events say of the parts of one upload: of each the same as if it had been the only one."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from cos.address import Domains, parse_address
from cos.calls import UploadPartCopy, read_call
from cos.operations import find_operation
from cos.request import read_request
from cos.signing import Scheme
from cos.values import Bucket
from gateway.asked import Ends, access_request
from gateway.audit_fields import MAX_UPLOADS, _ending, _fields, _uploads, described
from gateway.client_certificates import ClientCertificate
from gateway.context import Context
from policies.decision import Amendment, Decision, Verdict
from policies.request import Caller, Facts, Resource
from tests.support.fakes import FakeBuckets

DOMAINS = Domains(gateway=("gateway.test",))
ALLOWED = Decision(Verdict.ALLOW, "v1", "copy", "test.yaml")
SOURCE = "src-1250000000.cos.ap-guangzhou.myqcloud.com/public/big.bin"


def part(
    *,
    number: int = 1,
    upload: str = "u1",
    key: str = "up/film.mov",
    source: str = SOURCE,
    span: str = "bytes=0-1048575",
    headers: dict[str, str] | None = None,
) -> Context:
    """A judged copy of a part."""
    fields = {
        "host": "dst-1250000000.cos.ap-guangzhou.myqcloud.com",
        "x-cos-copy-source": source,
        "x-cos-copy-source-range": span,
        **(headers or {}),
    }
    target = f"/{key}?partNumber={number}&uploadId={upload}".encode()
    request = read_request("PUT", target, [(name.encode(), value.encode()) for name, value in fields.items()])
    address = parse_address(request.host, request.target.path, DOMAINS)
    operation = find_operation(request, address.level)
    call = read_call(request, address, operation, DOMAINS)
    context = Context(
        f"request-{number}", "192.0.2.7", request=request, address=address, operation=operation, call=call
    )
    context.scheme, context.caller = Scheme.Q_SIGN, Caller("team:test", "AK1", address="192.0.2.7")
    ask(context)
    context.decided(ALLOWED)
    return context


def ask(context: Context, *, now: float = 1_800_000_000.25) -> None:
    """Leave in a context what steps 7 and 8 of the pipeline do."""
    request, caller, call = context.request, context.caller, context.call
    assert request is not None
    assert caller is not None
    assert isinstance(call, UploadPartCopy)
    address, copied = call.address, call.source
    bucket = context.bucket = FakeBuckets().find(address.bucket or Bucket(""))
    source_bucket = context.source_bucket = FakeBuckets().find(copied.bucket)
    assert bucket is not None
    assert source_bucket is not None
    resource = Resource(address.bucket, address.key, bucket.region)
    source = Resource(copied.bucket, copied.key, source_bucket.region, copied.version_id)
    ends = Ends(bucket, bucket.region, resource, source_bucket, source_bucket.region, source)
    context.asked = access_request(request, caller, call, ends, now=now)


def certified() -> Context:
    context = part()
    context.certificate = ClientCertificate("CN=a", "01", "ab", (), 0, 1)
    return context


def from_elsewhere() -> Context:
    context = part()
    context.client_address = "192.0.2.8"
    return context


def signed_otherwise() -> Context:
    context = part()
    context.scheme = Scheme.SIGV4
    return context


def tried() -> Context:
    context = part()
    context.dry_run = True
    return context


def by(caller: Caller) -> Context:
    context = part()
    context.caller = caller
    ask(context, now=1_800_000_000)
    return context


def judged(decision: Decision) -> Context:
    context = part()
    context.decided(decision)
    return context


def measured(facts: Facts) -> Context:
    context = part()
    assert context.asked is not None
    context.asked = replace(context.asked, facts=facts)
    return context


OTHERS: dict[str, Callable[[], Context]] = {
    "another part": lambda: part(number=9999, span="bytes=1048576-1048576"),
    "the whole source": lambda: part(span=""),
    "another upload": lambda: part(upload="u2"),
    "another destination": lambda: part(key="up/other"),
    "a key beyond ASCII": lambda: part(key="up/%E7%89%87%25s%7B%7D%22"),
    "a source of another key": lambda: part(source=SOURCE + "2"),
    "a source of another bucket": lambda: part(source=SOURCE.replace("src-", "dst-")),
    "a version of the source": lambda: part(source=SOURCE + "?versionId=v1"),
    "a condition": lambda: part(headers={"x-cos-copy-source-if-match": '"e"'}),
    "a control header": lambda: part(headers={"x-cos-acl": "private"}),
    "a storage class": lambda: part(headers={"x-cos-storage-class": "ARCHIVE"}),
    "another storage class": lambda: part(headers={"x-cos-storage-class": "STANDARD"}),
    "an encryption": lambda: part(headers={"x-cos-server-side-encryption": "AES256"}),
    "a certificate": certified,
    "another client": from_elsewhere,
    "another scheme": signed_otherwise,
    "a dry run": tried,
    "another principal": lambda: by(Caller("team:other", "AK1", address="192.0.2.7")),
    "another key": lambda: by(Caller("team:test", "AK2", address="192.0.2.7")),
    "a session": lambda: by(Caller("team:test", "AK1", address="192.0.2.7", parent="AK0")),
    "a session of another key": lambda: by(Caller("team:test", "AK1", address="192.0.2.7", parent="AK9")),
    "another verdict": lambda: judged(replace(ALLOWED, verdict=Verdict.DENY)),
    "another version": lambda: judged(replace(ALLOWED, version="v2")),
    "another document": lambda: judged(replace(ALLOWED, document="other.yaml")),
    "another statement": lambda: judged(replace(ALLOWED, statement_id="other")),
    "an amendment": lambda: judged(replace(ALLOWED, amendments=(Amendment("acl", "private", "enforce"),))),
    "a measured size": lambda: measured(Facts(measured=True, source_size_bytes=5)),
    "another measured size": lambda: measured(Facts(measured=True, source_size_bytes=6)),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_part_is_described_as_if_no_other_had_been(name: str) -> None:
    _uploads.clear()
    for context in (part(), OTHERS[name](), part(number=3), OTHERS[name]()):
        alone = _ending(_fields(context, judged=True))
        assert described(context) == alone
        assert described(context) == alone, "the second time from memory"


def test_a_part_that_was_not_judged_says_no_decision() -> None:
    described(part())
    context = part()
    context.asked = context.decision = context.decision_id = None
    assert json.loads(b"{" + described(context)[1:]).keys().isdisjoint({"asked", "policy", "decision_id"})
    assert "asked" not in json.loads(b"{" + described(part(), judged=False)[1:])


def test_a_bounded_number_of_uploads_is_remembered() -> None:
    _uploads.clear()
    for number in range(MAX_UPLOADS):
        described(part(upload=f"u{number}"))
    assert len(_uploads) == MAX_UPLOADS
    described(part(upload="more"))
    assert len(_uploads) == 1
