"""Sizes as policy documents write them: plain bytes, or KiB, MiB, GiB, TiB.

COS's own pages write MB and GB and mean binary units; other readers mean decimal ones. Documents must not have
two meanings, so `MB` is refused with a hint.
"""

from __future__ import annotations

import re
from typing import NewType

Size = NewType("Size", int)
"""A number of bytes, zero or more."""

_UNITS = {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "TiB": 1024**4}
_GRAMMAR = re.compile(r"([0-9]{1,18}) ?([A-Za-z]{0,4})", re.ASCII)


def parse_size(text: str) -> Size:
    """`1048576`, `1MiB` or `1 MiB`. Raises ValueError."""
    match = _GRAMMAR.fullmatch(text)
    if match is None:
        raise ValueError("expected a size: whole bytes, or a whole number of KiB, MiB, GiB or TiB")
    number, unit = int(match[1]), match[2]
    if not unit:
        return Size(number)
    if unit not in _UNITS:
        binary = {name[0].lower(): name for name in _UNITS}.get(unit[0].lower())
        hint = f"; write {number}{binary} (binary), or the number of bytes" if binary else ""
        raise ValueError(f"expected a size in bytes, KiB, MiB, GiB or TiB, not {unit}{hint}")
    return Size(number * _UNITS[unit])


def render_size(size_bytes: int) -> str:
    """Exactly, in the largest unit that divides it: `1 GiB`, `1025 MiB`, `91 bytes`."""
    for unit, factor in reversed(_UNITS.items()):
        if size_bytes >= factor and size_bytes % factor == 0:
            return f"{size_bytes // factor} {unit}"
    return "1 byte" if size_bytes == 1 else f"{size_bytes} bytes"
