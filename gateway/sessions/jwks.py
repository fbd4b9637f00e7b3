"""A provider's signing keys: fetched when needed, kept for a while, fetched again for a key that is new.

One fetch at a time, and never more often than the cooldown allows, whatever callers send. A set that cannot be
fetched again is used until it is STALE_SECONDS old and nothing after that.

Source: RFC 7517, 7518 §6, 8037.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from gateway.ports import PortError
from gateway.sessions.jwt import Algorithm, PublicKey, RefusedToken, decode_base64url, parse_object

REFRESH_SECONDS = 3600.0
STALE_SECONDS = 86_400.0
COOLDOWN_SECONDS = 10.0
MAX_SET_BYTES = 256 * 1024
MAX_KEYS = 128
MIN_RSA_BITS, MAX_RSA_BITS = 2048, 8192

_log = structlog.get_logger(__name__)

Fetch = Callable[[], Awaitable[bytes]]
KeysById = dict[tuple[str | None, Algorithm], PublicKey]


class ProviderUnavailable(PortError):
    """The identity provider's keys cannot be had."""


class SigningKeys:
    """The keys of one provider. `fetch` gives its key set as JSON text, or raises PortError."""

    def __init__(
        self, fetch: Fetch, algorithms: Collection[Algorithm], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._algorithms = frozenset(algorithms)
        self._clock = clock
        self._keys: KeysById = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, kid: str | None, algorithm: Algorithm) -> PublicKey:
        """The key of that id for that algorithm; without an id, the only key there is for it.

        Raises RefusedToken when there is none, ProviderUnavailable when that cannot be told.
        """
        if algorithm not in self._algorithms:
            raise RefusedToken("The token's algorithm is not accepted from its provider.")
        if self._age() > REFRESH_SECONDS:
            await self._refresh()
        if self._age() > STALE_SECONDS:
            raise ProviderUnavailable("The keys of the identity provider cannot be fetched.")
        key = self._look_up(kid, algorithm)
        if key is None:
            # It may be new. A made-up id costs its sender a wait and the provider one fetch per cooldown.
            await self._refresh()
            key = self._look_up(kid, algorithm)
        if key is None:
            raise RefusedToken("The token was signed with a key its provider does not publish.")
        return key

    async def count(self) -> int:
        """How many keys there are for the algorithms that are accepted. Raises ProviderUnavailable."""
        await self._refresh()
        if self._fetched_at is None:
            raise ProviderUnavailable("The keys of the identity provider cannot be fetched.")
        return sum(algorithm in self._algorithms for _, algorithm in self._keys)

    def _look_up(self, kid: str | None, algorithm: Algorithm) -> PublicKey | None:
        if kid is not None:
            return self._keys.get((kid, algorithm))
        fitting = [key for (_, of), key in self._keys.items() if of is algorithm]
        return fitting[0] if len(fitting) == 1 else None

    def _age(self) -> float:
        return float("inf") if self._fetched_at is None else self._clock() - self._fetched_at

    async def _refresh(self) -> None:
        """Fetch the set, or wait for the fetch that is under way; soon after the last one do nothing."""
        if self._fetching is None:
            if self._tried_at is not None and self._clock() - self._tried_at < COOLDOWN_SECONDS:
                return
            self._tried_at = self._clock()
            self._fetching = asyncio.create_task(self._fetch_once())
        # Whoever started it may be cancelled; the others still wait for it.
        await asyncio.shield(self._fetching)

    async def _fetch_once(self) -> None:
        try:
            self._keys = parse_key_set(await self._fetch())
            self._fetched_at = self._clock()
        except (PortError, ValueError) as error:
            _log.warning("identity_provider_keys_unavailable", reason=str(error))
        finally:
            self._fetching = None


def parse_key_set(raw: bytes) -> KeysById:
    """The usable keys of a JWK set by their id and algorithm; others are left out. Raises ValueError.

    An id that two keys of one algorithm have names neither.
    """
    if len(raw) > MAX_SET_BYTES:
        raise ValueError(f"expected a key set of at most {MAX_SET_BYTES} bytes")
    items = parse_object(raw).get("keys")
    if not isinstance(items, list) or len(items) > MAX_KEYS:
        raise ValueError(f"expected a list of at most {MAX_KEYS} keys")
    keys: KeysById = {}
    ambiguous: set[tuple[str | None, Algorithm]] = set()
    for item in items:
        found = _read_key(item) if isinstance(item, dict) else None
        if found is None:
            continue
        kid, algorithm, key = found
        if (kid, algorithm) in keys:
            ambiguous.add((kid, algorithm))
        keys[kid, algorithm] = key
    return {name: key for name, key in keys.items() if name not in ambiguous}


def _read_key(item: Mapping[str, Any]) -> tuple[str | None, Algorithm, PublicKey] | None:
    kid = item.get("kid")
    operations = item.get("key_ops", ["verify"])
    if (kid is not None and not isinstance(kid, str)) or item.get("use", "sig") != "sig":
        return None
    if not isinstance(operations, list) or "verify" not in operations:
        return None
    try:
        algorithm, key = _read_public_key(item)
    except (RefusedToken, ValueError, UnsupportedAlgorithm, KeyError, TypeError, AttributeError):
        # Sets hold keys of kinds nobody asked for; one that cannot be read proves nothing and harms nothing.
        return None
    return (kid, algorithm, key) if item.get("alg", algorithm) in (algorithm, _ALIASES.get(algorithm)) else None


_ALIASES = {Algorithm.EDDSA: "Ed25519"}
"""RFC 9864 names the curve instead."""


def _read_public_key(item: Mapping[str, Any]) -> tuple[Algorithm, PublicKey]:
    match item["kty"], item.get("crv"):
        case "RSA", None:
            modulus, exponent = _number(item["n"]), _number(item["e"])
            if not MIN_RSA_BITS <= modulus.bit_length() <= MAX_RSA_BITS or exponent.bit_length() > 32:
                raise ValueError("the key's size")
            return Algorithm.RS256, rsa.RSAPublicNumbers(exponent, modulus).public_key()
        case "EC", "P-256":
            numbers = ec.EllipticCurvePublicNumbers(_number(item["x"]), _number(item["y"]), ec.SECP256R1())
            return Algorithm.ES256, numbers.public_key()
        case "OKP", "Ed25519":
            return Algorithm.EDDSA, ed25519.Ed25519PublicKey.from_public_bytes(decode_base64url(item["x"]))
        case _:
            raise ValueError("a kind of key that is not used here")


def _number(text: str) -> int:
    return int.from_bytes(decode_base64url(text))
