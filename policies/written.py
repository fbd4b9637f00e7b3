"""An access request as people and records write it: in a document's tests, on the command line, in the audit log.

| key                    | value                                                                            |
|------------------------|----------------------------------------------------------------------------------|
| principal, action      | required: `team:media`, `cos:UploadPartCopy` (also with `name/`)                 |
| resource               | `bucket[/key][@region]`, or a mapping of bucket, key, region, version            |
| source, destination    | the same, instead of `resource`, for operations that copy                        |
| range                  | `bytes=0-9`, or `{first: 0, length: 10}`                                         |
| part_number            | 1 to 10000                                                                       |
| conditions             | `{if-match: '"etag"'}`, by the four names                                        |
| headers                | control headers in use, without prefix: `[acl, tagging]`                         |
| storage_class          | as the header names it                                                           |
| encryption             | `sse-cos`, `sse-kms`, `sse-c`                                                    |
| length                 | of the object or part in the body                                                |
| address, time          | the caller's, and the moment with its offset                                     |
| size, etag             | of the source, measured                                                          |
| upload_size            | of the parts a completion names, measured                                        |
| session_policy         | the JSON text of the session's own policy; in records, not in documents          |

What `render_request` writes, `read_request` reads back as the same request, but for the id and labels of the key.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from msgspec import Struct, to_builtins

from cos.byte_range import ByteRange, parse_byte_range
from cos.conditions import CONDITION_NAMES, CopyConditions, parse_conditions
from cos.errors import COSError
from cos.operations import ACTIONS
from cos.values import (
    PartNumber,
    parse_bucket,
    parse_object_key,
    parse_part_number,
    parse_region,
    parse_version_id,
)
from policies.nodes import Mapping, Node, Scalar
from policies.problems import PolicyErrors, did_you_mean
from policies.reader import Reader, join
from policies.request import AccessRequest, Caller, Facts, Narrows, Resource
from policies.rules.period import Moment
from policies.sizes import Size, parse_size

_KEYS = (
    "principal", "action", "resource", "source", "destination", "range", "part_number", "size", "conditions",
    "headers", "address", "time", "storage_class", "encryption", "length", "etag", "upload_size",
)  # fmt: skip
_SESSION_POLICY = "session_policy"
UNNAMED_KEY = "-"
"""The access key id of a request that no key has signed."""


class Written(Struct, frozen=True, gc=False, omit_defaults=True):
    """The table's keys and values, in this order; as JSON without those that are None."""

    principal: str
    action: str
    resource: Resource | None = None
    source: Resource | None = None
    destination: Resource | None = None
    range: str | None = None
    part_number: int | None = None
    conditions: dict[str, str] | None = None
    headers: list[str] | None = None
    storage_class: str | None = None
    encryption: str | None = None
    length: int | None = None
    address: str | None = None
    time: str | None = None
    size: int | None = None
    etag: str | None = None
    upload_size: int | None = None
    session_policy: str | None = None


def render_request(request: AccessRequest) -> dict[str, Any]:
    """A request as plain data: texts, numbers, lists and mappings. It holds no secret, as the request holds none."""
    rendered: dict[str, Any] = to_builtins(write_request(request))
    return rendered


def write_request(request: AccessRequest) -> Written:
    """A request as `render_request` renders it, to become JSON at once: this runs for every request."""
    caller, resource, source, conditions = request.caller, request.resource, request.source, request.conditions
    return Written(
        caller.principal,
        request.action,
        None if source is not None or resource.bucket is None else resource,
        source,
        None if source is None else resource,
        None if request.byte_range is None else request.byte_range.text,
        request.part_number,
        _render_conditions(conditions) if conditions is not None and conditions.present else None,
        sorted(request.headers) if request.headers else None,
        request.storage_class,
        request.encryption,
        request.object_bytes,
        caller.address or None,
        None if request.time is None else render_time(request.time),
        request.facts.source_size_bytes,
        request.facts.source_etag,
        request.facts.upload_size_bytes,
        None if caller.narrowing is None else caller.narrowing.text,
    )


def render_time(moment: datetime) -> str:
    """What `isoformat` says as well, in a fifth of the time."""
    text: str = to_builtins(moment)
    return text.replace("Z", "+00:00")


def _render_conditions(conditions: CopyConditions) -> dict[str, str]:
    values = {
        "if-match": _render_etags(conditions.if_match),
        "if-none-match": _render_etags(conditions.if_none_match),
        "if-modified-since": _render_date(conditions.if_modified_since),
        "if-unmodified-since": _render_date(conditions.if_unmodified_since),
    }
    return {name: value for name, value in values.items() if value is not None}


def _render_etags(etags: tuple[str, ...] | None) -> str | None:
    if etags is None or etags == ("*",):
        return etags[0] if etags else None
    return ", ".join(f'"{etag}"' for etag in etags)


def _render_date(moment: datetime | None) -> str | None:
    return format_datetime(moment, usegmt=True) if moment is not None else None


def read_request(
    reader: Reader, node: Node, path: str, *, narrowing: Callable[[str], Narrows] | None = None
) -> AccessRequest | None:
    """A request as it is written; problems are noted.

    `narrowing` reads the session's own policy and raises PolicyErrors (see `policies.narrowing`, which is built on
    documents and so cannot be named here); without it a request has none. None, or less than was asked, after noting
    what is wrong with it.
    """
    known = _KEYS if narrowing is None else (*_KEYS, _SESSION_POLICY)
    entries = reader.read_mapping(node, path, known=known, required=("principal", "action"))

    def part(name: str) -> tuple[Node | None, str]:
        return (entries[name][1] if name in entries else None), join(path, name)

    principal = _read_optional_text(reader, *part("principal"))
    action = _read_action(reader, *part("action"))
    resource = _read_end(reader, *part("resource"))
    source = _read_end(reader, *part("source"))
    destination = _read_end(reader, *part("destination"))
    if "resource" in entries and ("source" in entries or "destination" in entries):
        reader.note(entries["resource"][0], join(path, "resource"), "a resource, or a source and a destination")
    size = _read_size(reader, *part("size"))
    upload_size = _read_size(reader, *part("upload_size"))
    etag = _read_optional_text(reader, *part("etag"))
    address = _read_optional_text(reader, *part("address"))
    headers_node, headers_path = part("headers")
    headers: list[str | None] = []
    if headers_node is not None:
        headers = [reader.read_text(item, where) for item, where in reader.read_items(headers_node, headers_path)]
    time_node, time_path = part("time")
    time = reader.read_parsed(time_node, time_path, _moment, expected="a moment") if time_node is not None else None
    byte_range = _read_range(reader, *part("range"))
    part_number = _read_part_number(reader, *part("part_number"))
    conditions = _read_conditions(reader, *part("conditions"))
    own = _read_narrowing(reader, *part(_SESSION_POLICY), narrowing) if narrowing is not None else None
    if principal is None or action is None:
        return None
    return AccessRequest(
        caller=Caller(principal=principal, access_key_id=UNNAMED_KEY, address=address, narrowing=own),
        action=action,
        resource=destination or resource or Resource(bucket=None),
        source=source,
        part_number=part_number,
        byte_range=byte_range,
        conditions=conditions,
        headers=frozenset(header for header in headers if header is not None),
        time=time,
        storage_class=_read_optional_text(reader, *part("storage_class")),
        encryption=_read_optional_text(reader, *part("encryption")),
        object_bytes=_read_size(reader, *part("length")),
        facts=Facts(
            measured=not (size is None and etag is None and upload_size is None),
            source_size_bytes=size,
            source_etag=etag,
            upload_size_bytes=upload_size,
        ),
    )


def _read_narrowing(reader: Reader, node: Node | None, path: str, parse: Callable[[str], Narrows]) -> Narrows | None:
    text = _read_optional_text(reader, node, path)
    if node is None or text is None:
        return None
    try:
        return parse(text)
    except PolicyErrors as wrong:
        reader.note(node, path, "the JSON text of a session policy", found=str(wrong.errors[0]))
        return None


def _moment(text: str) -> datetime:
    return Moment.parse(text).at


def _read_size(reader: Reader, node: Node | None, path: str) -> Size | None:
    return reader.read_parsed(node, path, parse_size, expected="a size") if node is not None else None


def _read_optional_text(reader: Reader, node: Node | None, path: str) -> str | None:
    return reader.read_text(node, path) if node is not None else None


def _read_action(reader: Reader, node: Node | None, path: str) -> str | None:
    text = _read_optional_text(reader, node, path)
    if node is None or text is None:
        return None
    action = text.removeprefix("name/")
    if action not in ACTIONS:
        reader.note(node, path, "an action the gateway knows", hint=did_you_mean(action, ACTIONS))
        return None
    return action


def _read_end(reader: Reader, node: Node | None, path: str) -> Resource | None:
    if node is None:
        return None
    if isinstance(node, Scalar):
        return reader.read_parsed(node, path, _resource, expected="bucket[/key][@region]")
    entries = reader.read_mapping(node, path, known=("bucket", "key", "region", "version"), required=("bucket",))
    texts = {name: reader.read_text(value, join(path, name)) for name, (_, value) in entries.items()}
    if texts.get("bucket") is None:
        return None
    try:
        return _resource_of(texts["bucket"] or "", texts.get("key"), texts.get("region"), texts.get("version"))
    except ValueError as exc:
        reader.note(node, path, str(exc).removeprefix("expected "))
        return None


def _resource(text: str) -> Resource:
    """`bucket[/key][@region]`; a key that holds `@` takes a mapping. Raises ValueError."""
    rest, at, region = text.rpartition("@")
    bucket, slash, key = (rest if at else text).partition("/")
    return _resource_of(bucket, key if slash else None, region if at else None, None)


def _resource_of(bucket: str, key: str | None, region: str | None, version: str | None) -> Resource:
    try:
        return Resource(
            bucket=parse_bucket(bucket),
            key=parse_object_key(key.encode()) if key is not None else None,
            region=parse_region(region) if region is not None else None,
            version_id=parse_version_id(version) if version is not None else None,
        )
    except COSError as exc:
        raise ValueError(exc.message[0].lower() + exc.message[1:].rstrip(".")) from None


def _read_range(reader: Reader, node: Node | None, path: str) -> ByteRange | None:
    if node is None:
        return None
    if isinstance(node, Mapping):
        entries = reader.read_mapping(node, path, known=("first", "length"), required=("first", "length"))
        sizes = {
            name: reader.read_parsed(value, join(path, name), parse_size, expected="a size")
            for name, (_, value) in entries.items()
        }
        first, length = sizes.get("first"), sizes.get("length")
        if first is None or length is None:
            return None
        if length < 1:
            reader.note(node, path, "a length of at least one byte")
            return None
        return ByteRange(first, first + length - 1)
    return reader.read_parsed(node, path, _byte_range, expected="bytes=first-last, or first and length")


def _byte_range(text: str) -> ByteRange:
    try:
        return parse_byte_range(text)
    except COSError:
        raise ValueError("expected bytes=first-last with first <= last") from None


def _read_part_number(reader: Reader, node: Node | None, path: str) -> PartNumber | None:
    return reader.read_parsed(node, path, _part_number, expected="a part number") if node is not None else None


def _part_number(text: str) -> PartNumber:
    try:
        return parse_part_number(text)
    except COSError:
        raise ValueError("expected a part number from 1 to 10000") from None


def _read_conditions(reader: Reader, node: Node | None, path: str) -> CopyConditions | None:
    if node is None:
        return None
    entries = reader.read_mapping(node, path, known=CONDITION_NAMES)
    values = {name: reader.read_text(value, join(path, name)) for name, (_, value) in entries.items()}
    try:
        return parse_conditions({name: text for name, text in values.items() if text is not None})
    except COSError as exc:
        reader.note(node, path, exc.message.removeprefix("Expected ").rstrip("."))
        return None
