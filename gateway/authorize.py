"""May they: the call as policy sees it, judged by the one evaluator. Steps 8 and 9 of a request.

Where a bucket lives is answered by the bucket registry and never by the caller's text; what is not
registered is refused, as the addressed bucket and as the source of a copy alike.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from cos.address import Address
from cos.calls import Call, ObjectCall
from cos.copy_source import CopySource
from cos.documents import ObjectVersion, read_complete_parts
from cos.errors import COSError
from cos.values import Bucket, Region
from gateway.asked import Ends, batch_member
from gateway.context import Context
from gateway.facts import SourceFacts
from gateway.ports import BucketRecord, Buckets, Policies
from policies.decision import Decision, Fact, ReasonDetail, Verdict
from policies.request import AccessRequest, Facts, Resource

_ALLOW, _NEEDS_FACTS = Verdict.ALLOW, Verdict.NEEDS_FACTS
_NO_FACTS: frozenset[Fact] = frozenset()
MAX_ENDS = 256
"""Pairs of a destination and a source that are remembered: 1 KiB each as a rule, 5 with the longest keys."""


class Authorizer:
    """Resolves buckets, asks policy, and fetches facts when a rule asks for them."""

    def __init__(
        self,
        buckets: Buckets,
        policies: Policies,
        facts: SourceFacts,
        *,
        reason_detail: ReasonDetail = ReasonDetail.FULL,
    ) -> None:
        self._buckets = buckets
        self._generation = buckets.generation
        self._known: dict[tuple[Address, CopySource], Ends] = {}
        """Ends of copies, as long as the generation of the registry is that one."""
        self._decide = policies.decide
        self._facts = facts
        self.reason_detail = reason_detail

    def resolve(self, context: Context, address: Address, call: Call) -> Ends:
        """The ends of a call, whose buckets are left in `context` as registered. Raises COSError(AccessDenied).

        The parts of one copy have the same ends: they are remembered until the registry changes.
        """
        if self._generation is not self._buckets.generation:
            self._generation, self._known = self._buckets.generation, {}
        if isinstance(call, ObjectCall):
            if address.bucket is None:
                return Ends(None, address.region, Resource(None, version_id=call.version_id))
            bucket = context.bucket = self._find(address.bucket, address.region, "bucket")
            return Ends(bucket, bucket.region, Resource(bucket.name, address.key, bucket.region, call.version_id))
        ends = self._known.get((address, call.source))
        if ends is None:
            return self._find_ends(context, address, call.source)
        context.bucket, context.source_bucket = ends.bucket, ends.source_bucket
        return ends

    def judge(self, context: Context, asked: AccessRequest) -> frozenset[Fact]:
        """Judge a call and leave the decision in `context`; a dry run is judged, and not refused.

        Where that hinges on facts it is those that are returned, and nothing is decided until `judge_measured` was
        called. Raises COSError: AccessDenied with the reason and the decision id, or the code of the COS rule that was
        broken.
        """
        context.asked = asked
        decision = self._decide(asked)
        if decision.verdict is _ALLOW:
            context.decided(decision)
        elif decision.verdict is _NEEDS_FACTS and not context.dry_run:
            return decision.needs
        else:
            self._decided(context, decision)
        return _NO_FACTS

    async def judge_measured(self, context: Context, needs: frozenset[Fact], document: bytes = b"") -> None:
        """Measure the facts that `judge` returned, and judge for good.

        `document` is the body of a completion, which names its parts. Raises as `judge`, and COSError(NoSuchKey) when
        the source is not there.
        """
        if context.asked is None:
            raise ValueError("facts are measured for what was judged without them")
        asked = context.asked = replace(context.asked, facts=await self._measured(context, needs, document))
        self._decided(context, self._decide(asked))

    def _decided(self, context: Context, decision: Decision) -> None:
        context.decided(decision)
        if decision.verdict is not _ALLOW:
            _enforce(context, decision, self.reason_detail)

    def authorize_deletes(self, context: Context, asked: AccessRequest, objects: Sequence[ObjectVersion]) -> None:
        """Judge every key of a batch delete; one that is refused refuses the batch. Raises COSError."""
        context.asked = asked
        context.asked_keys = judged = []
        for entry in objects:
            judged.append((entry.key, entry.version_id))
            decision = self._decide(batch_member(asked, entry.key, entry.version_id))
            context.decided(decision)
            _enforce(context, decision, self.reason_detail)
            if not decision.allowed:
                # A dry run ends where the batch would.
                return

    async def _measured(self, context: Context, needs: frozenset[Fact], document: bytes) -> Facts:
        """What the decision hinges on. Where callers are told no reasons, they are not told what exists either."""
        try:
            if Fact.UPLOAD_SIZE in needs:
                return await self._facts.measure_upload(context, read_complete_parts(document))
            return await self._facts.measure(context)
        except COSError as missing:
            if self.reason_detail is ReasonDetail.NONE and missing.code in ("NoSuchKey", "InvalidRequest"):
                raise COSError("AccessDenied", "Access Denied.") from None
            raise

    def _find_ends(self, context: Context, address: Address, copied: CopySource) -> Ends:
        """Both ends of a copy, looked up. Raises COSError(AccessDenied)."""
        if address.bucket is None:
            raise ValueError("a copy goes into a bucket")
        bucket = context.bucket = self._find(address.bucket, address.region, "bucket")
        record = context.source_bucket = self._find(copied.bucket, copied.region, "source bucket")
        resource = Resource(bucket.name, address.key, bucket.region)
        source = Resource(record.name, copied.key, record.region, copied.version_id)
        if len(self._known) >= MAX_ENDS:
            self._known.clear()
        ends = self._known[address, copied] = Ends(bucket, bucket.region, resource, record, record.region, source)
        return ends

    def _find(self, name: Bucket, claimed: Region | None, what: str) -> BucketRecord:
        """A bucket as registered, unless the caller claims another region. Raises COSError(AccessDenied)."""
        record = self._buckets.find(name)
        if record is None or claimed not in (None, record.region):
            # One message for both: which buckets exist, and where, is not the caller's to find out.
            raise COSError("AccessDenied", f"Access Denied: the {what} is not registered here in that region.")
        return record


def _enforce(context: Context, decision: Decision, detail: ReasonDetail) -> None:
    if decision.allowed or context.dry_run:
        return
    told = decision.told(detail)
    if decision.code == "AccessDenied":
        message = f"Access Denied: {told}." if told else "Access Denied."
    else:
        message = f"{told}." if told else ""
    raise COSError(decision.code, message, details=(("DecisionId", context.decision_id or ""),))
