"""What one field cannot see: settings that contradict each other, and choices production refuses."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import BaseModel

from gateway.configuration.contradictions import Contradiction, is_loopback, one_of
from gateway.configuration.credential_checks import credential_contradictions
from gateway.configuration.errors import Location
from gateway.configuration.sources import Layer
from gateway.configuration.tls import tls_contradictions

if TYPE_CHECKING:
    from gateway.settings import Settings


def contradictions(settings: Settings, layer: Layer) -> Iterator[Contradiction]:
    """Everything wrong with settings that are each valid alone. `layer` tells which were written in a file."""
    yield from _upstream(settings)
    yield from _workers(settings)
    yield from _ports(settings)
    yield from _names(settings)
    yield from _secrets(settings, layer)
    yield from _identity_providers(settings)
    yield from credential_contradictions(settings)
    yield from tls_contradictions(settings.tls)
    if settings.environment == "production":
        yield from _production(settings, layer)


def _upstream(settings: Settings) -> Iterator[Contradiction]:
    endpoint = settings.upstream.endpoint
    if endpoint is None:
        return
    if settings.embedded.enabled:
        yield Contradiction(
            ("upstream", "endpoint"),
            repr(endpoint),
            "null, because embedded.enabled makes the embedded COS the upstream",
        )
    parts = urlsplit(endpoint)
    if parts.scheme == "http" and not is_loopback(parts.hostname or "") and not settings.upstream.unsafe_allow_http:
        yield Contradiction(
            ("upstream", "endpoint"),
            repr(endpoint),
            "https, or a loopback address",
            "upstream.unsafe_allow_http lifts this",
        )


def _workers(settings: Settings) -> Iterator[Contradiction]:
    if settings.workers > 1 and settings.embedded.enabled:
        yield Contradiction(
            ("workers",), str(settings.workers), "1, because embedded.enabled runs the COS in this process"
        )


def _ports(settings: Settings) -> Iterator[Contradiction]:
    taken: dict[int, str] = {}
    listeners = [("data", settings.data.port), ("admin", settings.admin.port), ("sts", settings.sts.port or 0)]
    if settings.embedded.enabled:
        listeners.append(("embedded", settings.embedded.port))
    for group, port in listeners:
        if port and (other := taken.setdefault(port, group)) != group:
            yield Contradiction((group, "port"), str(port), f"a port of its own; {other}.port has this one")


def _identity_providers(settings: Settings) -> Iterator[Contradiction]:
    for index, provider in enumerate(settings.identity_providers):
        parts = urlsplit(provider.jwks_url)
        if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            yield Contradiction(
                ("identity_providers", index, "jwks_url"), repr(provider.jwks_url), "https, or a loopback address"
            )


def _names(settings: Settings) -> Iterator[Contradiction]:
    yield from _repeated("buckets", "name", (bucket.name for bucket in settings.buckets))
    yield from _repeated("credentials", "name", (credential.name for credential in settings.credentials))
    yield from _repeated("keys", "id", (key.id for key in settings.keys))
    yield from _repeated("identity_providers", "name", (provider.name for provider in settings.identity_providers))
    yield from _repeated("identity_providers", "issuer", (provider.issuer for provider in settings.identity_providers))


def _repeated(group: str, field: str, values: Iterable[Hashable]) -> Iterator[Contradiction]:
    first: dict[Hashable, int] = {}
    for index, value in enumerate(values):
        if (other := first.setdefault(value, index)) != index:
            yield Contradiction((group, index, field), repr(value), f"a name of its own; {group}[{other}] has this one")


def _secrets(settings: Settings, layer: Layer) -> Iterator[Contradiction]:
    master_key = settings.master_key
    if master_key.value is not None and layer.mark_of(("master_key", "value")).in_file:
        yield Contradiction(
            ("master_key", "value"),
            "a key in the file",
            "it in the environment",
            "COSGW_MASTER_KEY, or master_key.file",
        )
    if master_key.value is not None and master_key.file is not None:
        yield Contradiction(("master_key", "file"), "a file and a value", "one of master_key.file and master_key.value")
    if master_key.transit is not None and (master_key.value is not None or master_key.file is not None):
        yield Contradiction(("master_key", "transit"), "a second source", "one of file, value and transit")
    for index, key in enumerate(settings.keys):
        yield from one_of(("keys", index), "secret", key.secret, key.secret_file)


def _production(settings: Settings, layer: Layer) -> Iterator[Contradiction]:
    for location in _unsafe_choices(settings, ()):
        yield Contradiction(location, "true", "false, because environment is production")
    if settings.embedded.enabled:
        yield Contradiction(
            ("embedded", "enabled"), "true", "false, because environment is production", "the embedded COS is no store"
        )
    inline = [
        *(
            (("credentials", i, "secret_key"), credential.secret_key)
            for i, credential in enumerate(settings.credentials)
        ),
        *((("credentials", i, "token"), credential.token) for i, credential in enumerate(settings.credentials)),
        *((("keys", i, "secret"), key.secret) for i, key in enumerate(settings.keys)),
    ]
    for location, secret in inline:
        if secret is not None and layer.mark_of(location).in_file:
            yield Contradiction(
                location,
                "a secret in the file",
                "it in the store or a file of its own, because environment is production",
                "`cos-gateway credentials add` and `cos-gateway keys create` put it into the store",
            )


def _unsafe_choices(group: BaseModel, location: Location) -> Iterator[Location]:
    for name in type(group).model_fields:
        value = getattr(group, name)
        if isinstance(value, BaseModel):
            yield from _unsafe_choices(value, (*location, name))
        elif name.startswith("unsafe_") and value:
            yield (*location, name)
