"""Header names in the spelling COS writes them, kept through uvicorn.

HTTP does not care about the case of names, but clients do: the Python SDK gives its callers a plain dictionary
of response headers, and its users read `response["ETag"]` and `response["Content-Length"]`.
"""

from __future__ import annotations

_SPELLINGS = {"etag": "ETag"}


class WireName(bytes):
    """A header name that stays as it is written: `lower()` is itself, and it equals its lower-case bytes.

    uvicorn lower-cases names before it writes them and compares them with lower-case constants.
    """

    __slots__ = ()

    def lower(self) -> WireName:
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, bytes) and bytes.lower(self) == bytes.lower(other)

    def __hash__(self) -> int:
        return hash(bytes.lower(self))


def wire_name(name: str) -> WireName:
    """`content-type` → `Content-Type`, `etag` → `ETag`; `x-…` names stay in lower case."""
    if name.startswith("x-"):
        return WireName(name.encode("ascii"))
    return WireName((_SPELLINGS.get(name) or "-".join(word.capitalize() for word in name.split("-"))).encode("ascii"))
