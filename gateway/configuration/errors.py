"""What is wrong with a configuration, said so that it can be mended: where, which key, what was found and expected.

Values are shown only when a known, secret-free field holds a single value; a secret typed under the wrong key
must not end in a log.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from gateway.secret import Secret
from policies.problems import did_you_mean

Location = tuple[str | int, ...]
"""The way to a value: `("buckets", 0, "region")`."""

_MAX_FOUND_CHARACTERS = 60
_PASSWORD = re.compile(r"//[^/@]*@")
_TIME = "a time with its zone, such as 2027-01-01T00:00:00Z"
_EXPECTATIONS = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "datetime_from_date_parsing": _TIME,
    "datetime_object_invalid": _TIME,
    "datetime_parsing": _TIME,
    "datetime_type": _TIME,
    "dict_type": "a mapping of keys to values",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "mapping_type": "a mapping of keys to values",
    "missing": "a value",
    "model_attributes_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "path_type": "a path",
    "string_type": "text (in quotes if it looks like a number)",
    "timezone_aware": _TIME,
    "tuple_type": "a list",
}


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a value came from: a file with the line (from 1), an environment variable or a flag."""

    source: str
    line: int | None = None
    in_file: bool = False


@dataclass(frozen=True, slots=True)
class SettingsError:
    """One thing wrong. `str()` is the line shown to the operator."""

    mark: Mark
    key: str
    found: str
    expected: str
    hint: str | None = None

    def __str__(self) -> str:
        place = self.mark.source if self.mark.line is None else f"{self.mark.source}:{self.mark.line}"
        key = f"{self.key}: " if self.key else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}: {key}found {self.found}, expected {self.expected}{hint}"


class SettingsErrors(Exception):
    """Everything wrong with the configuration, in the order of its sources and lines."""

    def __init__(self, errors: Iterable[SettingsError]) -> None:
        self.errors = tuple(sorted(errors, key=lambda error: (error.mark.source, error.mark.line or 0)))
        super().__init__("\n".join(map(str, self.errors)))


def render_key(location: Location) -> str:
    """`("buckets", 0, "region")` → `buckets[0].region`."""
    text = ""
    for step in location:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def translate(model: type[BaseModel], problem: Mapping[str, Any], mark: Mark) -> SettingsError:
    """One of pydantic's errors (an item of `ValidationError.errors()`) in our words."""
    location: Location = problem["loc"]
    kind = problem["type"]
    context: Mapping[str, Any] = problem.get("ctx", {})
    if kind == "extra_forbidden":
        known = known_keys(model, location[:-1])
        return SettingsError(
            mark,
            render_key(location),
            "an unknown key",
            f"one of {', '.join(sorted(known))}" if known else "no such key",
            did_you_mean(str(location[-1]), known) or None,
        )
    found = "nothing" if kind == "missing" else describe(model, location, problem.get("input"))
    return SettingsError(mark, render_key(location), found, _expectation(kind, context, problem["msg"]))


def describe(model: type[BaseModel], location: Location, value: object) -> str:
    """What was found, as far as it may be shown."""
    annotation = annotation_at(model, location)
    match value:
        case None:
            return "null"
        case Secret():
            return "a secret"
        case Mapping():
            return "a mapping"
        case Sequence() if not isinstance(value, str):
            return "a list"
        case _ if not _may_be_shown(annotation):
            return "text" if isinstance(value, str) else "a number"
    text = _PASSWORD.sub("//***@", repr(value))
    return text if len(text) <= _MAX_FOUND_CHARACTERS else f"{text[:_MAX_FOUND_CHARACTERS]}…"


def _may_be_shown(annotation: Any) -> bool:
    """Whether a single value belongs there and is no secret."""
    members = _members(annotation)
    return not (annotation is None or _model_in(annotation) or Secret in members or any(map(get_origin, members)))


def known_keys(model: type[BaseModel], location: Location) -> frozenset[str]:
    """The keys that may stand in the mapping at `location`."""
    nested = model if not location else _model_in(annotation_at(model, location))
    return frozenset(nested.model_fields) if nested else frozenset()


def annotation_at(model: type[BaseModel], location: Location) -> Any:
    """The type declared for the value at `location`; None when there is no such field."""
    annotation: Any = model
    for step in location:
        if isinstance(step, int):
            items = [
                item for member in _members(annotation) if get_origin(member) is tuple for item in get_args(member)
            ]
            annotation = items[0] if items else None
        else:
            nested = _model_in(annotation)
            field = nested.model_fields.get(step) if nested else None
            annotation = field.annotation if field else None
        if annotation is None:
            return None
    return annotation


def _expectation(kind: str, context: Mapping[str, Any], message: str) -> str:
    match kind:
        case "expected" | "enum" | "literal_error":
            return str(context["expected"])
        case "greater_than_equal":
            return f"at least {context['ge']}"
        case "greater_than":
            return f"more than {context['gt']}"
        case "less_than_equal":
            return f"at most {context['le']}"
        case _:
            return _EXPECTATIONS.get(kind, message)


def _members(annotation: Any) -> tuple[Any, ...]:
    """The alternatives of a union, `Annotated` taken off."""
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(member for alternative in get_args(annotation) for member in _members(alternative))
    return (annotation,)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    for member in _members(annotation):
        if isinstance(member, type) and issubclass(member, BaseModel):
            return member
    return None
