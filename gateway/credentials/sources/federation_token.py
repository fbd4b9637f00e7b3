"""A temporary credential that may do part of what a credential we hold may do.

Source: Tencent Cloud STS API, "GetFederationToken".
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from gateway.configuration.credentials import CredentialSettings
from gateway.credentials.sources.source import Obtained, Source, Surroundings
from gateway.credentials.sources.sts import ask_sts


@dataclass(frozen=True, slots=True)
class FederationToken:
    """Implements Source. `policy` is a CAM policy document in JSON."""

    credential: str
    session_name: str
    policy: str
    duration_seconds: int
    surroundings: Surroundings

    async def obtain(self) -> Obtained:
        """A credential narrowed by the policy. Raises CredentialUnavailable, Sealed, StoreUnavailable."""
        parameters: dict[str, str | int] = {
            "Name": self.session_name,
            "Policy": quote(self.policy, safe=""),
            "DurationSeconds": self.duration_seconds,
        }
        return await ask_sts(
            "GetFederationToken", parameters, credential=self.credential, surroundings=self.surroundings
        )


def federation_token(settings: CredentialSettings, surroundings: Surroundings) -> Source | None:
    """The source, when the settings ask for it."""
    chosen = settings.federation_token
    if chosen is None:
        return None
    return FederationToken(chosen.credential, chosen.session_name, chosen.policy, chosen.duration_seconds, surroundings)
