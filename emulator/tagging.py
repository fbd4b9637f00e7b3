"""Tags: in the `x-cos-tagging` header, as the document `?tagging` returns, and how many an object has.

Source: COS API, "PUT Object tagging", "PUT Bucket tagging"; AWS, S3 API, "Object tagging", whose limits these are.
"""

from __future__ import annotations

from collections.abc import Sequence

from cos.errors import COSError
from cos.target import Parameter, parse_query
from cos.xml import element, parse_xml, render_document
from emulator.body import MAX_DOCUMENT_BYTES
from emulator.exchange import Exchange

MAX_TAGS = 10
MAX_BUCKET_TAGS = 50
MAX_KEY_CHARACTERS = 128
MAX_VALUE_CHARACTERS = 256


def read_tagging(exchange: Exchange) -> bytes | None:
    """The header `key=value&…` as a Tagging document, or None. Raises COSError(InvalidTag, InvalidArgument)."""
    text = exchange.control("tagging")
    if not text:
        return None
    tags = parse_query(text.encode())
    _check(tags, most=MAX_TAGS)
    rows = [element("Tag", element("Key", tag.name), element("Value", tag.value)) for tag in tags]
    return render_document(element("Tagging", element("TagSet", *rows)))


def check_tagging(document: bytes, *, most: int) -> None:
    """Refuse a document that is no set of tags, or too large a one. Raises COSError(MalformedXML, InvalidTag)."""
    _check(_read_tags(document), most=most)


def count_tags(document: bytes | None) -> int:
    """How many tags a kept document holds."""
    return len(_read_tags(document)) if document is not None else 0


def _read_tags(document: bytes) -> list[Parameter]:
    root = parse_xml(document, max_bytes=MAX_DOCUMENT_BYTES)
    found = root.first("TagSet")
    if root.tag != "Tagging" or found is None:
        raise COSError("MalformedXML", "Expected Tagging with a TagSet.")
    return [Parameter(tag.text_of("Key"), tag.text_of("Value")) for tag in found.all("Tag")]


def _check(tags: Sequence[Parameter], *, most: int) -> None:
    if len(tags) > most or len({tag.name for tag in tags}) != len(tags):
        raise COSError("InvalidTag", f"Expected at most {most} tags with different keys.")
    for name, value in tags:
        if not 1 <= len(name) <= MAX_KEY_CHARACTERS or len(value) > MAX_VALUE_CHARACTERS:
            raise COSError(
                "InvalidTag",
                f"Expected a tag's key of 1 to {MAX_KEY_CHARACTERS} characters and a value of at most "
                f"{MAX_VALUE_CHARACTERS}.",
            )
