"""Settings of temporary keys: the port that issues them, and whose identity tokens it takes."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from gateway.configuration.group import Group
from gateway.configuration.types import Port, Text, expected
from policies.patterns import Pattern


class TokenAlgorithm(StrEnum):
    RS256 = "RS256"
    ES256 = "ES256"
    EDDSA = "EdDSA"


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise expected("a URL such as https://idp.example.com/keys") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.fragment or parts.username or port == 0:
        raise expected("http:// or https://, a host, a path; neither user nor fragment")
    if not value.isascii() or not value.isprintable() or " " in value:
        raise expected("a URL of visible ASCII characters")
    return value


def _pattern(value: str) -> str:
    try:
        Pattern(value)
    except ValueError as error:
        raise expected(str(error).removeprefix("expected ")) from None
    return value


SessionSeconds = Annotated[int, Field(ge=60, le=43_200)]
SkewSeconds = Annotated[int, Field(ge=0, le=300)]
Url = Annotated[str, AfterValidator(_url)]
Glob = Annotated[str, AfterValidator(_pattern)]


class StsSettings(Group):
    """The port that issues temporary keys, to holders of a key and in exchange for identity tokens."""

    host: Text = "127.0.0.1"
    """Address to listen on."""
    port: Port | None = None
    """Port to listen on, 0 takes any free one; null: no temporary keys are issued."""
    default_session_seconds: SessionSeconds = 3600
    """How long a session lasts that asks for nothing else."""
    max_session_seconds: SessionSeconds = 43_200
    """The longest a session may ask for."""


class IdentityProviderSettings(Group):
    """An OIDC issuer whose tokens are exchanged for sessions."""

    name: Text
    """How the audit log and sessions refer to it; without it they are over."""
    issuer: Text
    """What its tokens say as `iss`, to the letter."""
    audiences: tuple[Text, ...] = Field(min_length=1)
    """Of which a token must name one as `aud`."""
    jwks_url: Url
    """Where its signing keys are."""
    ca_file: Path | None = None
    """Certificate authorities of that place in PEM; null: the system's."""
    algorithms: tuple[TokenAlgorithm, ...] = Field(tuple(TokenAlgorithm), min_length=1)
    """What its tokens may be signed with."""
    claim: Text = "sub"
    """The claim that tells the principal."""
    principals: Mapping[Glob, Text] = Field(min_length=1)
    """Globs of that claim and the principals they stand for; the first that fits counts."""
    required_claims: Mapping[Text, Glob] = {}
    """Further claims a token must have, and globs they must fit."""
    skew_seconds: SkewSeconds = 60
    """Difference of clocks that is forgiven."""
