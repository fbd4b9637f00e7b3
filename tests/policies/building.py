"""Requests and documents for the tests of policies, in few words."""

from __future__ import annotations

import textwrap
from typing import Any, TypeVar

from cos.byte_range import ByteRange
from cos.conditions import CopyConditions
from cos.values import Bucket, ObjectKey, PartNumber, Region, VersionId
from policies.decision import Decision, Unknown, Violation
from policies.loading import DocumentSource, PolicySet, load_policies
from policies.problems import DocumentError, PolicyErrors
from policies.request import AccessRequest, Caller, Facts, Resource
from policies.rule import Rule

ValueT = TypeVar("ValueT")

MIB = 1024**2
GIB = 1024**3
RAW = "raw-1250000000"
MEDIA = "media-1250000000"


GOOD = """\
version: 1
description: a document
statements:
  - id: copy
    description: a statement
    effect: allow
    mode: enforce
    principals: [team:media]
    actions: [cos:UploadPartCopy]
    source:
      bucket: raw-1250000000
      key: [incoming/*, more/*]
      regions: [ap-guangzhou]
    destination:
      bucket: media-1250000000
    when:
      same_region: true
      range:
        min: 1MiB
        max: 1GiB
tests:
  - name: it works
    request:
      principal: team:media
      action: name/cos:UploadPartCopy
      source: raw-1250000000/incoming/a@ap-guangzhou
      destination: media-1250000000/a@ap-guangzhou
      range: bytes=0-1048575
    expect: allow
"""

SETS = """
    version: 1
    sets:
      principals: {editors: ["team:media", "app:*"]}
      buckets: {origins: [raw-1250000000, "old-*"]}
      regions: {south: [ap-guangzhou, ap-shenzhen-fsi]}
    statements:
      - id: a
        effect: allow
        principals: ["@editors"]
        actions: [cos:UploadPartCopy]
        source: {bucket: ["@origins", x-1250000000], regions: "@south"}
        destination: {bucket: media-1250000000}
"""


def end(
    bucket: str | None, key: str | None = "incoming/a", region: str | None = "ap-guangzhou", version: str | None = None
) -> Resource:
    return Resource(
        bucket=Bucket(bucket) if bucket is not None else None,
        key=ObjectKey(key) if key is not None else None,
        region=Region(region) if region is not None else None,
        version_id=VersionId(version) if version is not None else None,
    )


def copy(
    *,
    length: int | None = MIB,
    first: int = 0,
    size: int | None = None,
    measured: bool | None = None,
    source: Resource | None = None,
    destination: Resource | None = None,
    part: int | None = 1,
    conditions: CopyConditions | None = None,
    principal: str = "team:media",
    action: str = "cos:UploadPartCopy",
    **more: Any,
) -> AccessRequest:
    """A part copy from raw to media in ap-guangzhou; `length` None: without a range."""
    return AccessRequest(
        caller=Caller(principal, "AK"),
        action=action,
        resource=destination or end(MEDIA, "a"),
        source=source or end(RAW),
        part_number=PartNumber(part) if part is not None else None,
        byte_range=ByteRange(first, first + length - 1) if length is not None else None,
        conditions=conditions,
        facts=Facts(measured=size is not None if measured is None else measured, source_size_bytes=size),
        **more,
    )


def changed(value: ValueT, **changes: Any) -> ValueT:
    """The same value, but for the fields given."""
    return type(value)(**{name: getattr(value, name) for name in type(value).__annotations__} | changes)


def plain(action: str, resource: Resource, *, principal: str = "team:media", **more: Any) -> AccessRequest:
    """An operation with one end."""
    return AccessRequest(caller=Caller(principal, "AK"), action=action, resource=resource, **more)


def load(*texts: str) -> PolicySet:
    """Documents named a.yaml, b.yaml … from indented text."""
    return load_policies(
        [DocumentSource(f"{chr(97 + index)}.yaml", textwrap.dedent(text)) for index, text in enumerate(texts)]
    )


def errors_of(text: str) -> tuple[DocumentError, ...]:
    """What is wrong with a document; fails the test when nothing is."""
    try:
        load(text)
    except PolicyErrors as exc:
        return exc.errors
    raise AssertionError("expected the document to be refused")


def pair(
    name: str = "copy",
    *,
    effect: str = "allow",
    mode: str = "enforce",
    principals: str = '["team:media"]',
    source: str = f"{{bucket: {RAW}}}",
    destination: str = f"{{bucket: {MEDIA}}}",
    when: str = "{}",
) -> str:
    """One statement about part copies, for `document`."""
    return (
        f"- {{id: {name}, effect: {effect}, mode: {mode}, principals: {principals}, actions: ['cos:UploadPartCopy'], "
        f"source: {source}, destination: {destination}, when: {when}}}"
    )


def on(
    name: str = "read",
    *,
    actions: str = "['cos:GetObject']",
    resource: str = f"{{bucket: {RAW}}}",
    effect: str = "allow",
    principals: str = '["team:media"]',
    when: str = "{}",
) -> str:
    """One statement about a resource, for `document`."""
    return (
        f"- {{id: {name}, effect: {effect}, principals: {principals}, actions: {actions}, resource: {resource}, "
        f"when: {when}}}"
    )


def document(*statements: str) -> str:
    """A document of the statements given, each on one line."""
    return "version: 1\nstatements:\n" + "".join(f"  {statement}\n" for statement in statements)


def outcome_of(rule: Rule, request: AccessRequest) -> str:
    """`passes`, the violated rule's name, or `unknown <name> [fact]`."""
    match rule.check(request):
        case None:
            return "passes"
        case Violation() as violation:
            assert violation.reason
            return violation.rule
        case Unknown() as unknown:
            return f"unknown {unknown.violation.rule}" + (f" {unknown.fact}" if unknown.fact else "")


def decide(request: AccessRequest, *statements: str) -> Decision:
    """What a document of the statements answers."""
    return load(document(*statements)).decide(request)


def rules_of(decision: Decision) -> list[str]:
    """The names of the rules violated, in order."""
    return [violation.rule for violation in decision.violations]
