"""What is known of one request so far, filled in step by step: for the audit log, the access log and errors.

It never holds a secret, a signature or a header value that is not policy's business.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cos.address import Address
from cos.byte_range import render_byte_range
from cos.calls import Call, ObjectCall, UploadPartCopy
from cos.forms import FormUpload
from cos.operations import Operation
from cos.request import Request
from cos.signing import Scheme
from cos.values import ObjectKey, VersionId
from gateway.client_certificates import ClientCertificate
from gateway.identifiers import new_decision_id
from gateway.ports import BucketRecord
from policies.decision import Decision
from policies.request import AccessRequest, Caller


@dataclass(slots=True)
class Context:
    """The trail of one request. Each field is None until its step has been taken."""

    request_id: str
    client_address: str
    certificate: ClientCertificate | None = None
    """What the client's connection came with."""
    request: Request | None = None
    address: Address | None = None
    operation: Operation | None = None
    scheme: Scheme | None = None
    """How the request is signed, or claims to be."""
    caller: Caller | None = None
    call: Call | None = None
    bucket: BucketRecord | None = None
    source_bucket: BucketRecord | None = None
    decision: Decision | None = None
    decision_id: str | None = None
    error_code: str | None = None
    form: FormUpload | None = None
    upstream_status: int | None = None
    upstream_request_id: str | None = None
    dry_run: bool = False
    """Judged and explained, but not carried out."""
    asked: AccessRequest | None = None
    """What was judged last, with what was measured for it."""
    asked_keys: list[tuple[ObjectKey, VersionId | None]] = field(default_factory=list)
    """The objects of a batch that were judged, each in place of the key of `asked`."""
    repeated: bool = False
    """COS knew the upload no longer, and the object is there: completed before."""
    intended: dict[str, Any] | None = None
    """What the audited intent said; nothing in it changes afterwards."""

    @property
    def operation_name(self) -> str:
        return self.operation.name if self.operation is not None else "unknown"

    @property
    def resource(self) -> str:
        """`<host>/<key>` as far as known: the Resource element of an error."""
        if self.request is None:
            return "/"
        return self.request.host + self.request.target.path.decode("utf-8", "replace")

    def decided(self, decision: Decision) -> None:
        """Take the decision and give it an id that finds it again."""
        self.decision = decision
        self.decision_id = new_decision_id()

    def described(self) -> dict[str, Any]:
        """What was asked and by whom, as audit fields. Both ends of a copy are named with what is done to them."""
        event: dict[str, Any] = {"request_id": self.request_id, "client": self.client_address}
        if self.certificate is not None:
            event["certificate"] = self.certificate.described()
        if self.scheme is not None:
            event["signature"] = str(self.scheme)
        if self.caller is not None:
            event["principal"] = self.caller.principal
            event["access_key_id"] = self.caller.access_key_id
            if self.caller.parent is not None:
                event["parent"] = self.caller.parent
        if self.operation is not None:
            event["action"] = self.operation.action
        if self.address is not None and self.address.bucket is not None:
            event["resource"] = {
                "bucket": self.address.bucket,
                "key": self.address.key,
                "region": self.bucket.region if self.bucket is not None else None,
                "access": "write" if self.operation is not None and self.operation.copies else None,
            }
        if self.call is not None:
            event |= _described_call(self.call, self.source_bucket)
        if self.decision is not None:
            event["decision_id"] = self.decision_id
            event["policy"] = {
                "verdict": str(self.decision.verdict),
                "version": self.decision.version,
                "document": self.decision.document,
                "statement": self.decision.statement_id,
            }
            if self.decision.amendments:
                event["policy"]["added"] = {item.name: item.value for item in self.decision.amendments}
        if self.dry_run:
            event["dry_run"] = True
        return event


def _described_call(call: Call, source_bucket: BucketRecord | None) -> dict[str, Any]:
    if isinstance(call, ObjectCall):
        return {
            name: value
            for name, value in (
                ("version_id", call.version_id),
                ("part_number", call.part_number),
                ("upload_id", call.upload_id),
            )
            if value is not None
        }
    event: dict[str, Any] = {
        "source": {
            "bucket": call.source.bucket,
            "key": call.source.key,
            "version_id": call.source.version_id,
            "region": source_bucket.region if source_bucket is not None else None,
            "access": "read",
        },
        "conditions": sorted(call.conditions.present),
    }
    if isinstance(call, UploadPartCopy):
        event["part_number"] = call.part_number
        event["upload_id"] = call.upload_id
        event["range"] = render_byte_range(call.byte_range) if call.byte_range is not None else None
    return event
