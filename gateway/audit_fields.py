"""What a request's events in the audit log say of it: who asked for what, what was decided.

They are rendered once and stand in the intent and in the outcome alike. While COS copies a part for minutes, a
request keeps these bytes and no tree of objects.

Of the parts of one upload nearly everything is the same: what was rendered for one of them is remembered with holes,
and the next one's numbers and ids are set into them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.json import Encoder
from msgspec.structs import replace

from cos.byte_range import ByteRange
from cos.calls import ObjectCall, UploadPartCopy
from cos.values import ObjectKey, VersionId
from gateway.context import Context
from policies.decision import Verdict
from policies.request import AccessRequest
from policies.written import Written, render_time, write_request

MAX_UPLOADS = 256
"""Uploads whose fields are remembered: 2 KiB each as a rule, 20 with the longest keys."""


class _Resource(Struct, gc=False):
    """What is addressed. `access` is told of a copy, which has two ends."""

    bucket: str
    key: str | None
    region: str | None
    access: str | None


class _Source(Struct, gc=False):
    """The other end of a copy."""

    bucket: str
    key: str
    version_id: str | None
    region: str | None
    access: str = "read"


class _Policy(Struct, gc=False):
    """What was decided, and by which statement."""

    verdict: Verdict
    version: str
    document: str | None
    statement: str | None
    added: Mapping[str, str] | UnsetType = UNSET


class _Described(Struct, gc=False):
    """The fields in their order. What is UNSET is not written."""

    request_id: str
    client: str
    certificate: Mapping[str, str] | UnsetType
    signature: str | UnsetType
    principal: str | UnsetType
    access_key_id: str | UnsetType
    parent: str | UnsetType
    action: str | UnsetType
    resource: _Resource | UnsetType
    version_id: str | UnsetType
    source: _Source | UnsetType
    conditions: list[str] | UnsetType
    part_number: int | UnsetType
    upload_id: str | UnsetType
    range: str | UnsetType | None
    decision_id: str | UnsetType
    policy: _Policy | UnsetType
    dry_run: bool | UnsetType
    asked: Written | UnsetType
    asked_keys: Sequence[tuple[ObjectKey, VersionId | None]] | UnsetType


_encode = Encoder().encode
_HOLE, _HOLE_IN_TEXT = Raw(b"\xff"), Raw(b'"\xff"')
"""Where a part's own values go. No text holds this byte, in UTF-8."""
_uploads: dict[tuple[str, str], tuple[tuple[object, ...], list[str]]] = {}
"""By upload id and the source's key: what was the same for its last part, and what is around that part's own values."""


def described(context: Context, *, judged: bool = True) -> bytes:
    """The fields as they end a line, as far as they are known. Both ends of a copy are named with what is done to them.

    `judged`: with `asked`, the request in the words of a document's tests, which `policy explain`, `diff` and `replay`
    judge again; of a batch `asked_keys` lists what was judged in place of its key, up to the one that was refused.
    """
    call, asked = context.call, context.asked
    if judged and asked is not None and isinstance(call, UploadPartCopy) and call.byte_range is not None:
        return _described_part(context, call, call.byte_range, asked)
    return _ending(_fields(context, judged=judged))


def _described_part(context: Context, call: UploadPartCopy, byte_range: ByteRange, asked: AccessRequest) -> bytes:
    """A judged copy of a range into a part."""
    decision = context.decision
    if decision is None or context.decision_id is None or asked.time is None:
        return _ending(_fields(context, judged=True))
    same = (
        context.client_address, context.certificate, context.scheme, context.dry_run,
        decision.verdict, decision.version, decision.document, decision.statement_id, decision.amendments,
        asked.caller, asked.action, asked.resource, asked.source, asked.conditions, asked.headers,
        asked.storage_class, asked.encryption, asked.facts,
    )  # fmt: skip
    place = (call.upload_id, call.source.key)
    known = _uploads.get(place)
    if known is None or known[0] != same:
        if len(_uploads) >= MAX_UPLOADS:
            _uploads.clear()
        known = _uploads[place] = (same, _around_own_values(_fields(context, judged=True), write_request(asked)))
    start, to_part, to_range, to_decision, to_asked, to_asked_part, to_time, end = known[1]
    part, span = str(call.part_number), byte_range.text
    own = (
        start, context.request_id, to_part, part, to_range, span, to_decision, context.decision_id,
        to_asked, span, to_asked_part, part, to_time, render_time(asked.time), end,
    )  # fmt: skip
    return "".join(own).encode()


def _around_own_values(fields: _Described, asked: Written) -> list[str]:
    """What is before, between and after the values that each part has for itself: ids, part number, range, time."""
    with_holes = replace(
        fields,
        request_id=_HOLE_IN_TEXT,
        part_number=_HOLE,
        range=_HOLE_IN_TEXT,
        decision_id=_HOLE_IN_TEXT,
        asked=replace(asked, range=_HOLE_IN_TEXT, part_number=_HOLE, time=_HOLE_IN_TEXT),
    )
    return [piece.decode() for piece in _ending(with_holes).split(b"\xff")]


def _ending(fields: _Described) -> bytes:
    return b",%b\n" % _encode(fields)[1:]


def _fields(context: Context, *, judged: bool) -> _Described:
    certificate, caller, operation, address = context.certificate, context.caller, context.operation, context.address
    decision, call, bucket = context.decision, context.call, context.bucket
    asked = context.asked if judged else None
    version_id: str | UnsetType = UNSET
    source: _Source | UnsetType = UNSET
    conditions: list[str] | UnsetType = UNSET
    part_number: int | UnsetType = UNSET
    upload_id: str | UnsetType = UNSET
    byte_range: str | UnsetType | None = UNSET
    if isinstance(call, ObjectCall):
        version_id = call.version_id or UNSET
        part_number = call.part_number or UNSET
        upload_id = call.upload_id or UNSET
    elif call is not None:
        end, record, present = call.source, context.source_bucket, call.conditions.present
        source = _Source(end.bucket, end.key, end.version_id, None if record is None else record.region)
        conditions = sorted(present) if present else []
        if isinstance(call, UploadPartCopy):
            part_number, upload_id = call.part_number, call.upload_id
            byte_range = None if call.byte_range is None else call.byte_range.text
    return _Described(
        context.request_id,
        context.client_address,
        UNSET if certificate is None else certificate.described(),
        context.scheme or UNSET,
        UNSET if caller is None else caller.principal,
        UNSET if caller is None else caller.access_key_id,
        UNSET if caller is None else caller.parent or UNSET,
        UNSET if operation is None else operation.action,
        UNSET if address is None or address.bucket is None else _Resource(
            address.bucket,
            address.key,
            None if bucket is None else bucket.region,
            None if operation is None or not operation.copies else "write",
        ),
        version_id,
        source,
        conditions,
        part_number,
        upload_id,
        byte_range,
        context.decision_id or UNSET,
        UNSET if decision is None else _Policy(
            decision.verdict,
            decision.version,
            decision.document,
            decision.statement_id,
            {item.name: item.value for item in decision.amendments} if decision.amendments else UNSET,
        ),
        context.dry_run or UNSET,
        UNSET if asked is None else write_request(asked),
        UNSET if asked is None else context.asked_keys or UNSET,
    )  # fmt: skip
