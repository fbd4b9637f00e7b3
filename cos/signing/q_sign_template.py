"""HTTP strings of requests that have the same names: a template, made once, and the values to fill it with.

A client's requests have the same fields and parameters over and over, and all of a FormatString but the values follows
from the names. A template is made of names that are there once each; any other request goes through the documented
steps in `q_sign`, which also say what a filled template must be equal to.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cos.headers import picker
from cos.signing.encoding import encode_often, encode_values

Placed = tuple[str, int]
"""A canonical name, and where it is."""

_SAID_OFTEN = frozenset(
    {
        "content-length",
        "content-type",
        "host",
        "partnumber",
        "range",
        "uploadid",
        "uploads",
        "x-cos-acl",
        "x-cos-copy-source",
        "x-cos-copy-source-range",
        "x-cos-storage-class",
    }
)
"""Names whose values are no secrets, and in many requests: at least when one is signed that was verified."""


class HttpTemplate:
    """`put⏎%b⏎partnumber=%b&uploadid=%b⏎host=%b&range=%b⏎`, and where in a request the values are.

    Names come in the order they are listed, with their places among all parameters, or among all fields.
    """

    __slots__ = ("_encode_all", "_fields_of", "_parameters_of", "_text")

    def __init__(self, method: str, parameters: Sequence[Placed], fields: Sequence[Placed]) -> None:
        self._text = b"%b\n%%b\n%b\n%b\n" % (method.lower().encode(), _pairs(parameters), _pairs(fields))
        self._parameters_of = picker([place for _, place in parameters])
        self._fields_of = picker([place for _, place in fields])
        said_often = _SAID_OFTEN.issuperset([name for name, _ in (*parameters, *fields)])
        self._encode_all = _encode_often if said_often else encode_values

    def fill(self, path: bytes, parameter_values: tuple[str, ...], field_values: tuple[bytes, ...]) -> bytes:
        """The HTTP string of a request; the values are those of all its parameters and fields, in order, fields raw."""
        values = [*map(str.encode, self._parameters_of(parameter_values)), *self._fields_of(field_values)]
        return self._text % (path, *self._encode_all(values))


def _encode_often(values: list[bytes]) -> Iterable[bytes]:
    return map(encode_often, values)


def _pairs(placed: Sequence[Placed]) -> bytes:
    return b"&".join([b"%b=%%b" % name.encode().replace(b"%", b"%%") for name, _ in placed])
