"""HTTP header fields as received: lower-case names, raw values, repeats kept.

Source: RFC 9110 §5. Values are the bytes of the wire without surrounding white space; COS clients put raw
UTF-8 in them, so text is decoded only where a document says what it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cos.errors import COSError


class Headers:
    """An immutable ordered multi-map from lower-case field name to raw value."""

    __slots__ = ("_by_name", "fields")

    fields: tuple[tuple[bytes, bytes], ...]

    def __init__(self, fields: Iterable[tuple[bytes, bytes]]) -> None:
        self.fields = tuple([(name.lower(), value.strip(b" \t")) for name, value in fields])
        by_name: dict[bytes, bytes | list[bytes]] = {}
        for name, value in self.fields:
            held = by_name.get(name)
            if held is None:
                by_name[name] = value
            elif isinstance(held, list):
                held.append(value)
            else:
                by_name[name] = [held, value]
        self._by_name = by_name

    def __contains__(self, name: bytes) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)

    @property
    def repeats(self) -> bool:
        """Whether any field appears more than once."""
        return len(self._by_name) != len(self.fields)

    def names(self) -> Iterable[bytes]:
        """Each field name once, in order of first appearance."""
        return self._by_name.keys()

    def get_all(self, name: bytes) -> list[bytes]:
        """Every value of a field, in order; empty when absent."""
        held = self._by_name.get(name)
        if held is None:
            return []
        return list(held) if isinstance(held, list) else [held]

    def get(self, name: bytes) -> bytes | None:
        """The value of a field that may appear once. Raises COSError(InvalidRequest) when it is repeated."""
        held = self._by_name.get(name)
        if isinstance(held, list):
            raise COSError("InvalidRequest", f"Expected one {name.decode('ascii', 'replace')!r} header.")
        return held

    def text(self, name: bytes) -> str | None:
        """`get` as ASCII text. Raises COSError(InvalidRequest) when repeated or not visible ASCII."""
        value = self.get(name)
        if value is None:
            return None
        text = value.decode("latin-1")
        if not text.isascii() or not text.isprintable():
            raise COSError("InvalidRequest", f"Expected {name.decode('ascii', 'replace')!r} to be printable ASCII.")
        return text

    def __repr__(self) -> str:
        # Values may be credentials: only the names are shown.
        return f"Headers({', '.join(name.decode('latin-1') for name, _ in self.fields)})"
