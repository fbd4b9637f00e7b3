"""Identity providers: whose tokens are taken for whom.

The principal comes from one claim of a proved token and the provider's own table; no claim becomes a principal by
itself, or whoever may choose a claim's text could choose whom to be.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from cos.rewrite import UpstreamRequest
from gateway.ports import Upstream
from gateway.sessions.jwks import MAX_SET_BYTES, ProviderUnavailable, SigningKeys
from gateway.sessions.jwt import (
    Expected,
    RefusedToken,
    check_claims,
    check_signature,
    matching_texts,
    read_identity_token,
)
from policies.patterns import Pattern


@dataclass(frozen=True, slots=True)
class Mapped:
    """From a claim to principals: the first pattern that a text of the claim matches tells the principal.

    `required` are further claims and what they must match.
    """

    claim: str
    principals: Sequence[tuple[Pattern, str]]
    required: Mapping[str, Pattern]

    def principal_of(self, claims: Mapping[str, object]) -> str:
        """Whom a proved token stands for. Raises RefusedToken."""
        for name, pattern in self.required.items():
            if not any(pattern.matches(text) for text in matching_texts(claims, name)):
                raise RefusedToken(f"The claim {name!r} is not what its provider's tokens must say here.")
        texts = matching_texts(claims, self.claim)
        for pattern, principal in self.principals:
            if any(pattern.matches(text) for text in texts):
                return principal
        raise RefusedToken(f"The claim {self.claim!r} stands for no principal here.")


@dataclass(frozen=True, slots=True)
class Provider:
    """One identity provider."""

    name: str
    expected: Expected
    keys: SigningKeys
    mapped: Mapped


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a proved token is about."""

    principal: str
    provider: str
    subject: str


class Providers:
    """The identity providers that are configured, by issuer. `clock` gives Unix seconds."""

    def __init__(self, providers: Iterable[Provider], *, clock: Callable[[], float] = time.time) -> None:
        self._by_issuer = {provider.expected.issuer: provider for provider in providers}
        self._clock = clock

    async def count_keys(self, issuer: str) -> int:
        """Fetch an issuer's keys now and count those that may prove its tokens. Raises ProviderUnavailable."""
        return await self._by_issuer[issuer].keys.count()

    async def identify(self, text: str) -> Identity:
        """Who a token proves its sender to be. Raises RefusedToken, ProviderUnavailable."""
        token = read_identity_token(text)
        provider = self._by_issuer.get(token.issuer)
        if provider is None:
            raise RefusedToken("No identity provider of that issuer is configured.")
        key = await provider.keys.find(token.kid, token.algorithm)
        check_signature(token, key)
        subject = check_claims(token.claims, provider.expected, now=self._clock())
        return Identity(provider.mapped.principal_of(token.claims), provider.name, subject)


async def fetch_key_set(upstream: Upstream, url: str) -> bytes:
    """The text at an http(s) URL, of at most MAX_SET_BYTES. Redirects are not followed. Raises PortError."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    request = UpstreamRequest.of(
        method="GET",
        host=parts.netloc,
        path=(parts.path or "/").encode("ascii"),
        query=(),
        target=target.encode("ascii"),
        headers=((b"accept", b"application/jwk-set+json, application/json"), (b"accept-encoding", b"identity")),
    )
    response = await upstream.send(request, b"")
    try:
        if response.status != 200:
            raise ProviderUnavailable(f"Expected the key set at {url}, got status {response.status}.")
        raw = bytearray()
        async for piece in response.stream():
            raw += piece
            if len(raw) > MAX_SET_BYTES:
                raise ProviderUnavailable(f"Expected at most {MAX_SET_BYTES} bytes at {url}.")
        return bytes(raw)
    finally:
        await response.aclose()
