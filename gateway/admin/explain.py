"""`POST /policies/explain`: what the active documents would decide about a request, and why.

The request is written as the tests inside policy documents write it, and read by the same code. Where a registered
bucket lives need not be said.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as Table

from msgspec.structs import replace
from pydantic import Field

from cos.values import Bucket, Region
from gateway.admin.operations import Input
from gateway.admin.problems import FieldError, Kind, Refused
from gateway.credentials.views import View
from policies.decision import Decision, Effect, Fact, Mode, Verdict
from policies.explanation import Branch, CheckResult
from policies.explanation import explain as explained
from policies.loading import PolicySet
from policies.nodes import nodes_of
from policies.reader import Reader
from policies.request import AccessRequest, Narrows, Resource
from policies.written import read_request

MAX_TEXT = 2048


class End(Input):
    """A bucket, or an object in it."""

    bucket: str = Field(max_length=MAX_TEXT)
    key: str | None = Field(None, max_length=MAX_TEXT)
    region: str | None = Field(None, max_length=MAX_TEXT)
    """Left out: where the registry says the bucket is."""
    version: str | None = Field(None, max_length=MAX_TEXT)


class Explain(Input):
    """A request to be judged. An end is `bucket[/key][@region]` or its parts."""

    principal: str = Field(max_length=MAX_TEXT)
    """Who asks: `team:media`."""
    action: str = Field(max_length=MAX_TEXT)
    """`cos:UploadPartCopy`, `cos:GetObject`, …"""
    resource: str | End | None = None
    """Of what is not a copy."""
    source: str | End | None = None
    """Of a copy."""
    destination: str | End | None = None
    """Of a copy."""
    range: str | None = Field(None, max_length=MAX_TEXT)
    """`bytes=first-last`."""
    part_number: int | None = None
    size: int | str | None = None
    """Of the source: bytes, or a text such as `10GiB`; left out: not measured."""
    etag: str | None = Field(None, max_length=MAX_TEXT)
    """Of the source; left out: not measured."""
    length: int | str | None = None
    """Of the object or part in the body."""
    upload_size: int | str | None = None
    """Of the parts that a completion names; left out: not measured."""
    storage_class: str | None = Field(None, max_length=MAX_TEXT)
    """As the header names it."""
    encryption: str | None = Field(None, max_length=MAX_TEXT)
    """`sse-cos`, `sse-kms` or `sse-c`."""
    conditions: dict[str, str] | None = None
    """`if-match` and the like."""
    headers: list[str] | None = None
    """Control headers in use, without prefix: `acl`."""
    address: str | None = Field(None, max_length=MAX_TEXT)
    """The caller's network address."""
    time: str | None = Field(None, max_length=MAX_TEXT)
    """When it is asked, such as `2030-01-01T00:00:00Z`."""
    session_policy: str | None = Field(None, max_length=MAX_TEXT)
    """The JSON text of the session's own policy; left out: the caller has no session, or one without."""


class ViolationView(View):
    """Why a check failed."""

    rule: str
    """The rule's kind and parameter: `range.max`."""
    reason: str
    code: str
    """The error code a caller would be answered."""


class CheckView(View):
    """One end or rule of a statement."""

    name: str
    result: CheckResult
    rule: str | None
    """Null unless it failed."""
    reason: str | None


class StatementErrorView(View):
    """A statement that could not be judged: a fault of the gateway."""

    statement: str
    document: str
    error: str


class TraceView(View):
    """How one statement fared."""

    statement: str
    document: str
    line: int | None
    """Where it stands in its document."""
    effect: Effect
    mode: Mode
    matched: bool
    violation: ViolationView | None
    """The first check that failed; null when it matched."""
    checks: list[CheckView]
    """In the order they are made; none is left out."""


class DecisionView(View):
    """What would be decided, and the trace of the very evaluation that decided it."""

    verdict: Verdict
    reason: str
    version: str
    """Of the active documents."""
    document: str | None
    statement: str | None
    """The statement that decides; null: none allows it, and so it is denied."""
    needs: list[Fact]
    """What would have to be measured first."""
    adds: dict[str, str]
    """Control headers that a rule adds to the request, by name without prefix."""
    rehearsed: Verdict | None
    """The verdict if statements in shadow mode decided; null when none is about the request."""
    violations: list[ViolationView]
    errors: list[StatementErrorView]
    trace: list[TraceView]


def access_request(
    asked: Explain, regions: Table[Bucket, Region], narrowing: Callable[[str], Narrows]
) -> AccessRequest:
    """The request that is described. `regions` are those of the registered buckets. Raises Refused.

    `narrowing` reads the policy of a session, and raises PolicyErrors.
    """
    reader = Reader("request")
    request = read_request(reader, nodes_of(asked.model_dump(exclude_none=True)), "", narrowing=narrowing)
    if request is None or reader.errors:
        errors = [
            FieldError(
                field=error.path,
                message=f"found {error.found}, expected {error.expected}" + (f" ({error.hint})" if error.hint else ""),
            )
            for error in reader.errors
        ]
        raise Refused(Kind.INVALID, "The request to explain is not what it must be.", errors=errors)
    source = _placed(request.source, regions) if request.source is not None else None
    return replace(request, resource=_placed(request.resource, regions), source=source)


def view_decision(policy_set: PolicySet, decision: Decision) -> DecisionView:
    """A decision of `policy_set` as it is shown."""
    return DecisionView(
        verdict=decision.verdict,
        reason=decision.reason,
        version=decision.version,
        document=decision.document,
        statement=decision.statement_id,
        needs=sorted(decision.needs),
        adds={item.name: item.value for item in decision.amendments},
        rehearsed=decision.rehearsed,
        violations=[ViolationView(rule=item.rule, reason=item.reason, code=item.code) for item in decision.violations],
        errors=[
            StatementErrorView(statement=item.statement_id, document=item.document, error=item.error)
            for item in decision.errors
        ],
        trace=[_view_branch(branch) for branch in explained(policy_set, decision)],
    )


def _view_branch(branch: Branch) -> TraceView:
    trace = branch.trace
    failed = trace.violation
    return TraceView(
        statement=trace.statement_id,
        document=trace.document,
        line=branch.line,
        effect=trace.effect,
        mode=trace.mode,
        matched=trace.matched,
        violation=ViolationView(rule=failed.rule, reason=failed.reason, code=failed.code) if failed else None,
        checks=[
            CheckView(name=check.name, result=check.result, rule=check.rule or None, reason=check.reason or None)
            for check in branch.checks
        ],
    )


def _placed(resource: Resource, regions: Table[Bucket, Region]) -> Resource:
    if resource.region is not None or resource.bucket is None or resource.bucket not in regions:
        return resource
    return replace(resource, region=regions[resource.bucket])
