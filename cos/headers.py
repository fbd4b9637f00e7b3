"""HTTP header fields as received: lower-case names, raw values, repeats kept.

Source: RFC 9110 §5. Values are the bytes of the wire without surrounding white space; COS clients put raw
UTF-8 in them, so text is decoded only where a document says what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import repeat
from operator import itemgetter
from typing import Any, ClassVar

from msgspec import Struct

from cos.characters import PRINTABLE
from cos.errors import COSError

_name_of, _value_of = itemgetter(0), itemgetter(1)
_SURROUNDING = repeat(b" \t")


class FieldNames:
    """The field names of a request, in order and lower-case: one object for all requests that have the same.

    A client sends the same names over and over. What follows from the names alone is worked out once by functions
    that remember their result by this object.
    """

    __slots__ = ("distinct", "names", "repeats")

    def __init__(self, names: tuple[bytes, ...]) -> None:
        self.names = names
        self.distinct = tuple(dict.fromkeys(names))
        self.repeats = len(self.distinct) != len(names)


field_names = lru_cache(maxsize=256)(FieldNames)
"""The one object for these lower-case names. It remembers so many sets, whoever sends them."""


@lru_cache(maxsize=256)
def _field_names_of(received: tuple[bytes, ...]) -> FieldNames:
    """The same for names in any case."""
    names = tuple(map(bytes.lower, received))
    return field_names(received if names == received else names)


def names_and_values(fields: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Pairs taken apart."""
    received = tuple(fields)
    return tuple(map(_name_of, received)), tuple(map(_value_of, received))


def without_blanks(values: Iterable[bytes]) -> tuple[bytes, ...]:
    """Values without the white space around them, which belongs to the lines they come in."""
    return tuple(map(bytes.strip, values, _SURROUNDING))


def picker(places: Sequence[int]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """What takes the items at these places out of a tuple, in their order."""
    if len(places) > 1:
        return itemgetter(*places)
    # Of one place `itemgetter` gives the item itself; of a slice it gives a tuple.
    first = places[0] if places else 0
    return itemgetter(slice(first, first + len(places)))


def printable_text(name: bytes, value: bytes) -> str:
    """The value of a field as ASCII text. Raises COSError(InvalidRequest) when it is not visible ASCII and blanks."""
    if value.translate(PRINTABLE) != value:
        raise COSError("InvalidRequest", f"Expected {name.decode('ascii', 'replace')!r} to be printable ASCII.")
    return value.decode("ascii")


class AnswerFields(Struct, frozen=True, gc=False):
    """The fields of an answer: lower-case names, and as many values, in order and repeats included.

    Apart, because what follows from the names alone is remembered by them. Iterating gives pairs.
    """

    names: tuple[bytes, ...]
    values: tuple[bytes, ...]

    @classmethod
    def of(cls, fields: Iterable[tuple[bytes, bytes]]) -> AnswerFields:
        """The same fields, given as pairs."""
        return cls(*names_and_values(fields))

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        return zip(self.names, self.values, strict=True)


_NONE_REPEATED: dict[bytes, list[bytes]] = {}


class Headers:
    """An immutable ordered multi-map from lower-case field name to raw value.

    `values` are in the order of `known.names`.
    """

    __slots__ = ("_by_name", "_repeated", "get", "known", "values")

    plain: ClassVar[bool] = False
    """Whether the values are known to hold no control characters and to be few enough: nobody need look again."""
    known: FieldNames
    values: tuple[bytes, ...]
    get: Callable[[bytes], bytes | None]
    """The value of a field that may appear once. Raises COSError(InvalidRequest) when it is repeated."""

    def __init__(self, names: Sequence[bytes], values: Sequence[bytes]) -> None:
        """As many values as names, as received: `of` is for pairs."""
        self.known = known = _field_names_of(tuple(names))
        self.values = stripped = without_blanks(values)
        # They are as many; asking `zip` to see to it costs half as much again.
        self._by_name = by_name = dict(zip(known.names, stripped))  # noqa: B905
        # Nearly always no field is repeated, and the dictionary's own method is the whole answer.
        self._repeated = _NONE_REPEATED
        self.get = by_name.get
        if known.repeats:
            self._repeated = {name: [] for name in known.distinct}
            for name, value in self:
                self._repeated[name].append(value)
            self.get = partial(_get_single, self._repeated)

    @classmethod
    def of(cls, fields: Iterable[tuple[bytes, bytes]]) -> Headers:
        """The same fields, given as pairs."""
        return cls(*names_and_values(fields))

    def __contains__(self, name: bytes) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        return zip(self.known.names, self.values, strict=True)

    def __len__(self) -> int:
        return len(self.values)

    def names(self) -> Iterable[bytes]:
        """Each field name once, in order of first appearance."""
        return self.known.distinct

    def get_all(self, name: bytes) -> list[bytes]:
        """Every value of a field, in order; empty when absent."""
        if self._repeated:
            return list(self._repeated.get(name, ()))
        value = self._by_name.get(name)
        return [] if value is None else [value]

    def text(self, name: bytes) -> str | None:
        """`get` as ASCII text. Raises COSError(InvalidRequest) when repeated or not visible ASCII."""
        value = self.get(name)
        return printable_text(name, value) if value is not None else None

    def __repr__(self) -> str:
        # Values may be credentials: only the names are shown.
        return f"Headers({', '.join(name.decode('latin-1') for name in self.known.names)})"


class PlainHeaders(Headers):
    """Made of names that are known not to repeat, and of as many values without white space around them.

    No value holds a control character but HTAB, and all of it is within the bounds of `cos.request`.
    """

    __slots__ = ()

    plain = True

    def __init__(self, known: FieldNames, values: tuple[bytes, ...]) -> None:
        self.known = known
        self.values = values
        self._by_name = by_name = dict(zip(known.names, values))  # noqa: B905  # as above
        self._repeated = _NONE_REPEATED
        self.get = by_name.get


def _get_single(repeated: dict[bytes, list[bytes]], name: bytes) -> bytes | None:
    values = repeated.get(name)
    if values is not None and len(values) > 1:
        raise COSError("InvalidRequest", f"Expected one {name.decode('ascii', 'replace')!r} header.")
    return values[0] if values else None
