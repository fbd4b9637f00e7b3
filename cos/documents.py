"""Request documents whose content must be known: what to delete, and which parts make an object.

Elements the operation does not define are refused in `Delete`, whatever their namespace or spelling: a more
generous reader upstream might delete what they name. Keys are text as written, never trimmed.

Source: COS API, "DELETE Multiple Objects" (436/8289), "Complete Multipart Upload" (436/7742).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from cos.errors import COSError
from cos.values import ObjectKey, PartNumber, VersionId, parse_object_key, parse_part_number, parse_version_id
from cos.xml import Element, parse_xml

MAX_DOCUMENT_BYTES = 2 * 1024 * 1024
MAX_DELETED_OBJECTS = 1000
MAX_PARTS = 10_000


class ObjectVersion(NamedTuple):
    """One object to delete; `version_id` None means its current version."""

    key: ObjectKey
    version_id: VersionId | None


@dataclass(frozen=True, slots=True)
class DeleteObjects:
    """A `Delete` document: 1 to 1,000 objects, in the order given. `quiet` asks to report failures only."""

    quiet: bool
    objects: tuple[ObjectVersion, ...]


class CompletedPart(NamedTuple):
    """One part as the client lists it, its ETag without quotes."""

    part_number: PartNumber
    etag: str


def read_delete_objects(body: bytes) -> DeleteObjects:
    """The body of DELETE Multiple Objects.

    Raises COSError(MalformedXML, XMLSizeLimit, InvalidArgument, InvalidURI, KeyTooLong).
    """
    root = _read_root(body, "Delete")
    _allow_only(root, {"Quiet", "Object"})
    listed = root.all("Object")
    if not 1 <= len(listed) <= MAX_DELETED_OBJECTS:
        raise COSError("MalformedXML", f"Expected 1 to {MAX_DELETED_OBJECTS} objects to delete, got {len(listed)}.")
    return DeleteObjects(quiet=_read_quiet(root), objects=tuple(_read_object(item) for item in listed))


def read_complete_parts(body: bytes) -> tuple[CompletedPart, ...]:
    """The body of Complete Multipart Upload, in the order given: 1 to 10,000 parts.

    Other elements of a part (checksums, from S3 clients) are passed over. Whether the order and the ETags are
    right is not judged here. Raises COSError(MalformedXML, XMLSizeLimit, InvalidArgument).
    """
    root = _read_root(body, "CompleteMultipartUpload")
    _allow_only(root, {"Part"})
    if not 1 <= len(root.children) <= MAX_PARTS:
        raise COSError("MalformedXML", f"Expected 1 to {MAX_PARTS} parts, got {len(root.children)}.")
    return tuple(
        CompletedPart(
            part_number=parse_part_number(_required_text(part, "PartNumber").strip()),
            etag=_required_text(part, "ETag").strip().removeprefix('"').removesuffix('"'),
        )
        for part in root.children
    )


def _read_root(body: bytes, tag: str) -> Element:
    root = parse_xml(body, max_bytes=MAX_DOCUMENT_BYTES)
    if root.tag != tag:
        raise COSError("MalformedXML", f"Expected a <{tag}> document, got <{root.tag[:40]}>.")
    if root.text.strip():
        raise COSError("MalformedXML", f"Expected elements in <{tag}>, got text.")
    return root


def _read_quiet(root: Element) -> bool:
    if root.first("Quiet") is None:
        return False
    text = _required_text(root, "Quiet").strip().lower()
    if text not in ("true", "false"):
        raise COSError("MalformedXML", f"Expected <Quiet> to be true or false, got {text[:40]!r}.")
    return text == "true"


def _read_object(item: Element) -> ObjectVersion:
    _allow_only(item, {"Key", "VersionId"})
    key = parse_object_key(_required_text(item, "Key").encode("utf-8"))
    # An empty version names none: some clients write the element whenever their structure has the field.
    version = _required_text(item, "VersionId") if item.first("VersionId") is not None else ""
    return ObjectVersion(key=key, version_id=parse_version_id(version) if version else None)


def _required_text(parent: Element, tag: str) -> str:
    """The text of the only child of that tag."""
    found = parent.all(tag)
    if len(found) != 1 or found[0].children:
        raise COSError("MalformedXML", f"Expected one <{tag}> with text in <{parent.tag}>, got {len(found)}.")
    return found[0].text


def _allow_only(parent: Element, tags: set[str]) -> None:
    for child in parent.children:
        if child.tag not in tags:
            raise COSError("MalformedXML", f"Expected no <{child.tag[:40]}> in <{parent.tag}>.")
