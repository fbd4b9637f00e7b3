"""What is known of one request so far, filled in step by step: for the audit log, the access log and errors.

It never holds a secret, a signature or a header value that is not policy's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cos.address import Address
from cos.calls import Call
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


@dataclass(slots=True, eq=False)
class Context:
    """The trail of one request. Each field is None until its step has been taken.

    No msgspec struct, unlike values: storing a field of one costs ten times as much, and this one is stored to at every
    step.
    """

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
    asked_keys: Sequence[tuple[ObjectKey, VersionId | None]] = ()
    """The objects of a batch that were judged, each in place of the key of `asked`."""
    repeated: bool = False
    """COS knew the upload no longer, and the object is there: completed before."""
    intended: bytes | None = None
    """What the audited intent said of the request; nothing in it changes afterwards."""

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
