"""The call as policy sees it: every argument a rule may judge, as the one value that is judged and recorded."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from cos.calls import Call, ObjectCall, UploadPartCopy
from cos.headers import FieldNames
from cos.request import Dialect, Request
from cos.values import ObjectKey, Region, VersionId
from gateway.dry_run import CONTROL_NAMES
from gateway.ports import BucketRecord
from policies.request import AccessRequest, Caller, Resource
from policies.rules.storage import Encryption

_STORAGE_CLASS = "storage-class"
_ENCRYPTION = "server-side-encryption"
_CUSTOMER_ALGORITHM = "server-side-encryption-customer-algorithm"
_HOW_KEPT = frozenset({_STORAGE_CLASS, _ENCRYPTION, _CUSTOMER_ALGORITHM})
_KMS = frozenset({"cos/kms", "aws:kms", "aws:kms:dsse"})
_MAX_HEADER_CHARACTERS = 128


class _Controls(Struct, frozen=True, gc=False):
    """What the names of a request's fields say."""

    names: frozenset[str]
    """The control headers, without their prefix."""
    how_kept: bool
    """Whether one of them says how the object is to be kept."""


class Ends(Struct, frozen=True, gc=False):
    """Where a call goes, and what it copies, as the bucket registry says. `bucket` is None for the service.

    `region` is the bucket's; for the service it is the one that the caller named, if any.
    """

    bucket: BucketRecord | None
    region: Region | None
    resource: Resource
    source_bucket: BucketRecord | None = None
    source_region: Region | None = None
    source: Resource | None = None


def access_request(request: Request, caller: Caller, call: Call, ends: Ends, *, now: float) -> AccessRequest:
    """The access that a resolved call asks for, before anything is measured. `now` is in Unix seconds."""
    controls, time = _controls_among(request.headers.known, request.dialect), datetime.fromtimestamp(now, UTC)
    action = call.operation.action
    # By place, in the order of its fields: copies of parts are what most requests are.
    if isinstance(call, UploadPartCopy):
        asked = AccessRequest(
            caller, action, ends.resource, ends.source, call.part_number, call.byte_range, call.conditions,
            controls.names, time,
        )  # fmt: skip
    elif isinstance(call, ObjectCall):
        asked = AccessRequest(
            caller, action, ends.resource, part_number=call.part_number, headers=controls.names, time=time,
            object_bytes=_object_bytes(request, call),
        )  # fmt: skip
    else:
        asked = AccessRequest(
            caller, action, ends.resource, ends.source, conditions=call.conditions, headers=controls.names, time=time
        )
    if controls.how_kept:
        return replace(asked, storage_class=_control_text(request, _STORAGE_CLASS), encryption=_encryption(request))
    return asked


def batch_member(asked: AccessRequest, key: ObjectKey, version_id: VersionId | None) -> AccessRequest:
    """The access to one object of a batch."""
    return replace(asked, resource=replace(asked.resource, key=key, version_id=version_id))


@lru_cache(maxsize=256)
def _controls_among(known: FieldNames, dialect: Dialect) -> _Controls:
    prefix = dialect.encode("ascii")
    names = frozenset(
        name[len(prefix) :].decode("ascii")
        for name in known.distinct
        if name.startswith(prefix) and name not in CONTROL_NAMES
    )
    return _Controls(names, how_kept=not names.isdisjoint(_HOW_KEPT))


def _control_text(request: Request, name: str) -> str | None:
    raw = request.control(name)
    return raw.decode("latin-1")[:_MAX_HEADER_CHARACTERS] if raw else None


def _encryption(request: Request) -> str | None:
    if request.control(_CUSTOMER_ALGORITHM):
        return Encryption.CUSTOMER
    asked = _control_text(request, _ENCRYPTION)
    if asked is None:
        return None
    if asked == "AES256":
        return Encryption.COS
    return Encryption.KMS if asked in _KMS else asked


def _object_bytes(request: Request, call: ObjectCall) -> int | None:
    """How long the object will be; of an append, with what is there already."""
    if call.body_bytes is None or call.operation.name != "AppendObject":
        return call.body_bytes
    position = request.target.value("position") or ""
    return call.body_bytes + int(position) if position.isascii() and position.isdigit() else None
