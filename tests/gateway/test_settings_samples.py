"""The files in config/: the reference names every setting exactly once with its default, the samples load."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel

from gateway.settings import Settings, load_settings

CONFIG = Path(__file__).parents[2] / "config"

# A setting without default stands there disabled: `#` and then anything but one space and a word.
DISABLED = re.compile(r"^(\s*)#(?! \S)")


def enabled_reference() -> list[str]:
    return [DISABLED.sub(r"\1", line) for line in (CONFIG / "gateway.yaml").read_text("utf-8").splitlines()]


def declared_keys(model: type[BaseModel], prefix: str = "") -> set[str]:
    """Every leaf as `data.port`, every key of a list's items as `buckets[].name`."""
    keys: set[str] = set()
    for name, field in model.model_fields.items():
        annotation: Any = field.annotation
        items = get_args(annotation)[0] if get_origin(annotation) is tuple else None
        if isinstance(items, type) and issubclass(items, BaseModel):
            keys |= declared_keys(items, f"{prefix}{name}[].")
        elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
            keys |= declared_keys(annotation, f"{prefix}{name}.")
        else:
            keys.add(prefix + name)
    return keys


def written_keys(lines: list[str]) -> list[str]:
    keys, group = [], ""
    for line in lines:
        if match := re.match(r"([a-z0-9_]+):(.*)", line):
            group = match[1]
            if match[2].strip():
                keys.append(group)
        elif match := re.match(r"  - ([a-z0-9_]+):", line) or re.match(r"    ([a-z0-9_]+):", line):
            keys.append(f"{group}[].{match[1]}")
        elif match := re.match(r"  ([a-z0-9_]+):", line):
            keys.append(f"{group}.{match[1]}")
    return keys


def test_the_reference_names_every_setting_exactly_once() -> None:
    assert sorted(written_keys(enabled_reference())) == sorted(declared_keys(Settings))


def test_every_setting_of_the_reference_has_its_comment() -> None:
    lines = (CONFIG / "gateway.yaml").read_text("utf-8").splitlines()
    plain = enabled_reference()
    without = [
        line for previous, line, enabled in zip(lines, lines[1:], plain[1:], strict=False)
        if re.match(r"\s*(- )?[a-z0-9_]+:", enabled) and not re.match(r"\s*# \S", previous)
    ]  # fmt: skip
    assert without == []


def test_the_reference_as_it_stands_is_the_defaults() -> None:
    assert load_settings(CONFIG / "gateway.yaml", environment={}) == Settings()


def test_the_reference_with_its_disabled_lines_is_valid_but_for_the_secret_files(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("MadeUpSecret")
    secret.chmod(0o600)
    text = re.sub(r"/etc/cos-gateway/\S+", str(secret), "\n".join(enabled_reference()))
    path = tmp_path / "gateway.yaml"
    path.write_text(text)
    settings = load_settings(path, environment={})
    assert (len(settings.buckets), len(settings.credentials), len(settings.keys)) == (1, 1, 1)


@pytest.mark.parametrize("path", sorted(CONFIG.glob("*.yaml")), ids=lambda path: path.name)
def test_every_sample_loads(path: Path) -> None:
    load_settings(path, environment={})
