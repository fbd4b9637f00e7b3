"""Where settings come from: the YAML file, the environment, the command line. Each becomes a `Layer`.

A layer is plain values and, for each, the mark of where it was written. Laid over one another, mappings merge key
by key and everything else is replaced as a whole, so a list is never half from a file and half from a flag.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource

from gateway.configuration.errors import Location, Mark, SettingsError, known_keys, render_key
from policies import nodes
from policies.nodes import parse_nodes
from policies.problems import PolicyErrors, did_you_mean

ENVIRONMENT_PREFIX = "COSGW_"
NOT_SETTINGS = {"COSGW_CONFIG", "COSGW_ADMIN_TOKEN", "COSGW_ADMIN_TOKEN_FILE"}
"""Variables that the command line reads itself: the file of settings, and the token for `--server`."""
"""Names the configuration file for the command line; it is not a setting."""
MAX_FILE_BYTES = 4 * 1024 * 1024

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_ALIASES = {"COSGW_MASTER_KEY": "COSGW_MASTER_KEY__VALUE", "COSGW_MASTER_KEY_FILE": "COSGW_MASTER_KEY__FILE"}


@dataclass(slots=True)
class Layer:
    """The values of one source, the marks of their places, and what was wrong already while reading."""

    values: dict[str, Any] = field(default_factory=dict)
    marks: dict[Location, Mark] = field(default_factory=dict)
    errors: list[SettingsError] = field(default_factory=list)

    def mark_of(self, location: Location) -> Mark:
        """The mark of a value, or of the nearest thing around it."""
        for length in range(len(location), -1, -1):
            if (mark := self.marks.get(location[:length])) is not None:
                return mark
        return Mark("configuration")


def lay_over(base: Layer, upper: Layer) -> Layer:
    """`upper` over `base`."""
    values, replaced = _merge(base.values, upper.values, ())
    marks = {
        location: mark
        for location, mark in base.marks.items()
        if not any(location[: len(prefix)] == prefix for prefix in replaced)
    }
    return Layer(values, {**marks, **upper.marks}, [*base.errors, *upper.errors])


def _merge(
    base: Mapping[str, Any], upper: Mapping[str, Any], location: Location
) -> tuple[dict[str, Any], list[Location]]:
    merged, replaced = dict(base), []
    for key, value in upper.items():
        here = (*location, key)
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key], inner = _merge(merged[key], value, here)
            replaced += inner
        else:
            merged[key] = value
            replaced.append(here)
    return merged, replaced


# --- the file ----------------------------------------------------------------------------------------------


def read_file_layer(path: Path) -> Layer:
    """A YAML file, with the line of every key. Values stay text, to be read as what their field wants."""
    layer = Layer(marks={(): Mark(str(path), in_file=True)})
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return _fail(layer, path, None, "no file", "a configuration file", "name it with --config")
    except OSError as error:
        return _fail(layer, path, None, f"{error.strerror}", "a readable file")
    if len(raw) > MAX_FILE_BYTES:
        return _fail(layer, path, None, f"more than {MAX_FILE_BYTES} bytes", "a smaller file")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _fail(layer, path, raw[: error.start].count(b"\n") + 1, "bytes that are not UTF-8", "UTF-8 text")
    if all(not line.strip() or line.lstrip().startswith("#") for line in text.splitlines()):
        return layer
    try:
        root = parse_nodes(str(path), text)
    except PolicyErrors as broken:
        for problem in broken.errors:
            _fail(layer, path, problem.line, problem.found, problem.expected, problem.hint or None)
        return layer
    if not isinstance(root, nodes.Mapping):
        return _fail(layer, path, root.line, f"{root}", "a mapping of keys to values")
    values = _read_mapping(root, (), layer, str(path))
    # A group whose every line is commented out is null to YAML; to a reader it is a group left at its defaults.
    layer.values = {key: value for key, value in values.items() if value is not None}
    return layer


def _read_mapping(node: nodes.Mapping, location: Location, layer: Layer, source: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in node.entries:
        mark = Mark(source, key.line, in_file=True)
        here = (*location, key.text)
        if key.text in values:
            first = f"it stands on line {layer.marks[here].line}"
            layer.errors.append(SettingsError(mark, render_key(here), "a repeated key", "each key once", first))
            continue
        layer.marks[here] = mark
        values[key.text] = _read_node(value, here, layer, source)
    return values


def _read_node(node: nodes.Node, location: Location, layer: Layer, source: str) -> Any:
    if isinstance(node, nodes.Mapping):
        return _read_mapping(node, location, layer, source)
    if isinstance(node, nodes.Sequence):
        items = []
        for index, item in enumerate(node.items):
            layer.marks[(*location, index)] = Mark(source, item.line, in_file=True)
            items.append(_read_node(item, (*location, index), layer, source))
        return items
    return None if node.plain and node.text in _NULLS else node.text


def _fail(layer: Layer, path: Path, line: int | None, found: str, expected: str, hint: str | None = None) -> Layer:
    layer.errors.append(SettingsError(Mark(str(path), line, in_file=True), "", found, expected, hint))
    return layer


# --- the environment ---------------------------------------------------------------------------------------


class _Environment(EnvSettingsSource):
    """pydantic-settings' reader over a given mapping. Lists are JSON, or texts between commas."""

    def __init__(self, settings: type[BaseSettings], variables: Mapping[str, str]) -> None:
        self._variables = {name.lower(): value for name, value in variables.items()}
        super().__init__(settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._variables

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            # Not JSON: the words of a list. Where a list is not wanted, validation says what is.
            return [item.strip() for item in value.split(",")]


def read_environment_layer(settings: type[BaseSettings], environment: Mapping[str, str]) -> Layer:
    """The `COSGW_…` variables; empty ones count as absent, unknown ones are errors."""
    layer = Layer()
    variables: dict[str, str] = {}
    for name in sorted(environment):
        if not name.startswith(ENVIRONMENT_PREFIX) or name in NOT_SETTINGS or not environment[name]:
            continue
        target = _ALIASES.get(name, name)
        location = tuple(target.removeprefix(ENVIRONMENT_PREFIX).lower().split("__"))
        if unknown := _unknown_variable(settings, name, location):
            layer.errors.append(unknown)
            continue
        variables[target] = environment[name]
        layer.marks[location] = Mark(f"environment variable {name}")
    layer.values = _Environment(settings, variables)()
    return layer


def _unknown_variable(settings: type[BaseSettings], name: str, location: tuple[str, ...]) -> SettingsError | None:
    for depth, step in enumerate(location):
        known = known_keys(settings, location[:depth])
        if step not in known:
            hint = did_you_mean(step, known) or None
            return SettingsError(Mark("environment"), name, "an unknown variable", "the name of a setting", hint)
    return None


# --- the command line --------------------------------------------------------------------------------------


def read_flag_layer(overrides: Mapping[str, Any]) -> Layer:
    """Values by dotted key (`{"data.port": 0}`), from flags or from a program."""
    layer = Layer()
    for key, value in overrides.items():
        *parents, last = key.split(".")
        group = layer.values
        for parent in parents:
            group = group.setdefault(parent, {})
        group[last] = value
        layer.marks[(*parents, last)] = Mark("command line")
    return layer
