"""The rules for what an operator may write into a key or credential record."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network, ip_network

from gateway.stores.errors import InvalidRecord

MAX_NAME_CHARACTERS = 128
MAX_LABELS = 32
MAX_NETWORKS = 64

_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]+", re.ASCII)
_HANDLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,63}", re.ASCII)


def check_name(field: str, text: str) -> str:
    """A principal, account or credential name: 1 to 128 printable characters, no space at either end.

    Raises InvalidRecord naming the field.
    """
    if not text or text != text.strip():
        raise InvalidRecord(f"Expected {field} to be a name without spaces around it, got {text[:40]!r}.")
    return check_text(field, text)


def check_handle(field: str, text: str) -> str:
    """A name that can stand in a URL: 1 to 64 letters, digits and `._:@-`, a letter or digit first.

    Raises InvalidRecord naming the field.
    """
    if _HANDLE.fullmatch(text) is None:
        raise InvalidRecord(f"Expected {field} to be 1 to 64 letters, digits or ._:@-, got {text[:40]!r}.")
    return text


def check_text(field: str, text: str) -> str:
    """A free text of at most 128 printable characters. Raises InvalidRecord naming the field."""
    if len(text) > MAX_NAME_CHARACTERS or not text.isprintable():
        raise InvalidRecord(
            f"Expected {field} to be at most {MAX_NAME_CHARACTERS} printable characters, got {text[:40]!r}."
        )
    return text


def check_secret_text(field: str, text: str, *, max_characters: int) -> str:
    """A cloud secret as it is pasted: visible ASCII. Raises InvalidRecord, which never shows the text."""
    if len(text) > max_characters or _VISIBLE_ASCII.fullmatch(text) is None:
        raise InvalidRecord(
            f"Expected {field} to be 1 to {max_characters} visible ASCII characters without spaces, "
            f"got {len(text)} characters."
        )
    return text


def check_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Labels that policies may select on: at most 32. Raises InvalidRecord."""
    if len(labels) > MAX_LABELS:
        raise InvalidRecord(f"Expected at most {MAX_LABELS} labels, got {len(labels)}.")
    return {check_name("a label's name", name): check_text(f"label {name!r}", text) for name, text in labels.items()}


def parse_networks(texts: Iterable[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    """At most 64 networks in CIDR form, or addresses. Host bits that are set are refused. Raises InvalidRecord."""
    networks: list[IPv4Network | IPv6Network] = []
    for text in texts:
        if len(networks) == MAX_NETWORKS:
            raise InvalidRecord(f"Expected at most {MAX_NETWORKS} networks.")
        try:
            networks.append(ip_network(text))
        except ValueError:
            raise InvalidRecord(f"Expected a network such as 10.0.0.0/8, got {text[:60]!r}.") from None
    return tuple(networks)


def check_expiry(expires_at: datetime | None, now: datetime) -> datetime | None:
    """An expiry with its time zone, in the future; in UTC and cut to whole seconds. Raises InvalidRecord."""
    if expires_at is None:
        return None
    if expires_at.tzinfo is None:
        raise InvalidRecord("Expected an expiry with a time zone, got one without.")
    if expires_at <= now:
        raise InvalidRecord(f"Expected an expiry in the future, got {expires_at.isoformat()}.")
    try:
        return expires_at.astimezone(UTC).replace(microsecond=0)
    except OverflowError:
        raise InvalidRecord(f"Expected an expiry before the year 10000, got {expires_at.isoformat()}.") from None
