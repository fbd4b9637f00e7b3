"""What is wrong across the settings of credentials: two sources, names that lead nowhere, services that are none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gateway.configuration.contradictions import Contradiction, is_loopback, one_of

if TYPE_CHECKING:
    from gateway.configuration.credentials import CredentialSettings
    from gateway.settings import Settings

METADATA_HOSTS = frozenset({"metadata.tencentyun.com", "bm.metadata.tencentyun.com", "169.254.0.23"})
STS_SUFFIX = ".tencentcloudapi.com"
_SOURCES = ("secret_id", "environment", "assume_role", "federation_token", "metadata")


def credential_contradictions(settings: Settings) -> Iterator[Contradiction]:
    """Everything wrong with credentials that are each valid alone."""
    for index, credential in enumerate(settings.credentials):
        yield from _source(index, credential)
    yield from _circles(settings)
    yield from _services(settings)
    yield from _transit(settings)


def _source(index: int, credential: CredentialSettings) -> Iterator[Contradiction]:
    location = ("credentials", index)
    given = [name for name in _SOURCES if getattr(credential, name) is not None]
    if len(given) != 1:
        yield Contradiction(location, " and ".join(given) or "no source", f"one of {', '.join(_SOURCES)}")
    if credential.secret_id is not None:
        yield from one_of(location, "secret_key", credential.secret_key, credential.secret_key_file)
        return
    for name in ("secret_key", "secret_key_file", "token"):
        if getattr(credential, name) is not None:
            yield Contradiction((*location, name), "a value", "null, because there is no secret_id it belongs to")


def _circles(settings: Settings) -> Iterator[Contradiction]:
    """A credential that is made from another must end at one that is not."""
    bases = {item.name: base for item in settings.credentials if (base := base_of(item)) is not None}
    for index, item in enumerate(settings.credentials):
        seen, name = {item.name}, bases.get(item.name)
        while name is not None and name not in seen:
            seen.add(name)
            name = bases.get(name)
        if name is not None:
            yield Contradiction(("credentials", index), f"{item.name!r} made from itself", "a base with its own secret")


def base_of(credential: CredentialSettings) -> str | None:
    """The credential that one is made from."""
    chosen = credential.assume_role or credential.federation_token
    return chosen.credential if chosen is not None else None


def _services(settings: Settings) -> Iterator[Contradiction]:
    for name, wanted in (
        ("sts_endpoint", "https://sts.tencentcloudapi.com or another sts host of tencentcloudapi.com"),
        ("metadata_endpoint", "http://metadata.tencentyun.com or http://bm.metadata.tencentyun.com"),
    ):
        endpoint = getattr(settings.tencent, name)
        parts = urlsplit(endpoint)
        host = parts.hostname or ""
        if is_loopback(host) and settings.environment != "production":
            continue
        if name == "sts_endpoint":
            known = parts.scheme == "https" and host.startswith("sts.") and host.endswith(STS_SUFFIX)
        else:
            known = parts.scheme == "http" and host in METADATA_HOSTS
        if not known or parts.port is not None:
            yield Contradiction(("tencent", name), repr(endpoint), wanted)


def _transit(settings: Settings) -> Iterator[Contradiction]:
    transit = settings.master_key.transit
    if transit is None:
        return
    parts = urlsplit(transit.address)
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        yield Contradiction(("master_key", "transit", "address"), repr(transit.address), "https")
