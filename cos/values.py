"""The small values every other module speaks in: bucket, region, object key, part number, upload ID.

Each is its plain text after one check, so that a value of the type can be used without checking again.
Source: COS API, "Bucket Overview", "Object Overview", "Multipart Upload" (436/14112).
"""

from __future__ import annotations

import re
from typing import NewType

from cos.characters import NO_CONTROLS
from cos.errors import COSError
from cos.remembering import remembering

Bucket = NewType("Bucket", str)
"""`<BucketName>-<APPID>`: lower-case letters, digits and hyphens, then the numeric APPID."""
Region = NewType("Region", str)
"""A region name such as `ap-guangzhou`."""
ObjectKey = NewType("ObjectKey", str)
"""1 to 1,024 bytes of UTF-8 without control characters; `..`, `./` and `//` are ordinary characters."""
PartNumber = NewType("PartNumber", int)
"""1 to 10,000."""
UploadId = NewType("UploadId", str)
VersionId = NewType("VersionId", str)

MAX_KEY_BYTES = 1024
MAX_BUCKET_CHARACTERS = 60
MIN_PART_NUMBER = 1
MAX_PART_NUMBER = 10_000
MAX_ID_CHARACTERS = 1024

_BUCKET = re.compile(r"([a-z0-9](?:[a-z0-9-]*[a-z0-9])?)-([0-9]{1,20})", re.ASCII)
_REGION = re.compile(r"[a-z]{2,8}(?:-[a-z0-9]{1,24}){0,4}", re.ASCII)
_PART_NUMBER = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_ID = re.compile(r"[!-~]+", re.ASCII)


def parse_bucket(text: str) -> Bucket:
    """A bucket name with its APPID. Raises COSError(InvalidBucketName)."""
    if len(text) > MAX_BUCKET_CHARACTERS or _BUCKET.fullmatch(text) is None:
        raise COSError("InvalidBucketName", f"Expected a bucket name like examplebucket-1250000000, got {text[:80]!r}.")
    return Bucket(text)


def appid_of(bucket: Bucket) -> str:
    """The account a bucket belongs to: the digits after its last hyphen."""
    return bucket.rpartition("-")[2]


def parse_region(text: str) -> Region:
    """A region name. Raises COSError(InvalidRegionName)."""
    if len(text) > 40 or _REGION.fullmatch(text) is None:
        raise COSError("InvalidRegionName", f"Expected a region like ap-guangzhou, got {text[:80]!r}.")
    return Region(text)


def parse_object_key(raw: bytes) -> ObjectKey:
    """A percent-decoded object key. Raises COSError(InvalidURI, KeyTooLong)."""
    if not raw:
        raise COSError("InvalidURI", "Expected an object key, got an empty one.")
    if len(raw) > MAX_KEY_BYTES:
        raise COSError("KeyTooLong", f"Expected a key of at most {MAX_KEY_BYTES} bytes, got {len(raw)}.")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise COSError("InvalidURI", "Expected an object key in UTF-8.") from None
    if raw.translate(NO_CONTROLS) != raw:
        raise COSError("InvalidURI", "Expected an object key without control characters.")
    return ObjectKey(text)


@remembering(MAX_PART_NUMBER)  # every one there is
def parse_part_number(text: str) -> PartNumber:
    """ASCII digits without leading zeros, 1 to 10,000. Raises COSError(InvalidArgument)."""
    if _PART_NUMBER.fullmatch(text):
        number = int(text)
        if number <= MAX_PART_NUMBER:
            return PartNumber(number)
    raise COSError(
        "InvalidArgument",
        f"Expected partNumber to be an integer from {MIN_PART_NUMBER} to {MAX_PART_NUMBER}, got {text[:40]!r}.",
    )


@remembering(256)  # the parts of an upload name it
def parse_upload_id(text: str) -> UploadId:
    """An opaque upload ID of visible ASCII. Raises COSError(InvalidArgument)."""
    return UploadId(_parse_id("uploadId", text))


def parse_version_id(text: str) -> VersionId:
    """An opaque version ID of visible ASCII (or `null`). Raises COSError(InvalidArgument)."""
    return VersionId(_parse_id("versionId", text))


def _parse_id(name: str, text: str) -> str:
    if len(text) > MAX_ID_CHARACTERS or _ID.fullmatch(text) is None:
        raise COSError(
            "InvalidArgument",
            f"Expected {name} to be 1 to {MAX_ID_CHARACTERS} visible ASCII characters, got {text[:40]!r}.",
        )
    return text
