"""Reading and proving an OIDC identity token: a JWT in compact form, signed with RS256, ES256 or EdDSA.

Facts the code rests on:
- The algorithm is the verifier's choice. The header's `alg` only selects among those the provider is configured with,
  and a key fits one algorithm by its type; `none` and every keyed hash are in no table.
- A key comes from the provider's own set and from nowhere else: `jwk`, `jku`, `x5u` and `x5c` of a header are not read.
- Whatever is not exactly one reading is refused: repeated names, other base64, `crit`.

Pure: time and keys are arguments. Source: RFC 7515, 7518, 7519, 8037, 8725.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

MAX_TOKEN_CHARACTERS = 16 * 1024
MAX_TEXT_CHARACTERS = 1024
"""Of an issuer, a subject, a key id."""
MAX_AGE_SECONDS = 86_400
"""A token older than this is refused, however long it says it is good for."""

_TYPES = frozenset({"jwt", "at+jwt"})
"""Other types are made for other ends: a logout token must not start a session."""


class Algorithm(StrEnum):
    """The signatures that are accepted."""

    RS256 = "RS256"
    ES256 = "ES256"
    EDDSA = "EdDSA"


PublicKey: TypeAlias = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


class RefusedToken(Exception):
    """An identity token that proves nothing. The text says why; it holds nothing of the token but names."""


@dataclass(frozen=True, slots=True)
class IdentityToken:
    """A token as received: read, not proved. `kid` None: the header names no key."""

    algorithm: Algorithm
    kid: str | None
    claims: Mapping[str, Any] = field(repr=False)
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def issuer(self) -> str:
        """Who says to have made it: finds the provider that has to prove it. Raises RefusedToken."""
        return _text(self.claims, "iss")


@dataclass(frozen=True, slots=True)
class Expected:
    """What a provider's tokens must say."""

    issuer: str
    audiences: frozenset[str]
    skew_seconds: int


def read_identity_token(text: str) -> IdentityToken:
    """The parts of a token. Raises RefusedToken."""
    if len(text) > MAX_TOKEN_CHARACTERS:
        raise RefusedToken(f"Expected a token of at most {MAX_TOKEN_CHARACTERS} characters.")
    parts = text.split(".")
    if len(parts) != 3:
        raise RefusedToken("Expected a signed token of three parts.")
    header, claims = _object(parts[0], "header"), _object(parts[1], "claims")
    if "crit" in header or "b64" in header:
        raise RefusedToken("Expected a header without critical extensions.")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise RefusedToken("Expected a token of the type JWT.")
    try:
        algorithm = Algorithm(str(header.get("alg")))
    except ValueError:
        raise RefusedToken(f"Expected a token signed with {', '.join(Algorithm)}.") from None
    kid = header.get("kid")
    if kid is not None and (not isinstance(kid, str) or not 0 < len(kid) <= MAX_TEXT_CHARACTERS):
        raise RefusedToken("Expected kid to be a text.")
    return IdentityToken(algorithm, kid, claims, f"{parts[0]}.{parts[1]}".encode("ascii"), decode_base64url(parts[2]))


def check_signature(token: IdentityToken, key: PublicKey) -> None:
    """Prove that the holder of `key` signed the token as its header says. Raises RefusedToken."""
    try:
        match token.algorithm, key:
            case Algorithm.RS256, rsa.RSAPublicKey():
                key.verify(token.signature, token.signed, padding.PKCS1v15(), SHA256())
            case Algorithm.ES256, ec.EllipticCurvePublicKey() if isinstance(key.curve, ec.SECP256R1):
                key.verify(_as_der(token.signature), token.signed, ec.ECDSA(SHA256()))
            case Algorithm.EDDSA, ed25519.Ed25519PublicKey():
                key.verify(token.signature, token.signed)
            case _:
                raise RefusedToken("The provider's key is not for the token's algorithm.")
    except InvalidSignature:
        raise RefusedToken("The token's signature is not the provider's.") from None


def check_claims(claims: Mapping[str, Any], expected: Expected, *, now: float) -> str:
    """The subject of a token that is for us and of now (Unix seconds). Raises RefusedToken."""
    if _text(claims, "iss") != expected.issuer:
        raise RefusedToken("Expected a token of another issuer.")
    if not _audiences(claims) & expected.audiences:
        raise RefusedToken("The token is for another audience.")
    expires, issued = _moment(claims, "exp"), _moment(claims, "iat")
    starts = _moment(claims, "nbf") if "nbf" in claims else issued
    if now >= expires + expected.skew_seconds:
        raise RefusedToken("The token has expired.")
    if now < max(starts, issued) - expected.skew_seconds:
        raise RefusedToken("The token is not valid yet.")
    if expires <= issued or now >= issued + MAX_AGE_SECONDS + expected.skew_seconds:
        raise RefusedToken("The token is too old.")
    return _text(claims, "sub")


def decode_base64url(text: str) -> bytes:
    """Unpadded base64url, in its one spelling. Raises RefusedToken."""
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise RefusedToken("Expected base64url.") from None
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii") != text:
        raise RefusedToken("Expected base64url in its shortest form.")
    return raw


def parse_object(raw: bytes) -> dict[str, Any]:
    """A JSON object in which no name is repeated. Raises ValueError."""
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_unrepeated, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def matching_texts(claims: Mapping[str, Any], name: str) -> Collection[str]:
    """The texts of a claim: one, or the members of a list; of anything else none."""
    value = claims.get(name)
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, str)]


def _object(part: str, what: str) -> dict[str, Any]:
    try:
        return parse_object(decode_base64url(part))
    except ValueError:
        raise RefusedToken(f"Expected the {what} of the token to be a JSON object.") from None


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is repeated")
    return found


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT_CHARACTERS:
        raise RefusedToken(f"Expected the claim {name!r} to be a text.")
    return value


def _moment(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    # bool is a number to Python.
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise RefusedToken(f"Expected the claim {name!r} to be a time in seconds.")
    return value


def _audiences(claims: Mapping[str, Any]) -> set[str]:
    value = claims.get("aud")
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str) for item in items):
        raise RefusedToken("Expected the claim 'aud' to be a text or a list of texts.")
    return set(items)


def _as_der(signature: bytes) -> bytes:
    """JWS writes the two numbers of an ECDSA signature side by side, 32 bytes each."""
    if len(signature) != 64:
        raise RefusedToken("The token's signature is not the provider's.")
    return encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
