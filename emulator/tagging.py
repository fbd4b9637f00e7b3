"""Object tags given in the `x-cos-tagging` header, as the document `?tagging` returns."""

from __future__ import annotations

from cos.errors import COSError
from cos.target import parse_query
from cos.xml import element, render_document
from emulator.exchange import Exchange

MAX_TAGS = 10


def read_tagging(exchange: Exchange) -> bytes | None:
    """The header `key=value&…` as a Tagging document, or None. Raises COSError(InvalidArgument)."""
    text = exchange.control("tagging")
    if not text:
        return None
    tags = parse_query(text.encode())
    if len(tags) > MAX_TAGS or len({tag.name for tag in tags}) != len(tags):
        raise COSError("InvalidArgument", f"Expected at most {MAX_TAGS} tags with different keys.")
    rows = [element("Tag", element("Key", tag.name), element("Value", tag.value)) for tag in tags]
    return render_document(element("Tagging", element("TagSet", *rows)))
