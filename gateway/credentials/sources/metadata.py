"""The role of the machine itself: a CVM instance, or the node that a TKE pod runs on.

The metadata service gives a temporary credential to whoever asks from the machine, over plain HTTP on a link-local
address. Its host is fixed in the settings; no request of a caller can reach it through the gateway.

Source: CVM documentation, "Instance metadata" and "Instance roles"; reference page §7.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gateway.configuration.credentials import CredentialSettings
from gateway.credentials.sources.source import Obtained, Source, SourceFailed, Surroundings, read_json, read_temporary
from gateway.inquiry import Answer, ask, question
from gateway.ports import UpstreamError

PATH = "/latest/meta-data/cam/security-credentials/"
TIMEOUT_SECONDS = 5.0
MAX_BYTES = 64 * 1024

_SERVICE = "The metadata service"
_ROLE = re.compile(r"[A-Za-z0-9_+=,.@-]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class InstanceRole:
    """Implements Source. `role` None: the only one the instance has."""

    role: str | None
    surroundings: Surroundings

    async def obtain(self) -> Obtained:
        """A credential of the instance's role. Raises SourceFailed."""
        role = self.role if self.role is not None else await self._only_role()
        answer = await self._get(PATH + role)
        values = read_json(answer, _SERVICE)
        if values.get("Code") != "Success":
            raise SourceFailed(f"{_SERVICE} refused a credential of the role {role!r}.")
        return read_temporary(values, values.get("ExpiredTime"), answer, _SERVICE, self.surroundings.now())

    async def _only_role(self) -> str:
        answer = await self._get(PATH)
        roles = answer.body.decode("latin-1").split()
        if len(roles) != 1 or _ROLE.fullmatch(roles[0]) is None:
            raise SourceFailed(f"Expected one role of this instance, got {len(roles)}; name it in metadata.role.")
        return roles[0]

    async def _get(self, path: str) -> Answer:
        request = question("GET", self.surroundings.metadata_host, path)
        try:
            answer = await ask(
                self.surroundings.metadata, request, timeout_seconds=TIMEOUT_SECONDS, max_bytes=MAX_BYTES
            )
        except UpstreamError as error:
            raise SourceFailed(f"{_SERVICE} was not reached: {error}") from error
        if answer.status == 404:
            raise SourceFailed(f"{_SERVICE} knows no such role: the instance has none, or another.")
        if answer.status != 200:
            raise SourceFailed(f"{_SERVICE} answered {answer.status}.")
        return answer


def instance_role(settings: CredentialSettings, surroundings: Surroundings) -> Source | None:
    """The source, when the settings ask for it."""
    return None if settings.metadata is None else InstanceRole(settings.metadata.role, surroundings)
