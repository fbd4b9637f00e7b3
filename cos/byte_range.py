"""The `x-cos-copy-source-range` header: `bytes=first-last`, both ends inclusive.

Source: COS API, "Upload Part - Copy", request headers. The grammar is ASCII digits only: Python's `int`
would also take `1_0`, full-width digits and surrounding white space. Leading zeros, which no client sends, are
refused: one range has one spelling, so that what is sent on is what was received.
"""

from __future__ import annotations

import re

from msgspec import Struct
from msgspec.structs import force_setattr

from cos.errors import COSError

MAX_PART_BYTES = 5 * 1024**3
"""The largest part COS accepts, inclusive; binary units, as in every SDK (reference page §3.5)."""

_MAX_OFFSET = 10**18 - 1
_MAX_CHARACTERS = len(f"bytes={_MAX_OFFSET}-{_MAX_OFFSET}")
_GRAMMAR = re.compile(r"bytes=(0|[1-9][0-9]{0,17})-(0|[1-9][0-9]{0,17})", re.ASCII)


class ByteRange(Struct, frozen=True, gc=False):
    """A closed interval of byte offsets, zero-based: `first <= last`."""

    first: int
    last: int
    text: str = ""
    """`bytes=first-last`, the only spelling there is; always that of `first` and `last`."""

    def __post_init__(self) -> None:
        first, last = self.first, self.last
        if not 0 <= first <= last:
            raise ValueError(f"expected 0 <= first <= last, got {first}-{last}")
        force_setattr(self, "text", f"bytes={first}-{last}")

    @property
    def length_bytes(self) -> int:
        """Number of bytes covered. `bytes=0-9` covers 10."""
        return self.last - self.first + 1


def parse_byte_range(text: str) -> ByteRange:
    """A range header's value. Raises COSError(InvalidArgument)."""
    if len(text) > _MAX_CHARACTERS:
        raise _refused(text)
    first, _, last = text[6:].partition("-")
    try:
        byte_range = ByteRange(int(first), int(last))
    except ValueError:
        raise _refused(text) from None
    # Whatever else `int` takes is not what the range is written as.
    if byte_range.text != text or byte_range.last > _MAX_OFFSET:
        raise _refused(text)
    return byte_range


def _refused(text: str) -> COSError:
    expected = "first <= last in the range" if _GRAMMAR.fullmatch(text) else "a range like bytes=first-last"
    return COSError("InvalidArgument", f"Expected {expected}, got {text[:60]!r}.")
