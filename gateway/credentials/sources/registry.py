"""The sources there are: one line each. The store (`credentials add`) and inline secrets need none."""

from __future__ import annotations

from collections.abc import Callable

from gateway.configuration.credentials import CredentialSettings
from gateway.credentials.sources.assume_role import assumed_role
from gateway.credentials.sources.environment import environment_variables
from gateway.credentials.sources.federation_token import federation_token
from gateway.credentials.sources.metadata import instance_role
from gateway.credentials.sources.source import Source, Surroundings

SOURCES: tuple[Callable[[CredentialSettings, Surroundings], Source | None], ...] = (
    environment_variables,
    assumed_role,
    federation_token,
    instance_role,
)


def source_of(settings: CredentialSettings, surroundings: Surroundings) -> Source | None:
    """Where that credential's secret comes from; None when it stands in the settings or in a file."""
    for build in SOURCES:
        source = build(settings, surroundings)
        if source is not None:
            return source
    return None
