"""May they: the call as policy sees it, judged by the one evaluator. Steps 8 and 9 of a request.

Where a bucket lives is answered by the bucket registry and never by the caller's text; what is not
registered is refused, as the addressed bucket and as the source of a copy alike.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from cos.address import Address
from cos.calls import Call, ObjectCall
from cos.documents import ObjectVersion, read_complete_parts
from cos.errors import COSError
from gateway.asked import access_request, batch_member
from gateway.context import Context
from gateway.facts import SourceFacts
from gateway.ports import Buckets, Policies
from policies.decision import Decision, Fact, ReasonDetail, Verdict
from policies.request import Facts

_ALLOW, _NEEDS_FACTS = Verdict.ALLOW, Verdict.NEEDS_FACTS
_NO_FACTS: frozenset[Fact] = frozenset()


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
        self._find = buckets.find
        self._decide = policies.decide
        self._facts = facts
        self.reason_detail = reason_detail

    def resolve(self, context: Context, address: Address, call: Call) -> None:
        """Leave the addressed bucket as registered in `context`, unless it is the service; and the copy source's.

        Raises COSError(AccessDenied).
        """
        if address.bucket is not None:
            record = self._find(address.bucket)
            if record is None or (address.region is not None and address.region != record.region):
                raise _unregistered("bucket")
            context.bucket = record
        if not isinstance(call, ObjectCall):
            source = call.source
            record = self._find(source.bucket)
            if record is None or (source.region is not None and source.region != record.region):
                raise _unregistered("source bucket")
            context.source_bucket = record

    def judge(self, context: Context, *, now: float) -> frozenset[Fact]:
        """Judge a resolved call and leave the decision in `context`; a dry run is judged, and not refused.

        Where that hinges on facts it is those that are returned, and nothing is decided until `judge_measured` was
        called. Raises COSError: AccessDenied with the reason and the decision id, or the code of the COS rule that was
        broken.
        """
        asked = context.asked = access_request(context, now=now)
        decision = self._decide(asked)
        if decision.verdict is _NEEDS_FACTS and not context.dry_run:
            return decision.needs
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

    def authorize_deletes(self, context: Context, objects: Sequence[ObjectVersion], *, now: float) -> None:
        """Judge every key of a batch delete; one that is refused refuses the batch. Raises COSError."""
        asked = context.asked = access_request(context, now=now)
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


def _unregistered(what: str) -> COSError:
    # One message for both: which buckets exist, and where, is not the caller's to find out.
    return COSError("AccessDenied", f"Access Denied: the {what} is not registered here in that region.")


def _enforce(context: Context, decision: Decision, detail: ReasonDetail) -> None:
    if decision.allowed or context.dry_run:
        return
    told = decision.told(detail)
    if decision.code == "AccessDenied":
        message = f"Access Denied: {told}." if told else "Access Denied."
    else:
        message = f"{told}." if told else ""
    raise COSError(decision.code, message, details=(("DecisionId", context.decision_id or ""),))
