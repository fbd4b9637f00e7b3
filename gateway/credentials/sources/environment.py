"""A credential in environment variables, as Tencent Cloud's own tools read it.

`<PREFIX>_SECRET_ID`, `<PREFIX>_SECRET_KEY` and, for a temporary credential, `<PREFIX>_SESSION_TOKEN`. Variables can be
read by every process of the same user in /proc; a file or the store is the better place.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.configuration.credentials import CredentialSettings
from gateway.credentials.sources.source import Obtained, Source, SourceFailed, Surroundings, read_text
from gateway.secret import Secret


@dataclass(frozen=True, slots=True)
class EnvironmentVariables:
    """Implements Source."""

    prefix: str
    surroundings: Surroundings = field(repr=False)

    async def obtain(self) -> Obtained:
        """The credential of the variables. Raises SourceFailed, naming a variable that is missing."""
        token_name = f"{self.prefix}_SESSION_TOKEN"
        has_token = bool(self.surroundings.variables.get(token_name))
        return Obtained(
            secret_id=self._text(f"{self.prefix}_SECRET_ID"),
            secret_key=Secret(self._text(f"{self.prefix}_SECRET_KEY")),
            token=Secret(self._text(token_name)) if has_token else None,
        )

    def _text(self, name: str) -> str:
        if not self.surroundings.variables.get(name):
            raise SourceFailed(f"The environment variable {name} is not set.")
        return read_text(self.surroundings.variables, name, "The environment")


def environment_variables(settings: CredentialSettings, surroundings: Surroundings) -> Source | None:
    """The source, when the settings ask for it."""
    if settings.environment is None:
        return None
    return EnvironmentVariables(settings.environment, surroundings)
