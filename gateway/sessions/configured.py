"""Identity providers as the settings declare them, each with its own way to its keys."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from urllib.parse import urlsplit

from gateway.configuration.sessions import IdentityProviderSettings
from gateway.sessions.jwks import SigningKeys
from gateway.sessions.jwt import Algorithm, Expected
from gateway.sessions.providers import Mapped, Provider, Providers, fetch_key_set
from gateway.upstreams.http import HttpUpstream
from gateway.upstreams.settings import PoolLimits, Timeouts, UpstreamSettings
from policies.patterns import Pattern

FETCH_SECONDS = 5.0
"""How long each step of fetching a key set may take."""


def configured_providers(
    providers: tuple[IdentityProviderSettings, ...],
    stack: AsyncExitStack,
    *,
    clock: Callable[[], float] = time.time,
) -> Providers:
    """The providers; their connections are closed with `stack`. Raises OSError for a `ca_file` that is none."""
    return Providers([_provider(provider, stack) for provider in providers], clock=clock)


def _provider(provider: IdentityProviderSettings, stack: AsyncExitStack) -> Provider:
    parts = urlsplit(provider.jwks_url)
    seconds = FETCH_SECONDS
    # The place was chosen by whoever writes the settings, so it may be an address inside; a token cannot move it.
    upstream = HttpUpstream(
        UpstreamSettings(
            endpoint=f"{parts.scheme}://{parts.netloc}",
            timeouts=Timeouts(seconds, seconds, seconds, seconds, seconds),
            limits=PoolLimits(max_connections_per_origin=2),
            ca_file=provider.ca_file,
        )
    )
    stack.push_async_callback(upstream.aclose)
    algorithms = [Algorithm(algorithm.value) for algorithm in provider.algorithms]
    return Provider(
        name=provider.name,
        expected=Expected(provider.issuer, frozenset(provider.audiences), provider.skew_seconds),
        keys=SigningKeys(partial(fetch_key_set, upstream, provider.jwks_url), algorithms),
        mapped=Mapped(
            claim=provider.claim,
            principals=[(Pattern(glob), principal) for glob, principal in provider.principals.items()],
            required={name: Pattern(glob) for name, glob in provider.required_claims.items()},
        ),
    )
