"""The processes that are one gateway, as its admin port sees them: one, unless the setting `workers` says more."""

from __future__ import annotations

from typing import Protocol

from prometheus_client import generate_latest

from gateway.readiness import Check
from gateway.services import Services


class Crew(Protocol):
    """What the admin port asks of all processes together."""

    async def checks(self) -> list[Check]:
        """The conditions of readiness, of every process."""
        ...

    async def metrics(self) -> bytes:
        """The metrics of all processes as one, in Prometheus' text format."""
        ...

    async def follow_reload(self) -> None:
        """The policy documents were read anew in this process: have the others do so. Never raises."""
        ...


class Alone:
    """A gateway of one process. Implements Crew."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def checks(self) -> list[Check]:
        return self._services.checks()

    async def metrics(self) -> bytes:
        return generate_latest(self._services.telemetry.registry)

    async def follow_reload(self) -> None:
        """There are no others."""
