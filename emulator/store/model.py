"""The records a store keeps. All immutable; a change is a new record.

Content is never copied inside the store: an object or part is a sequence of extents of immutable blobs, so a
copy of any size is a few numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

NULL_VERSION = "null"
"""The version ID of an object written while versioning was off or suspended."""


class Versioning(StrEnum):
    """A bucket's versioning state. `OFF` means it was never switched on."""

    OFF = ""
    ENABLED = "Enabled"
    SUSPENDED = "Suspended"


class ObjectKind(StrEnum):
    """How an object came to be: `x-cos-object-type`."""

    NORMAL = "normal"
    APPENDABLE = "appendable"


@dataclass(frozen=True, slots=True)
class Extent:
    """`length` bytes of a blob from `offset`."""

    blob: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes of an object or part, by reference. `etag` is unquoted; for one blob it is the hex MD5.

    `part_bytes` are the sizes of the parts that a multipart upload joined, in order; empty for everything else.
    """

    extents: tuple[Extent, ...]
    size_bytes: int
    etag: str
    crc64: int
    part_bytes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a client said about an object.

    `headers` are lower-case names with values as received (latin-1 decoded bytes); user metadata is named
    `meta-<name>`, without the dialect's prefix. `encryption` is `AES256` or empty, `customer_key_md5` the MD5 (base64)
    of the customer's key or empty.
    """

    headers: tuple[tuple[str, str], ...] = ()
    storage_class: str = "STANDARD"
    encryption: str = ""
    customer_key_md5: str = ""


@dataclass(frozen=True, slots=True)
class BucketRecord:
    """A bucket. `account` is its APPID; accounts in `shared_with` may read its objects. Times are Unix seconds."""

    name: str
    region: str
    account: str
    created: float
    versioning: Versioning = Versioning.OFF
    shared_with: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """One version of an object; `content` is None for a delete marker. A higher `sequence` is newer."""

    bucket: str
    key: str
    version_id: str
    modified: float
    content: Content | None
    metadata: Metadata = Metadata()
    kind: ObjectKind = ObjectKind.NORMAL
    sequence: int = 0
    current: bool = True


@dataclass(frozen=True, slots=True)
class Upload:
    """A multipart upload that was initiated and neither completed nor aborted."""

    upload_id: str
    bucket: str
    key: str
    initiated: float
    metadata: Metadata


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an upload; its content's ETag is the hex MD5."""

    upload_id: str
    number: int
    modified: float
    content: Content


@dataclass(frozen=True, slots=True)
class BlobRecord:
    """A sealed blob and its digest; the store counts references to it.

    `md5` is an opaque multipart ETag (`…-N`) for a large synthetic blob.
    """

    blob: str
    size_bytes: int
    md5: str
    crc64: int

    @property
    def content(self) -> Content:
        """The whole blob as content; an empty blob has no extents and need not be kept."""
        extents = (Extent(self.blob, 0, self.size_bytes),) if self.size_bytes else ()
        return Content(extents, self.size_bytes, self.md5, self.crc64)


def slice_extents(extents: Iterable[Extent], first: int, length: int) -> tuple[Extent, ...]:
    """The extents covering `length` bytes from offset `first`; the range must lie inside."""
    sliced: list[Extent] = []
    skip, wanted = first, length
    for extent in extents:
        if wanted == 0:
            break
        if skip >= extent.length:
            skip -= extent.length
            continue
        taken = min(extent.length - skip, wanted)
        sliced.append(Extent(extent.blob, extent.offset + skip, taken))
        wanted -= taken
        skip = 0
    if wanted:
        raise ValueError(f"expected a range inside the content, got {wanted} bytes beyond its end")
    return merge_extents(sliced)


def merge_extents(extents: Iterable[Extent]) -> tuple[Extent, ...]:
    """The same bytes with adjoining extents of one blob joined, so that copies of copies stay short."""
    merged: list[Extent] = []
    for extent in extents:
        if merged and merged[-1].blob == extent.blob and merged[-1].offset + merged[-1].length == extent.offset:
            last = merged.pop()
            extent = Extent(last.blob, last.offset, last.length + extent.length)
        merged.append(extent)
    return tuple(merged)
