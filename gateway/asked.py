"""The call as policy sees it: every argument a rule may judge, as the one value that is judged and recorded."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from msgspec.structs import replace

from cos.calls import Call, ObjectCall, PutObjectCopy, UploadPartCopy
from cos.errors import COSError
from cos.headers import FieldNames
from cos.request import Dialect, Request
from cos.values import ObjectKey, VersionId
from gateway.context import Context
from gateway.dry_run import CONTROL_NAMES
from policies.request import AccessRequest, Caller, Resource
from policies.rules.storage import Encryption

_KMS = frozenset({"cos/kms", "aws:kms", "aws:kms:dsse"})
_MAX_HEADER_CHARACTERS = 128


def access_request(context: Context, *, now: float) -> AccessRequest:
    """The access that a read and resolved call asks for, before anything is measured. Raises COSError(AccessDenied)."""
    call, caller, request = _known(context)
    address = call.address
    bucket, source_bucket = context.bucket, context.source_bucket
    resource = Resource(
        bucket=address.bucket,
        key=address.key,
        region=bucket.region if bucket is not None else None,
        version_id=call.version_id if isinstance(call, ObjectCall) else None,
    )
    source: Resource | None = None
    if not isinstance(call, ObjectCall):
        if source_bucket is None:
            raise COSError("AccessDenied")
        source = Resource(
            bucket=call.source.bucket,
            key=call.source.key,
            region=source_bucket.region,
            version_id=call.source.version_id,
        )
    return AccessRequest(
        caller=caller,
        action=call.operation.action,
        resource=resource,
        source=source,
        part_number=None if isinstance(call, PutObjectCopy) else call.part_number,
        byte_range=call.byte_range if isinstance(call, UploadPartCopy) else None,
        conditions=None if isinstance(call, ObjectCall) else call.conditions,
        headers=_control_names(request),
        time=datetime.fromtimestamp(now, UTC),
        storage_class=_control_text(request, "storage-class"),
        encryption=_encryption(request),
        object_bytes=_object_bytes(request, call) if isinstance(call, ObjectCall) else None,
    )


def batch_member(asked: AccessRequest, key: ObjectKey, version_id: VersionId | None) -> AccessRequest:
    """The access to one object of a batch."""
    return replace(asked, resource=replace(asked.resource, key=key, version_id=version_id))


def _known(context: Context) -> tuple[Call, Caller, Request]:
    if context.call is None or context.caller is None or context.request is None:
        raise ValueError("a request is judged after it was read and its caller is known")
    return context.call, context.caller, context.request


def _control_names(request: Request) -> frozenset[str]:
    return _controls_among(request.headers.known, request.dialect)


@lru_cache(maxsize=256)
def _controls_among(known: FieldNames, dialect: Dialect) -> frozenset[str]:
    prefix = dialect.encode("ascii")
    return frozenset(
        name[len(prefix) :].decode("ascii")
        for name in known.distinct
        if name.startswith(prefix) and name not in CONTROL_NAMES
    )


def _control_text(request: Request, name: str) -> str | None:
    raw = request.control(name)
    return raw.decode("latin-1")[:_MAX_HEADER_CHARACTERS] if raw else None


def _encryption(request: Request) -> str | None:
    if request.control("server-side-encryption-customer-algorithm"):
        return Encryption.CUSTOMER
    asked = _control_text(request, "server-side-encryption")
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
