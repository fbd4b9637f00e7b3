"""What a policy judges: one access, already parsed, already attributed to a principal.

Everything here is a value of `cos/`; nothing is text that could be read a second way.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from msgspec import Struct

from cos.byte_range import ByteRange
from cos.conditions import CopyConditions
from cos.values import Bucket, ObjectKey, PartNumber, Region, VersionId, appid_of
from policies.decision import Decision


class Resource(Struct, frozen=True, gc=False, omit_defaults=True, rename={"version_id": "version"}):
    """One end of an access: a bucket, or an object in it, where the bucket registry says it lives.

    `key` is None for operations on the bucket itself. `bucket` is None only for the service (list buckets). As JSON it
    is what a document's tests call an end (see `policies.written`).
    """

    bucket: Bucket | None
    key: ObjectKey | None = None
    region: Region | None = None
    version_id: VersionId | None = None

    @property
    def account(self) -> str | None:
        """The APPID that owns the bucket."""
        return appid_of(self.bucket) if self.bucket is not None else None


class Narrows(Protocol):
    """Takes away from what the documents grant; never adds to it."""

    @property
    def text(self) -> str:
        """As it was written, to be judged again by whoever reads what was asked. Holds no secret."""
        ...

    def narrow(self, granted: Decision, request: AccessRequest) -> Decision:
        """The decision that is left."""
        ...


class Caller(Struct, frozen=True, gc=False):
    """The authenticated principal (`team:media`) and the key that proved it.

    Of a session, `parent` names what it was issued for, and `narrowing` is its own policy, if it has one.
    """

    principal: str
    access_key_id: str
    labels: tuple[tuple[str, str], ...] = ()
    address: str | None = None
    parent: str | None = None
    narrowing: Narrows | None = None


class Facts(Struct, frozen=True, gc=False):
    """What had to be asked of the upstream: measured, not claimed. None means not measured.

    `measured` is set once the upstream was asked: a fact that is None then stays unknown, and the decision is
    final.
    """

    measured: bool = False
    source_size_bytes: int | None = None
    source_etag: str | None = None
    source_version_id: str | None = None
    upload_size_bytes: int | None = None
    """The bytes of the parts that a completion of a multipart upload names."""


NOTHING_MEASURED = Facts()


class AccessRequest(Struct, frozen=True, gc=False):
    """One access. `source` is given exactly when the operation copies; then `resource` is the destination.

    For a copy `byte_range` is the range of the source asked for, None meaning the whole source.
    """

    caller: Caller
    action: str
    """CAM name with prefix, e.g. `cos:UploadPartCopy`."""
    resource: Resource
    source: Resource | None = None
    part_number: PartNumber | None = None
    byte_range: ByteRange | None = None
    conditions: CopyConditions | None = None
    headers: frozenset[str] = frozenset()
    """Lower-case names of the request's control headers, dialect prefix removed (`acl`, `grant-read`)."""
    time: datetime | None = None
    storage_class: str | None = None
    """As the request's header names it; None when it names none."""
    encryption: str | None = None
    """`sse-cos`, `sse-kms`, `sse-c`, or what else the request's header names; None when it names none."""
    object_bytes: int | None = None
    """How long the object or part in the request's body is; None for copies, and when it was not declared."""
    facts: Facts = NOTHING_MEASURED
