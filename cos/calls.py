"""What a request asks for, typed: the arguments that policy judges and that the upstream request is built from.

Only operations whose arguments rules must see have a type of their own; every other operation is an
`ObjectCall` that names what it addresses.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, TypeAlias

from msgspec import Struct

from cos.address import Address, Domains
from cos.byte_range import ByteRange, parse_byte_range
from cos.conditions import CONDITION_NAMES, NO_CONDITIONS, CopyConditions, parse_conditions
from cos.copy_source import CopySource, parse_copy_source
from cos.errors import COSError
from cos.framing import is_aws_chunked, read_content_codings, read_content_length
from cos.headers import FieldNames, printable_text
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


# Looked up once: in Python 3.11 a member of an enumeration costs as much as ten other names.
_NO_BODY, _DOCUMENT = Body.NONE, Body.DOCUMENT
SOURCE_FIELDS = {dialect: f"{dialect}copy-source".encode("ascii") for dialect in Dialect}
RANGE_FIELDS = {dialect: f"{dialect}copy-source-range".encode("ascii") for dialect in Dialect}
"""The header fields that name a copy's source, and the range of it."""

CopyCall: TypeAlias = PutObjectCopy | UploadPartCopy
Call: TypeAlias = ObjectCall | PutObjectCopy | UploadPartCopy


def read_call(request: Request, address: Address, operation: Operation, domains: Domains) -> Call:
    """The typed call of a request whose operation is known.

    Raises COSError(InvalidArgument, InvalidCopySource, InvalidRequest, UnexpectedContent, ...).
    """
    headers, values, dialect = request.headers, request.target.query_values, request.dialect
    body_bytes = read_content_length(headers)
    if operation.body is _NO_BODY:
        if body_bytes != 0:
            raise COSError("UnexpectedContent", f"Expected no request body with {operation.name}.")
    elif operation.body is _DOCUMENT and read_content_codings(headers):
        # A document is judged as it is sent: it must not say something else when unpacked.
        raise COSError("InvalidRequest", f"Expected no Content-Encoding with {operation.name}.")
    part, upload, version, conditional, stray = _find_arguments(request.target.query_names, headers.known, dialect)
    part_number = parse_part_number(values[part]) if part is not None else None
    upload_id = parse_upload_id(values[upload]) if upload is not None else None
    if not operation.copies:
        if stray is not None:
            # A range or condition of a source that is not named would be ignored upstream: say so instead.
            raise COSError("InvalidRequest", f"Expected no {stray!r} without a copy source.")
        if operation.body is Body.STREAM and body_bytes == 0 and not _is_framed(request):
            raise COSError("MissingContentLength")
        return ObjectCall(
            operation=operation,
            address=address,
            body_bytes=body_bytes,
            version_id=parse_version_id(values[version]) if version is not None else None,
            part_number=part_number,
            upload_id=upload_id,
        )
    raw_source = headers.get(SOURCE_FIELDS[dialect]) or b""
    source = parse_copy_source(raw_source, dialect, domains)
    conditions = _read_conditions(request, conditional) if conditional else NO_CONDITIONS
    range_field = RANGE_FIELDS[dialect]
    if part_number is None or upload_id is None:
        if headers.get(range_field):
            raise COSError("InvalidRequest", "Expected no copy source range without partNumber and uploadId.")
        return PutObjectCopy(operation, address, source, conditions)
    # The Python SDK sends an empty header when no range is asked for (reference page §0.7).
    raw_range = headers.get(range_field)
    byte_range = _read_range(range_field, raw_range) if raw_range else None
    return UploadPartCopy(operation, address, part_number, upload_id, source, byte_range, conditions)


class _Arguments(NamedTuple):
    """Where the arguments of a request are, by its names: in the query, as places, and in the header.

    `conditional` are the conditions on a copy's source with their fields; `about_a_source` is the first field that is
    about a source at all.
    """

    part: int | None
    upload: int | None
    version: int | None
    conditional: tuple[tuple[str, bytes], ...]
    about_a_source: str | None


@lru_cache(maxsize=256)
def _find_arguments(query_names: tuple[str, ...], known: FieldNames, dialect: Dialect) -> _Arguments:
    part, upload, version = (
        query_names.index(name) if name in query_names else None for name in ("partNumber", "uploadId", "versionId")
    )
    prefix = SOURCE_FIELDS[dialect]
    conditions = [(name, prefix + b"-" + name.encode("ascii")) for name in CONDITION_NAMES]
    about = [name.decode("ascii") for name in known.distinct if name.startswith(prefix)]
    return _Arguments(
        part=part,
        upload=upload,
        version=version,
        conditional=tuple([(name, field) for name, field in conditions if field in known.names]),
        about_a_source=about[0] if about else None,
    )


@lru_cache(maxsize=1024)  # objects cut into parts of one size are cut at the same places
def _read_range(field: bytes, raw: bytes) -> ByteRange:
    return parse_byte_range(printable_text(field, raw))


def _is_framed(request: Request) -> bool:
    return b"content-length" in request.headers or is_aws_chunked(request.headers)


def _read_conditions(request: Request, fields: tuple[tuple[str, bytes], ...]) -> CopyConditions:
    return parse_conditions({name: request.headers.text(field) or "" for name, field in fields})
