"""A role of this or another account, assumed with a credential we hold.

Source: Tencent Cloud STS API, "AssumeRole".
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.configuration.credentials import CredentialSettings
from gateway.credentials.sources.source import Obtained, Source, Surroundings
from gateway.credentials.sources.sts import ask_sts


@dataclass(frozen=True, slots=True)
class AssumedRole:
    """Implements Source."""

    credential: str
    role_arn: str
    session_name: str
    duration_seconds: int
    external_id: str | None
    surroundings: Surroundings

    async def obtain(self) -> Obtained:
        """A credential of the role. Raises CredentialUnavailable, Sealed, StoreUnavailable."""
        parameters: dict[str, str | int] = {
            "RoleArn": self.role_arn,
            "RoleSessionName": self.session_name,
            "DurationSeconds": self.duration_seconds,
        }
        if self.external_id is not None:
            parameters["ExternalId"] = self.external_id
        return await ask_sts("AssumeRole", parameters, credential=self.credential, surroundings=self.surroundings)


def assumed_role(settings: CredentialSettings, surroundings: Surroundings) -> Source | None:
    """The source, when the settings ask for it."""
    chosen = settings.assume_role
    if chosen is None:
        return None
    return AssumedRole(
        chosen.credential,
        chosen.role_arn,
        chosen.session_name,
        chosen.duration_seconds,
        chosen.external_id,
        surroundings,
    )
