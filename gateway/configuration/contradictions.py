"""What one field cannot see, as one thing that is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from gateway.configuration.errors import Location
from gateway.secret import Secret


class Contradiction(NamedTuple):
    """One thing wrong across settings, in the terms of `SettingsError`."""

    location: Location
    found: str
    expected: str
    hint: str | None = None


def is_loopback(host: str) -> bool:
    """True for `localhost` and loopback addresses; names are not looked up."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def one_of(location: Location, name: str, inline: Secret | None, file: Path | None) -> Iterator[Contradiction]:
    """A secret stands inline or in a file, and in one of them."""
    if (inline is None) == (file is None):
        found = "neither" if inline is None else "both"
        yield Contradiction(location, found, f"one of {name} and {name}_file")
