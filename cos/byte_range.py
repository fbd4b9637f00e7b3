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
    match = _GRAMMAR.fullmatch(text)
    if match is None:
        raise COSError("InvalidArgument", f"Expected a range like bytes=first-last, got {text[:60]!r}.")
    first, last = int(match[1]), int(match[2])
    if first > last:
        raise COSError("InvalidArgument", f"Expected first <= last in the range, got {text[:60]!r}.")
    return ByteRange(first, last)
