"""What a request asks for, typed: the arguments that policy judges and that the upstream request is built from.

Only operations whose arguments rules must see have a type of their own; every other operation is an
`ObjectCall` that names what it addresses.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from cos.address import Address, Domains
from cos.byte_range import ByteRange, parse_byte_range
from cos.conditions import CONDITION_NAMES, NO_CONDITIONS, CopyConditions, parse_conditions
from cos.copy_source import CopySource, parse_copy_source
from cos.errors import COSError
from cos.framing import is_aws_chunked, read_content_codings, read_content_length
from cos.operations import Body, Operation
from cos.request import Dialect, Request
from cos.values import (
    PartNumber,
    UploadId,
    VersionId,
    parse_part_number,
    parse_upload_id,
    parse_version_id,
)


class ObjectCall(Struct, frozen=True, gc=False):
    """Any operation without a copy source. `body_bytes` is its content's length, None when it was not declared."""

    operation: Operation
    address: Address
    body_bytes: int | None
    version_id: VersionId | None = None
    part_number: PartNumber | None = None
    upload_id: UploadId | None = None


class PutObjectCopy(Struct, frozen=True, gc=False):
    """Put Object - Copy: a whole source object becomes the destination object."""

    operation: Operation
    address: Address
    source: CopySource
    conditions: CopyConditions


class UploadPartCopy(Struct, frozen=True, gc=False):
    """Upload Part - Copy: a range of a source object becomes one part. `byte_range` None: the whole source."""

    operation: Operation
    address: Address
    part_number: PartNumber
    upload_id: UploadId
    source: CopySource
    byte_range: ByteRange | None
    conditions: CopyConditions


_CONDITION_FIELDS = {
    dialect: tuple((name, f"{dialect}copy-source-{name}".encode("ascii")) for name in CONDITION_NAMES)
    for dialect in Dialect
}
_RANGE_FIELDS = {dialect: f"{dialect}copy-source-range".encode("ascii") for dialect in Dialect}

CopyCall: TypeAlias = PutObjectCopy | UploadPartCopy
Call: TypeAlias = ObjectCall | PutObjectCopy | UploadPartCopy


def read_call(request: Request, address: Address, operation: Operation, domains: Domains) -> Call:
    """The typed call of a request whose operation is known.

    Raises COSError(InvalidArgument, InvalidCopySource, InvalidRequest, UnexpectedContent, ...).
    """
    body_bytes = read_content_length(request.headers)
    if operation.body is Body.NONE and body_bytes != 0:
        raise COSError("UnexpectedContent", f"Expected no request body with {operation.name}.")
    if operation.body is Body.DOCUMENT and read_content_codings(request.headers):
        # A document is judged as it is sent: it must not say something else when unpacked.
        raise COSError("InvalidRequest", f"Expected no Content-Encoding with {operation.name}.")
    query = request.target
    raw_part, raw_upload, raw_version = query.value("partNumber"), query.value("uploadId"), query.value("versionId")
    part_number = parse_part_number(raw_part) if raw_part is not None else None
    upload_id = parse_upload_id(raw_upload) if raw_upload is not None else None
    if not operation.copies:
        _refuse_copy_headers(request)
        if operation.body is Body.STREAM and body_bytes == 0 and not _is_framed(request):
            raise COSError("MissingContentLength")
        return ObjectCall(
            operation=operation,
            address=address,
            body_bytes=body_bytes,
            version_id=parse_version_id(raw_version) if raw_version is not None else None,
            part_number=part_number,
            upload_id=upload_id,
        )
    source = parse_copy_source(request.control("copy-source") or b"", dialect=request.dialect, domains=domains)
    conditions = _read_conditions(request)
    if part_number is None or upload_id is None:
        if request.control("copy-source-range"):
            raise COSError("InvalidRequest", "Expected no copy source range without partNumber and uploadId.")
        return PutObjectCopy(operation=operation, address=address, source=source, conditions=conditions)
    return UploadPartCopy(
        operation=operation,
        address=address,
        part_number=part_number,
        upload_id=upload_id,
        source=source,
        byte_range=_read_range(request),
        conditions=conditions,
    )


def _is_framed(request: Request) -> bool:
    return b"content-length" in request.headers or is_aws_chunked(request.headers)


def _refuse_copy_headers(request: Request) -> None:
    """A range or condition of a source that is not named would be ignored upstream: say so instead."""
    prefix = f"{request.dialect}copy-source".encode("ascii")
    for name in request.headers.names():
        if name.startswith(prefix):
            raise COSError("InvalidRequest", f"Expected no {name.decode('ascii')!r} without a copy source.")


def _read_range(request: Request) -> ByteRange | None:
    # The Python SDK sends an empty header when no range is asked for (reference page §0.7).
    text = request.headers.text(_RANGE_FIELDS[request.dialect])
    return parse_byte_range(text) if text else None


def _read_conditions(request: Request) -> CopyConditions:
    headers = request.headers
    values: dict[str, str] = {}
    for name, field in _CONDITION_FIELDS[request.dialect]:
        if field in headers and (text := headers.text(field)) is not None:
            values[name] = text
    return parse_conditions(values) if values else NO_CONDITIONS
