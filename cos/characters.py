"""What a text of bytes is made of: asked of every request, many times.

    VISIBLE = unchanged(range(0x21, 0x7F))
    if text.translate(VISIBLE) != text:  # it has other bytes

`translate` gives back what it was given when nothing changes, so that the comparison looks at no byte; taking the
bytes out (`text.translate(None, other)`) takes twice as long, and an expression four times.
"""

from __future__ import annotations

from collections.abc import Iterable


def unchanged(characters: Iterable[int]) -> bytes:
    """A table for `bytes.translate` that leaves these bytes as they are, and no others."""
    kept = frozenset(characters)
    stand_in = min(kept)
    return bytes([byte if byte in kept else stand_in for byte in range(256)])


UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~"
"""What stands for itself wherever something is percent-encoded (RFC 3986 §2.3)."""
FIELD_TEXT = unchanged({0x09, *range(0x20, 0x7F), *range(0x80, 0x100)})
"""Of values of header fields: all but control characters, of which a tab is none here (RFC 9110 §5.5)."""
VISIBLE = unchanged(range(0x21, 0x7F))
"""Visible ASCII."""
PRINTABLE = unchanged(range(0x20, 0x7F))
"""Visible ASCII and spaces."""
NO_CONTROLS = unchanged({*range(0x20, 0x7F), *range(0x80, 0x100)})
"""All but control characters, tabs included."""
