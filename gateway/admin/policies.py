"""Operations on the policy documents: which are active, reading them anew, explaining a decision."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from gateway.admin.explain import DecisionView, Explain, access_request, view_decision
from gateway.admin.operations import Call, ChangeQuery, NoBody, NoQuery, Operation, Reply, WouldChange
from gateway.admin.problems import FieldError, Kind, Refused
from gateway.credentials.changes import described_author
from gateway.credentials.views import View
from gateway.policy_files import PolicyFiles
from gateway.ports import AuditLog, BucketRecord
from gateway.stores.admin_tokens import Role
from policies.loading import PolicySet
from policies.problems import PolicyErrors


class DocumentView(View):
    """A policy document."""

    name: str
    """Its file."""
    statements: int
    tests: int


class PoliciesView(View):
    """The documents that decide now."""

    version: str
    """Names the content of all documents."""
    healthy: bool
    state: str
    """Says when the files on disk were refused, and why."""
    documents: list[DocumentView]


class PolicyHandlers:
    """What the operations do."""

    def __init__(
        self,
        policies: PolicyFiles,
        audit: AuditLog,
        buckets: Callable[[], Sequence[BucketRecord]],
        reloaded: Callable[[], Awaitable[None]],
    ) -> None:
        self._policies = policies
        self._audit = audit
        self._buckets = buckets
        self._reloaded = reloaded

    async def show(self, _: Call[NoQuery, NoBody]) -> Reply:
        """The active set."""
        return Reply(200, self._view(self._policies.active))

    async def reload(self, call: Call[ChangeQuery, NoBody]) -> Reply:
        """Read, check and test the files, then switch to them whole."""

        async def record(fresh: PolicySet) -> None:
            event = {"type": "admin", **described_author(call.terms.author), "action": "policies.reload"}
            before, after = _described(self._policies.active), _described(fresh)
            await self._audit.record({**event, "target": fresh.version, "before": before, "after": after})

        try:
            if call.query.dry_run:
                checked = await self._policies.check()
                before, after = _described(self._policies.active), _described(checked)
                return Reply(200, WouldChange(before=before, after=after))
            fresh = await self._policies.reload("admin", before=record)
            await self._reloaded()
            return Reply(200, self._view(fresh))
        except PolicyErrors as wrong:
            errors = [_field_error(error) for error in wrong.errors]
            detail = "The documents on disk are refused; those that were active stay."
            raise Refused(Kind.INVALID, detail, errors=errors) from None

    async def explain(self, call: Call[NoQuery, Explain]) -> Reply:
        """Judge a request that is only described."""
        regions = {record.name: record.region for record in self._buckets()}
        request = access_request(call.body, regions, self._policies.read_narrowing)
        active = self._policies.active
        return Reply(200, view_decision(active, active.decide(request)))

    def _view(self, active: PolicySet) -> PoliciesView:
        return PoliciesView(
            version=active.version,
            healthy=self._policies.healthy,
            state=self._policies.state,
            documents=[
                DocumentView(name=document.name, statements=len(document.statements), tests=len(document.tests))
                for document in active.documents
            ],
        )


def policy_operations(
    policies: PolicyFiles,
    audit: AuditLog,
    buckets: Callable[[], Sequence[BucketRecord]],
    reloaded: Callable[[], Awaitable[None]],
) -> list[Operation[Any, Any]]:
    """The rows of the table. `buckets` are those known now; `reloaded` is called after a reload."""
    handlers = PolicyHandlers(policies, audit, buckets, reloaded)
    return [
        Operation(
            method="GET", path="/policies", name="showPolicies", summary="The documents that decide now.",
            role=Role.VIEWER, query=NoQuery, body=NoBody, status=200, answer=PoliciesView, handle=handlers.show,
        ),
        Operation(
            method="POST", path="/policies/reload", name="reloadPolicies",
            summary="Read the documents anew; they are switched to only when all are sound and their tests pass.",
            role=Role.SECURITY, query=ChangeQuery, body=NoBody, status=200, answer=PoliciesView,
            handle=handlers.reload,
        ),
        Operation(
            method="POST", path="/policies/explain", name="explainDecision",
            summary="What would be decided about a request, and why. Nothing is asked of COS.",
            role=Role.VIEWER, query=NoQuery, body=Explain, status=200, answer=DecisionView, handle=handlers.explain,
        ),
    ]  # fmt: skip


def _described(policies: PolicySet) -> dict[str, Any]:
    return {"version": policies.version, "documents": [document.name for document in policies.documents]}


def _field_error(error: Any) -> FieldError:
    hint = f" ({error.hint})" if error.hint else ""
    place = f"{error.document}:{error.line}:{error.column}" + (f": {error.path}" if error.path else "")
    return FieldError(field=place, message=f"found {error.found}, expected {error.expected}{hint}")
