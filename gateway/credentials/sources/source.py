"""What every source of a credential gives, and how its lifetime is read.

A lifetime is counted from the clock of the service that gave it (its `Date`), so that a wrong clock here neither
shortens nor lengthens it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

import msgspec

from gateway.inquiry import Answer
from gateway.ports import CredentialUnavailable, Upstream, UpstreamCredential
from gateway.secret import Secret

MAX_TEXT_CHARACTERS = 8192
"""Longer than any id, key or token: tokens of Tencent Cloud have at most 4,096."""


class SourceFailed(CredentialUnavailable):
    """A source gave no credential. Messages name the service and its error code, never a secret."""


@dataclass(frozen=True, slots=True)
class Obtained:
    """A credential as a source gave it. `lifetime_seconds` None: it does not expire."""

    secret_id: str = field(repr=False)
    secret_key: Secret
    token: Secret | None = None
    lifetime_seconds: float | None = None


class Source(Protocol):
    """Gives a credential when asked, and another one the next time if it is a temporary one."""

    async def obtain(self) -> Obtained:
        """Raises CredentialUnavailable, Sealed, StoreUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What sources work with: variables, other credentials by name, the two services, the time in Unix seconds."""

    variables: Mapping[str, str] = field(repr=False)
    open_credential: Callable[[str], UpstreamCredential]
    sts: Upstream
    sts_host: str
    sts_region: str
    metadata: Upstream
    metadata_host: str
    now: Callable[[], float]


def read_json(answer: Answer, service: str) -> Mapping[str, Any]:
    """The JSON object of an answer. Raises SourceFailed."""
    try:
        value = msgspec.json.decode(answer.body)
    except msgspec.MsgspecError:
        value = None
    if not isinstance(value, dict):
        raise SourceFailed(f"{service} answered {answer.status} with something that is not a JSON object.")
    return value


def read_text(values: Mapping[str, Any], name: str, service: str) -> str:
    """A text of an answer: visible ASCII, not empty. Raises SourceFailed, which does not show it."""
    text = values.get(name)
    if not isinstance(text, str) or not text.isascii() or not text.isprintable() or " " in text:
        raise SourceFailed(f"{service} answered without a usable {name}.")
    if not 0 < len(text) <= MAX_TEXT_CHARACTERS:
        raise SourceFailed(f"{service} answered with a {name} of {len(text)} characters.")
    return text


def read_temporary(values: Mapping[str, Any], expires_at: object, answer: Answer, service: str, now: float) -> Obtained:
    """A temporary credential: TmpSecretId, TmpSecretKey and Token of `values`, and when it ends in Unix seconds.

    Raises SourceFailed when something is missing or it has expired already.
    """
    if not isinstance(expires_at, int) or isinstance(expires_at, bool):
        raise SourceFailed(f"{service} answered without a usable ExpiredTime.")
    lifetime = expires_at - moment_of(answer, now)
    if lifetime <= 0:
        raise SourceFailed(f"{service} gave a credential that expired {-lifetime:.0f} seconds ago.")
    return Obtained(
        secret_id=read_text(values, "TmpSecretId", service),
        secret_key=Secret(read_text(values, "TmpSecretKey", service)),
        token=Secret(read_text(values, "Token", service)),
        lifetime_seconds=float(lifetime),
    )


def moment_of(answer: Answer, now: float) -> float:
    """When the answer was given by the clock of who gave it, in Unix seconds; `now` when it does not say."""
    date = answer.header(b"date")
    if date is None:
        return now
    try:
        return parsedate_to_datetime(date.decode("latin-1")).timestamp()
    except ValueError:
        return now
