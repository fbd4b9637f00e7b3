"""May they: the call as policy sees it, judged by the one evaluator. Steps 8 and 9 of a request.

Where a bucket lives is answered by the bucket registry and never by the caller's text; what is not
registered is refused, as the addressed bucket and as the source of a copy alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from cos.address import Address
from cos.calls import Call, ObjectCall, UploadPartCopy
from cos.documents import ObjectVersion
from cos.errors import COSError
from cos.request import Request
from cos.values import Bucket, Region
from gateway.context import Context
from gateway.facts import SourceFacts
from gateway.ports import BucketRecord, Buckets, Policies
from policies.decision import Decision, Verdict
from policies.request import AccessRequest, Caller, Resource


class Authorizer:
    """Resolves buckets, asks policy, and fetches facts when a rule asks for them."""

    def __init__(self, buckets: Buckets, policies: Policies, facts: SourceFacts) -> None:
        self._buckets = buckets
        self._policies = policies
        self._facts = facts

    def resolve(self, address: Address) -> BucketRecord | None:
        """The addressed bucket as registered; None for the service. Raises COSError(AccessDenied)."""
        if address.bucket is None:
            return None
        return self._find(address.bucket, address.region, what="bucket")

    def resolve_source(self, call: Call) -> BucketRecord | None:
        """The copy source's bucket as registered; None when nothing is copied. Raises COSError(AccessDenied)."""
        if isinstance(call, ObjectCall):
            return None
        return self._find(call.source.bucket, call.source.region, what="source bucket")

    async def authorize(self, context: Context, *, now: float) -> None:
        """Judge a resolved call and leave the decision in `context`.

        Raises COSError: AccessDenied with the reason and the decision id, or the code of the COS rule that
        was broken; NoSuchKey when a fact was needed and the source is not there.
        """
        asked = _access_request(context, now=now)
        decision = self._policies.decide(asked)
        if decision.verdict is Verdict.NEEDS_FACTS:
            facts = await self._facts.measure(context)
            decision = self._policies.decide(replace(asked, facts=facts))
        context.decided(decision)
        _enforce(context, decision)

    def authorize_deletes(self, context: Context, objects: Sequence[ObjectVersion], *, now: float) -> None:
        """Judge every key of a batch delete; one that is refused refuses the batch. Raises COSError."""
        asked = _access_request(context, now=now)
        for entry in objects:
            resource = replace(asked.resource, key=entry.key, version_id=entry.version_id)
            decision = self._policies.decide(replace(asked, resource=resource))
            context.decided(decision)
            _enforce(context, decision)

    def _find(self, bucket: Bucket, stated_region: Region | None, *, what: str) -> BucketRecord:
        record = self._buckets.find(bucket)
        if record is None or stated_region not in (None, record.region):
            # One message for both: which buckets exist, and where, is not the caller's to find out.
            raise COSError("AccessDenied", f"Access Denied: the {what} is not registered here in that region.")
        return record


def _access_request(context: Context, *, now: float) -> AccessRequest:
    call, caller, request = _known(context)
    address = call.address
    bucket, source_bucket = context.bucket, context.source_bucket
    resource = Resource(
        bucket=address.bucket,
        key=address.key,
        region=bucket.region if bucket is not None else None,
        version_id=call.version_id if isinstance(call, ObjectCall) else None,
    )
    common = AccessRequest(
        caller=caller,
        action=call.operation.action,
        resource=resource,
        headers=_control_names(request),
        time=datetime.fromtimestamp(now, UTC),
    )
    if isinstance(call, ObjectCall):
        return replace(common, part_number=call.part_number) if call.part_number is not None else common
    if source_bucket is None:
        raise COSError("AccessDenied")
    source = Resource(
        bucket=call.source.bucket,
        key=call.source.key,
        region=source_bucket.region,
        version_id=call.source.version_id,
    )
    if isinstance(call, UploadPartCopy):
        return replace(
            common,
            source=source,
            part_number=call.part_number,
            byte_range=call.byte_range,
            conditions=call.conditions,
        )
    return replace(common, source=source, conditions=call.conditions)


def _known(context: Context) -> tuple[Call, Caller, Request]:
    if context.call is None or context.caller is None or context.request is None:
        raise ValueError("a request is judged after it was read and its caller is known")
    return context.call, context.caller, context.request


def _control_names(request: Request) -> frozenset[str]:
    prefix = request.dialect.encode("ascii")
    return frozenset(name[len(prefix) :].decode("ascii") for name in request.headers.names() if name.startswith(prefix))


def _enforce(context: Context, decision: Decision) -> None:
    if decision.allowed:
        return
    message = f"Access Denied: {decision.reason}." if decision.code == "AccessDenied" else f"{decision.reason}."
    raise COSError(decision.code, message, details=(("DecisionId", context.decision_id or ""),))
